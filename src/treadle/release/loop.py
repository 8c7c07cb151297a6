"""The loop of an endpoint: judge its windows, move its release, train a challenger when due."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec
import pyarrow.parquet as pq

from treadle.governance.entities import Candidate, GateReport
from treadle.kernel.actors import acting_as
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import Conflict
from treadle.monitoring.entities import Delivery, TakenLabels, WindowReport
from treadle.release.entities import Decision, Release
from treadle.release.policy import Policy

if TYPE_CHECKING:
    import pyarrow as pa

    from treadle.data.service import Data
    from treadle.governance.service import Governance
    from treadle.monitoring.service import Monitoring
    from treadle.pipelines.entities import PipelineRun
    from treadle.registry.service import Registry
    from treadle.release.service import Releases
    from treadle.release.trained import Trained
    from treadle.serving.service import Serving
    from treadle.storage.ports import MetadataStore
    from treadle.tracking.service import Tracking

HELDOUT = "evidence/heldout.parquet"
LOOKED_BACK = 26
"""Windows that late labels can still change: half a year of weeks."""
NAME_LENGTH = 200


class Made(msgspec.Struct, frozen=True, kw_only=True):
    """A trained candidate: its run, its gates, and its version when they passed."""

    run_id: str
    report: GateReport
    version: str | None


Retrain = Callable[[Policy, Decision], Made]


class Tick(msgspec.Struct, frozen=True, kw_only=True):
    """What one step of the loop did.

    `windows` were due, `rejudged` had been judged before their late labels came. `release` is the
    one under way, or the one that ended just now; `moved` the same if it changed its stage.
    """

    deliveries: tuple[Delivery, ...] = ()
    windows: tuple[WindowReport, ...] = ()
    rejudged: tuple[WindowReport, ...] = ()
    release: Release | None = None
    moved: Release | None = None
    decision: Decision
    made: Made | None = None
    proposed: Release | None = None


class Loop:
    """Moves endpoints through their lives by their policies."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        data: Data,
        tracking: Tracking,
        registry: Registry,
        serving: Serving,
        governance: Governance,
        monitoring: Monitoring,
        releases: Releases,
    ) -> None:
        self._store = store
        self._data = data
        self._tracking = tracking
        self._registry = registry
        self._serving = serving
        self._governance = governance
        self._monitoring = monitoring
        self._releases = releases

    def start(self, policy: Policy) -> None:
        """Put an endpoint under a policy: the endpoint and its monitor are made when missing.

        Raises Conflict when there is an endpoint of this name for another model.
        """
        with self._store.write():
            known = {e.name: e.model for e in self._serving.endpoints()}
            model = known.get(policy.endpoint)
            if model is None:
                self._serving.create_endpoint(policy.endpoint, policy.model)
            elif model != policy.model:
                raise Conflict(
                    f"Endpoint {policy.endpoint!r} serves the model {model!r}, not "
                    f"{policy.model!r}.",
                    hint="Give the policy's endpoint another name.",
                )
            self._monitoring.create_monitor(
                policy.endpoint, endpoint=policy.endpoint, rules=policy.monitor
            )
            self._releases.set_policy(policy)

    def candidate(
        self, policy: Policy, trained: Trained, *, name: str, origin: PipelineRun | None = None
    ) -> Made:
        """Track a trained model, judge its gates, and register it when they pass.

        A candidate whose gates say no stays a run with its evidence and never becomes a version.
        """
        run = self._tracking.start_run(
            experiment=policy.model,
            name=name[:NAME_LENGTH],
            parent_id=origin.run_id if origin else None,
            params=trained.params,
        )
        try:
            made = self._judged(policy, trained, run_id=run.id, origin=origin)
        except BaseException as error:
            problem = f"{type(error).__name__}: {error}"
            self._tracking.end_run(run.id, status="failed", error=problem)
            raise
        self._tracking.end_run(run.id)
        return made

    def propose(self, policy: Policy, version: str, *, why: str) -> Release:
        """Start a version's walk; once live, the monitor measures against its held-out rows."""
        release = self._releases.propose(policy.endpoint, version, why=why)
        self.settle(release)
        return release

    def settle(self, release: Release) -> None:
        """Have the monitor measure against what serves now; `tick` does so by itself."""
        self._keep_reference(release.endpoint)

    def take_labels(self, endpoint: str, rows: pa.Table, *, source_ref: str) -> TakenLabels:
        """Take in labels that came by themselves, after the label contract of the policy.

        What breaks it is kept, named and counted nowhere, as a delivery would be. See
        `Monitoring.take_rows`.
        """
        with self._store.read() as tx:
            now = tx.at
        policies = {p.endpoint: p for p in self._releases.policies()}
        dataset = policies[endpoint].labels.dataset if endpoint in policies else ""
        return self._monitoring.take_rows(
            endpoint, rows, at=now, source_ref=source_ref, dataset=dataset
        )

    def tick(self, endpoint: str, *, retrain: Retrain | None = None) -> Tick:
        """Move an endpoint one step: labels in, windows judged, release moved, challenger trained.

        Everything due by the project's clock is done, in this order, and nothing is done twice: a
        tick that was cut off anywhere is finished by the next one. Without `retrain` the decision
        is only told. Two ticks at once do no harm, but may both train: run it as one leased job.
        """
        policy = self._releases.policy(endpoint)
        with acting_as(f"policy:{endpoint}"):
            self._keep_reference(endpoint)
            deliveries = self._deliveries(policy)
            rejudged = self._rejudged(endpoint, deliveries)
            windows = self._due_windows(policy)
            before = self._releases.current(endpoint)
            release = self._releases.advance(endpoint)
            self._keep_reference(endpoint)
            decision = self._releases.should_retrain(endpoint)
            made, proposed = None, None
            if decision.yes and retrain is not None:
                made, proposed = self._retrained(policy, decision, retrain)
        return Tick(
            deliveries=deliveries,
            windows=windows,
            rejudged=rejudged,
            release=release,
            moved=release if _has_moved(before, release) else None,
            decision=decision,
            made=made,
            proposed=proposed,
        )

    def _judged(
        self, policy: Policy, trained: Trained, *, run_id: str, origin: PipelineRun | None
    ) -> Made:
        datasets = origin.datasets if origin else ()
        for ref in datasets:
            digest = self._data.version(ref).digest
            self._tracking.log_input(run_id, kind="dataset", ref=ref, digest=digest)
        baseline = {f"baseline.{k}": v for k, v in trained.baseline.items()}
        self._tracking.log(run_id, metrics={**trained.metrics, **baseline})
        if trained.heldout is not None:
            self._tracking.log_artifact(run_id, HELDOUT, _parquet(trained.heldout))
        judged = Candidate(
            run_id=run_id,
            model=policy.model,
            metrics=trained.metrics,
            baseline=trained.baseline,
            probes=trained.probes,
            datasets=datasets,
        )
        report = self._governance.judge(judged, policy.gates)
        version = self._register(policy, trained, run_id=run_id) if report.passed else None
        return Made(run_id=run_id, report=report, version=version)

    def _retrained(
        self, policy: Policy, decision: Decision, retrain: Retrain
    ) -> tuple[Made, Release | None]:
        endpoint = policy.endpoint
        since = self._releases.begin_retrain(endpoint, decision)
        try:
            made = self._unproposed(policy, since=since) or retrain(policy, decision)
        except Exception as error:
            # The cool-down keeps a training that always fails from being tried at every tick.
            self._releases.end_retrain(endpoint, version="", outcome=f"failed: {error}")
            raise
        with self._store.write():
            proposed = None
            if made.version is not None:
                proposed = self.propose(policy, made.version, why=decision.reason)
            outcome = made.report.reason if made.version is None else "registered"
            self._releases.end_retrain(endpoint, version=made.version or "", outcome=outcome)
        return made, proposed

    def _unproposed(self, policy: Policy, *, since: int) -> Made | None:
        """Return what a training that was cut off had registered already, if it had."""
        names = {m.name for m in self._registry.models()}
        newest = self._registry.versions(policy.model)[:1] if policy.model in names else ()
        proposed = {r.candidate for r in self._releases.releases(policy.endpoint, limit=1000)}
        for version in newest:
            if version.created_at < since or version.ref in proposed or version.run_id is None:
                continue
            reports = self._governance.gate_reports(version.run_id)
            if reports:
                return Made(run_id=version.run_id, report=reports[0], version=version.ref)
        return None

    def _register(self, policy: Policy, trained: Trained, *, run_id: str) -> str:
        version = self._registry.register(
            policy.model,
            trained.model,
            run_id=run_id,
            example=trained.example,
            metadata=trained.metadata,
        )
        return version.ref

    def _deliveries(self, policy: Policy) -> tuple[Delivery, ...]:
        labels = policy.labels
        if not labels.dataset:
            return ()
        return self._monitoring.take_deliveries(
            policy.endpoint, dataset=labels.dataset, key=labels.key, label=labels.label
        )

    def _rejudged(
        self, endpoint: str, deliveries: tuple[Delivery, ...]
    ) -> tuple[WindowReport, ...]:
        """Judge windows again whose labels came after they were judged, oldest first."""
        if not deliveries:
            return ()
        late = [
            w
            for w in self._monitoring.windows(endpoint, limit=LOOKED_BACK)
            if w.labelled < w.rows and any(d.touches(w.start, w.end) for d in deliveries)
        ]
        again = [self._monitoring.evaluate(endpoint, start=w.start, end=w.end) for w in late]
        return tuple(new for new, old in zip(again, late, strict=True) if new != old)

    def _due_windows(self, policy: Policy) -> tuple[WindowReport, ...]:
        name = policy.endpoint
        with self._store.read() as tx:
            now = tx.at
        width = policy.monitor.window_days * DAY_US
        start = self._next_start(name)
        reports: list[WindowReport] = []
        while start is not None and start + width + policy.monitor.label_delay_days * DAY_US <= now:
            reports.append(self._monitoring.evaluate(name, start=start, end=start + width))
            start += width
        return tuple(reports)

    def _next_start(self, name: str) -> int | None:
        past = self._monitoring.windows(name, limit=1)
        if past:
            return past[-1].end
        first = self._serving.first_prediction_at(self._monitoring.monitor(name).endpoint)
        return None if first is None else first - first % DAY_US

    def _keep_reference(self, endpoint: str) -> None:
        """Have the monitor measure against the held-out rows of the version that serves."""
        champion = self._releases.champion(endpoint)
        reference = self._monitoring.monitor(endpoint).reference
        if not champion or (reference is not None and reference.version == champion):
            return
        rows = self._heldout(champion)
        if rows is not None:
            self._monitoring.set_reference(endpoint, version=champion, rows=rows)

    def _heldout(self, version: str) -> pa.Table | None:
        run_id = self._registry.version(version).run_id
        if run_id and any(a.path == HELDOUT for a in self._tracking.artifacts(run_id)):
            with self._tracking.open_artifact(run_id, HELDOUT) as stream:
                return pq.read_table(io.BytesIO(stream.read()))
        return None


def _has_moved(before: Release | None, after: Release | None) -> bool:
    if before is None or after is None:
        return False
    return (before.state, before.stage.name) != (after.state, after.stage.name)


def _parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd")
    return sink.getvalue()
