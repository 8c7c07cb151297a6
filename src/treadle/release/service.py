"""Propose, advance, promote, stop and roll back; decide on retraining."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.actors import acting_as
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import Conflict, NotFound, Refused
from treadle.release import retrain, store, trial, walk
from treadle.release.entities import (
    Decision,
    PolicySet,
    Release,
    ReleaseMoved,
    RetrainDecided,
    RetrainEnded,
    State,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.governance.service import Governance
    from treadle.monitoring.service import Monitoring
    from treadle.registry.service import Registry
    from treadle.release.policy import Policy
    from treadle.serving.entities import Role
    from treadle.serving.service import Serving
    from treadle.storage.events import Event
    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction

CHAMPION = "champion"
PAIRED_COLUMNS = ("answer_id", "at", "value", "label")
CANARY_COLUMNS = ("status", "latency_us")
MOST_RELEASES = 10_000


ALERTS = 10


class Releases:
    """Decides what serves. Every verb is one transaction; one release at a time per endpoint."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        registry: Registry,
        serving: Serving,
        monitoring: Monitoring,
        governance: Governance,
    ) -> None:
        self._store = store
        self._registry = registry
        self._serving = serving
        self._monitoring = monitoring
        self._governance = governance

    # --- policies ---

    def set_policy(self, policy: Policy) -> Policy:
        """Have an endpoint follow these rules from now on; the same rules change nothing."""
        with self._store.write() as tx:
            before = store.find_policy(tx, policy.endpoint)
            if before != policy:
                store.put_policy(tx, policy, at=tx.at)
                tx.emit(PolicySet(policy=policy, digest=policy.digest))
        return policy

    def policy(self, endpoint: str) -> Policy:
        """Return the policy of an endpoint. Raises NotFound."""
        with self._store.read() as tx:
            found = store.find_policy(tx, endpoint)
            if found is None:
                known = [p.endpoint for p in store.list_policies(tx)]
                raise NotFound("policy for endpoint", endpoint, known=known)
        return found

    def policies(self) -> tuple[Policy, ...]:
        """Return every policy."""
        with self._store.read() as tx:
            return store.list_policies(tx)

    # --- releases ---

    def release(self, release_id: str) -> Release:
        """Return a release. Raises NotFound."""
        with self._store.read() as tx:
            found = store.find_release(tx, release_id)
        if found is None:
            raise NotFound("release", release_id)
        return found

    def releases(self, endpoint: str | None = None, *, limit: int = 100) -> tuple[Release, ...]:
        """Return releases, newest first."""
        with self._store.read() as tx:
            return store.list_releases(tx, endpoint=endpoint, limit=limit)

    def current(self, endpoint: str) -> Release | None:
        """Return the release under way on an endpoint, or None."""
        with self._store.read() as tx:
            return store.open_release(tx, endpoint)

    def champion(self, endpoint: str) -> str:
        """Return the version that serves an endpoint, or an empty text before the first."""
        variants = self._serving.endpoint(endpoint).variants
        live = [v for v in variants if v.role == "live"]
        return max(live, key=lambda v: v.share).version if live else ""

    def propose(self, endpoint: str, candidate: str, *, why: str) -> Release:
        """Start a candidate's walk: refused unless its gates passed, else it answers in shadow.

        The first version of an endpoint goes live at once: there is nothing to compare it with.
        Proposing the candidate of the open release again returns that release. Raises Conflict
        while another is under way and for the version that serves already; NotFound without policy.
        """
        version = self._registry.verify(candidate)
        with self._store.write() as tx:
            self._hold(tx, endpoint)
            champion = self.champion(endpoint)
            open_now = store.open_release(tx, endpoint)
            if open_now is not None and open_now.candidate == version.ref:
                return open_now
            _require_room(open_now, version.ref, champion=champion, endpoint=endpoint)
            reports = self._governance.gate_reports(version.run_id) if version.run_id else ()
            gates = walk.gates_stage(reports, candidate=version.ref, at=tx.at)
            release = walk.begun(
                endpoint=endpoint,
                candidate=version.ref,
                champion=champion,
                why=why,
                at=tx.at,
                gates=gates,
            )
            if not gates.passed:
                refused = walk.ended(release, "refused", reason=gates.verdict, at=tx.at)
                return self._save(tx, refused)
            if not champion:
                return self._promote(tx, release)
            shadow = walk.entered(release, "shadow", at=tx.at)
            return self._route(tx, shadow, reason=f"{version.ref} in shadow")

    def advance(self, endpoint: str) -> Release | None:
        """Look at the evidence there is now and move the open release on; None when there is none.

        While the evidence does not suffice, the release comes back with its progress and nothing
        but a planned look that was taken is written.
        """
        release = self.current(endpoint)
        if release is None:
            return None
        finding = self._look(release)
        with acting_as(f"policy:{endpoint}"), self._store.write() as tx:
            self._hold(tx, endpoint)
            if store.open_release(tx, endpoint) != release:  # somebody moved it while we looked
                return store.find_release(tx, release.id)
            return self._follow(tx, walk.with_finding(release, finding), finding, before=release)

    def stop(self, endpoint: str, *, reason: str) -> Release:
        """Stop the release under way; the champion takes all traffic again."""
        with self._store.write() as tx:
            self._hold(tx, endpoint)
            release = store.open_release(tx, endpoint)
            if release is None:
                raise Conflict(f"No release is under way on {endpoint}.")
            stopped = walk.ended(release, "stopped", reason=reason, at=tx.at)
            return self._route(tx, stopped, reason=f"{release.candidate} stopped: {reason}")

    def rollback(self, endpoint: str, *, reason: str) -> Release:
        """Put the version before the present champion back into service.

        A release under way is stopped. Rolling back again goes one version further back. Raises
        Refused when the champion is the first.
        """
        with self._store.write() as tx:
            self._hold(tx, endpoint)
            present = self.champion(endpoint)
            past = store.list_releases(tx, endpoint=endpoint, state="live", limit=MOST_RELEASES)
            target = walk.before(present, reversed(past))
            if not target:
                raise Refused(
                    f"{endpoint} has served nothing before {present or 'now'}.",
                    hint=f"See what it served: treadle endpoints show {endpoint}",
                )
            if store.open_release(tx, endpoint) is not None:
                self.stop(endpoint, reason=f"rolled back: {reason}")
            release = walk.begun(
                endpoint=endpoint,
                candidate=target,
                champion=present,
                why=f"rollback: {reason}",
                at=tx.at,
            )
            return self._promote(tx, release)

    # --- retraining ---

    def should_retrain(self, endpoint: str) -> Decision:
        """Say whether the policy wants a challenger now, and why or why not."""
        rules = self.policy(endpoint).retrain
        with self._store.read() as tx:
            trained_at, unfinished = store.retrained(tx, endpoint)
            open_now, now = store.open_release(tx, endpoint), tx.at
        champion = self.champion(endpoint)
        if champion and trained_at is None:
            trained_at = self._registry.version(champion).created_at
        found = self._monitoring.alerts(endpoint=endpoint, state="open", limit=ALERTS).items
        # Broken inputs are mended where they come from: a challenger would learn from them.
        alerts = [a for a in found if a.kind != "contract"]
        situation = retrain.Situation(
            now=now,
            trained_at=trained_at if champion else None,
            under_way=open_now is not None,
            unfinished=unfinished,
            new_labels=self._new_labels(endpoint, since=trained_at or 0),
            alert=alerts[0].title if alerts else "",
        )
        return retrain.decide(rules, situation)

    def begin_retrain(self, endpoint: str, decision: Decision) -> int:
        """Record that a challenger is trained now, and why; return since when it is.

        The cool-down starts. Taking up a training whose process died keeps its beginning.
        """
        with self._store.write() as tx:
            self._hold(tx, endpoint)
            since, unfinished = store.retrained(tx, endpoint)
            if unfinished and since is not None:
                return since
            store.begin_retrain(tx, endpoint, at=tx.at, reason=decision.reason)
            tx.emit(RetrainDecided(endpoint=endpoint, reason=decision.reason))
            return tx.at

    def end_retrain(self, endpoint: str, *, version: str, outcome: str) -> None:
        """Record what became of the training that was begun."""
        with self._store.write() as tx:
            store.end_retrain(tx, endpoint)
            tx.emit(RetrainEnded(endpoint=endpoint, version=version, outcome=outcome))

    def rebuild(self, events: Iterable[Event]) -> None:
        """Make the tables anew from the log."""
        with self._store.write() as tx:
            store.clear(tx)
            for event in events:
                _replay(tx, event)

    # --- inside ---

    def _hold(self, tx: Transaction, endpoint: str) -> None:
        """Let no other transaction move this endpoint's releases until this one ends."""
        if not store.lock_policy(tx, endpoint):
            self.policy(endpoint)

    def _look(self, release: Release) -> trial.Finding:
        policy = self.policy(release.endpoint)
        with self._store.read() as tx:
            now = tx.at
        if release.stage.name == "shadow":
            pairs = self._pairs(release, now=now, delay=policy.monitor.label_delay_days)
            return trial.judge_shadow(pairs, rules=policy.release, taken=walk.looks_of(release))
        champion, canary = (
            self._serving.predictions(
                release.endpoint,
                start=release.stage.started_at,
                end=now + 1,
                version=version,
                role=role,
                columns=CANARY_COLUMNS,
            )
            for version, role in _sides(release, beside="canary")
        )
        return trial.judge_canary(champion, canary, rules=policy.release)

    def _pairs(self, release: Release, *, now: int, delay: int) -> trial.Pairs:
        # A day counts once it is over and its labels have had their time: half of a day would be
        # judged as a whole one.
        end = (now // DAY_US - delay) * DAY_US
        champion, candidate = (
            self._serving.labelled(
                release.endpoint,
                start=release.stage.started_at,
                end=end,
                version=version,
                role=role,
                columns=PAIRED_COLUMNS,
            )
            for version, role in _sides(release, beside="shadow")
        )
        return trial.pair(champion, candidate)

    def _follow(
        self, tx: Transaction, release: Release, finding: trial.Finding, *, before: Release
    ) -> Release:
        if finding.passed is None:
            if walk.looks_of(release) != walk.looks_of(before):
                self._save(tx, release)
            return release
        if not finding.passed:
            state: State = "stopped" if finding.harmful else "refused"
            reason = finding.verdict
            ended = walk.ended(release, state, reason=reason, at=tx.at)
            return self._route(tx, ended, reason=f"{release.candidate} {state}: {reason}")
        share = self.policy(release.endpoint).release.canary_share
        if release.stage.name == "shadow" and share > 0:
            canary = walk.entered(release, "canary", at=tx.at)
            return self._route(tx, canary, reason=f"{release.candidate} in canary")
        return self._promote(tx, release)

    def _promote(self, tx: Transaction, release: Release) -> Release:
        model, _, number = release.candidate.rpartition("@")
        self._registry.set_alias(model, CHAMPION, int(number))
        live = walk.promoted(release, at=tx.at)
        return self._route(tx, live, reason=f"live: {release.why}")

    def _route(self, tx: Transaction, release: Release, *, reason: str) -> Release:
        share = self.policy(release.endpoint).release.canary_share
        self._serving.set_traffic(
            release.endpoint,
            walk.variants_of(release, canary_share=share),
            reason=reason,
            release_id=release.id,
        )
        return self._save(tx, release)

    def _save(self, tx: Transaction, release: Release) -> Release:
        store.put_release(tx, release)
        tx.emit(ReleaseMoved(release=release))
        return release

    def _new_labels(self, endpoint: str, *, since: int) -> int:
        batches = self._serving.label_batches(endpoint)
        return sum(b.rows for b in batches if b.state == "accepted" and b.at > since)


def _sides(release: Release, *, beside: Role) -> tuple[tuple[str, Role], tuple[str, Role]]:
    return (release.champion, "live"), (release.candidate, beside)


def _require_room(
    open_now: Release | None, candidate: str, *, champion: str, endpoint: str
) -> None:
    if open_now is not None:
        raise Conflict(
            f"{open_now.candidate} is in {open_now.state} on {endpoint}.",
            hint=f"Wait for it to end, or stop it: treadle endpoints stop {endpoint}",
        )
    if candidate == champion:
        raise Conflict(f"{candidate} serves {endpoint} already.", hint="Nothing needs to be done.")


def _replay(tx: Transaction, event: Event) -> None:
    if event.kind == ReleaseMoved.kind:
        store.put_release(tx, event.as_fact(ReleaseMoved).release)
    elif event.kind == PolicySet.kind:
        store.put_policy(tx, event.as_fact(PolicySet).policy, at=event.at)
    elif event.kind == RetrainDecided.kind:
        decided = event.as_fact(RetrainDecided)
        store.begin_retrain(tx, decided.endpoint, at=event.at, reason=decided.reason)
    elif event.kind == RetrainEnded.kind:
        store.end_retrain(tx, event.as_fact(RetrainEnded).endpoint)
