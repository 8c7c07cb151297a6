"""The verbs of pipelines: run one, look at its runs, read what its steps returned."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

from treadle.execution.heartbeat import beating
from treadle.execution.owners import BEAT_S, is_gone, this_process
from treadle.execution.targets import refuse_while_importing
from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Conflict, InvalidInput, NotFound, Refused, TreadleError
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of
from treadle.pipelines import store as sql
from treadle.pipelines.code import code_digest
from treadle.pipelines.entities import (
    Binding,
    FromDataset,
    FromStep,
    Named,
    PipelineRun,
    PipelineState,
    Several,
    StepRun,
)
from treadle.pipelines.facts import PipelineFinished, PipelineStarted
from treadle.pipelines.graph import Graph, wire
from treadle.pipelines.hands import Ended, JobHands, OwnHands
from treadle.pipelines.ledger import RunLedger
from treadle.pipelines.values import Values
from treadle.pipelines.walk import Plan, Walk, inputs_of, stored_output
from treadle.pipelines.work import target_of, value_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data
    from treadle.execution.ports import Executor
    from treadle.pipelines.definitions import Pipeline
    from treadle.storage.keys import Signer
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.tracking.service import Tracking

RUN_STATUS: dict[str, Literal["finished", "failed", "killed"]] = {
    "done": "finished",
    "failed": "failed",
    "killed": "killed",
}
SECOND_US = 1_000_000
VERSIONS_LOOKED_AT = 1000
AMBIGUOUS_SHOWN = 5


class StepFailed(TreadleError):
    """A step of a pipeline raised; `traceback` is its own, `pipeline_run` says how far it came."""

    code = "step_failed"

    def __init__(self, step: str, *, pipeline_run: PipelineRun, traceback: str) -> None:
        reason = traceback.strip().rpartition("\n")[2]
        super().__init__(
            f"Step {step!r} of pipeline {pipeline_run.name!r} failed: {reason}",
            hint="Mend it and run again: the steps before it come from the cache.",
            step=step,
            pipeline_run=pipeline_run.id,
            traceback=traceback,
        )
        self.pipeline_run = pipeline_run
        self.traceback = traceback


class Pipelines:
    """Runs pipelines and remembers what their steps returned."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        signer: Signer,
        data: Data,
        tracking: Tracking,
        machine: Clock | None = None,
    ) -> None:
        self._store = store
        self._values = Values(objects=objects, signer=signer, tables=data.rows)
        self._data = data
        self._tracking = tracking
        self._machine = machine or SystemClock()

    def run(
        self,
        pipeline: Pipeline[...],
        *,
        params: Mapping[str, Any] | None = None,
        executor: Executor | None = None,
        force: bool = False,
        on_step: Callable[[StepRun], None] | None = None,
    ) -> PipelineRun:
        """Run a pipeline and return its run; steps whose result is known are not executed.

        With an executor, steps are its jobs and independent ones go on at the same time; without,
        they are executed here. `force` executes every step. `on_step` is told of each step that is
        over. A dataset named without a version is the newest one that is not held in quarantine.
        Raises InvalidInput or NotFound, before anything runs, when the graph cannot be run, and
        StepFailed when a step raises.
        """
        refuse_while_importing()
        plan = self._plan(wire(pipeline, params or {}))
        if executor is not None:
            for node in plan.graph.nodes:
                target_of(node.step)
        self.end_abandoned()
        run = self._start(plan)
        values = self._values
        ledger = RunLedger(
            run, store=self._store, values=values, tracking=self._tracking, on_step=on_step
        )
        hands = JobHands(executor, values=values) if executor else OwnHands(values=values)
        walk = Walk(plan, run_id=run.run_id, ledger=ledger, hands=hands, force=force)
        try:
            with beating(lambda: self._beat(run.id), every_s=BEAT_S):
                walk.go()
        except BaseException as error:
            self._finish(run, state="killed", error=f"{type(error).__name__}: {error}".strip(": "))
            raise
        if walk.failed is not None:
            raise self._failed(run, walk.failed) from walk.failed.cause
        self._finish(run, state="done", error="")
        return self.pipeline_run(run.id)

    def value(self, pipeline_run: PipelineRun | str, step: str | None = None) -> Any:
        """Return what a pipeline run returned, or one of its steps (`features`, `split.train`).

        Where several values were returned together, they come as a tuple.
        """
        run = self._found(pipeline_run)
        if step is not None:
            return self._step_value(run, step)
        if run.result is None:
            raise InvalidInput(
                f"Pipeline {run.name!r} returned nothing.",
                hint=f"Ask for a step: {', '.join(s.step for s in run.steps)}.",
            )
        found = value_of(self._located(run, run.result), values=self._values)
        return tuple(found) if isinstance(run.result, Several) else found

    def pipeline_run(self, id_or_prefix: str) -> PipelineRun:
        """Return a run by its id or by the beginning of it. Raises NotFound."""
        with self._store.read() as tx:
            found = sql.find_run(tx, id_or_prefix)
            if found is not None:
                return found
            ids = sql.ids_from(tx, id_or_prefix, limit=AMBIGUOUS_SHOWN) if id_or_prefix else []
            found = sql.find_run(tx, ids[0]) if len(ids) == 1 else None
        if found is None:
            hint = f"Several begin like this: {', '.join(ids)}." if ids else ""
            raise NotFound("pipeline run", id_or_prefix, hint=hint)
        return found

    def pipeline_runs(
        self, *, name: str | None = None, limit: int = 100, offset: int = 0
    ) -> Page[PipelineRun]:
        """Return a page of runs with their steps, newest first, of one pipeline or of all."""
        with self._store.read() as tx:
            items, total = sql.list_runs(tx, name=name, limit=limit, offset=offset)
        return page_of(items, total=total, offset=offset)

    def of_run(self, run_id: str) -> PipelineRun | None:
        """Return the pipeline run whose tracking run this is, or None."""
        with self._store.read() as tx:
            return sql.find_by_run_id(tx, run_id)

    def end_abandoned(self) -> tuple[str, ...]:
        """Mark runs whose process has died as killed; return their ids."""
        with self._store.read() as tx:
            owners, now = sql.owners(tx), self._machine.now()
        gone = tuple(
            o.pipeline_run
            for o in owners
            if is_gone(o.owner, silent_s=(now - o.beat_at) / SECOND_US)
        )
        for identifier in gone:
            run = self.pipeline_run(identifier)
            self._finish(run, state="killed", error="The process that ran it has died.")
        return gone

    def _plan(self, graph: Graph) -> Plan:
        versions = {ref: self._usable(ref) for ref in graph.datasets}
        codes: dict[int, str] = {}
        for node in graph.nodes:
            if id(node.step) not in codes:
                codes[id(node.step)] = code_digest(node.step)
        by_name = {node.name: codes[id(node.step)] for node in graph.nodes}
        return Plan(graph=graph, versions=versions, codes=by_name)

    def _usable(self, ref: str) -> DatasetVersion:
        version = self._data.version(ref)
        if not self._data.is_quarantined(version.ref):
            return version
        if ref.partition("@")[2] in {"", "latest"}:
            for older in self._data.history(version.ref)[:VERSIONS_LOOKED_AT]:
                if not self._data.is_quarantined(older.ref):
                    return older
        raise Refused(
            f"{version.ref} is held in quarantine.",
            hint="Use an earlier version, or release it: client.data.release_quarantine(id).",
            dataset=version.ref,
        )

    def _start(self, plan: Plan) -> PipelineRun:
        graph, run_id = plan.graph, new_id()
        tracked = self._tracking.start_run(
            experiment=graph.name,
            name=f"pipeline {graph.name}",
            params={name: _text(value) for name, value in graph.params.items()},
            tags={"treadle.pipeline_run": run_id},
        )
        steps = tuple(
            StepRun(step=node.name, inputs=inputs_of(node, plan, outputs={}))
            for node in graph.nodes
        )
        with self._store.write() as tx:
            run = PipelineRun(
                id=run_id,
                name=graph.name,
                state="running",
                params=graph.params,
                run_id=tracked.id,
                steps=steps,
                result=None if graph.result is None else _fixed(graph.result, plan),
                started_at=tx.at,
            )
            sql.add_run(tx, run, owner=this_process(), beat_at=self._machine.now())
            for version in plan.versions.values():
                self._tracking.log_input(
                    tracked.id, kind="dataset", ref=version.ref, digest=version.digest
                )
            tx.emit(
                PipelineStarted(
                    pipeline=run.name,
                    pipeline_run=run.id,
                    run_id=run.run_id,
                    params=run.params,
                    steps=tuple(step.step for step in steps),
                    datasets=tuple(version.ref for version in plan.versions.values()),
                )
            )
        return run

    def _beat(self, identifier: str) -> None:
        with self._store.write() as tx:
            sql.beat(tx, identifier, at=self._machine.now())

    def _failed(self, run: PipelineRun, end: Ended) -> StepFailed:
        reason = end.error.strip().rpartition("\n")[2]
        self._finish(run, state="failed", error=f"Step {end.name!r} failed: {reason}")
        return StepFailed(end.name, pipeline_run=self.pipeline_run(run.id), traceback=end.error)

    def _finish(self, run: PipelineRun, *, state: PipelineState, error: str) -> None:
        with self._store.write() as tx:
            if not sql.end_run(tx, run.id, state=state, error=error):
                return
            sql.end_steps(tx, run.id, before="running", state="killed")
            sql.end_steps(tx, run.id, before="waiting", state="skipped")
            if self._tracking.run(run.run_id).status == "running":
                self._tracking.end_run(run.run_id, status=RUN_STATUS[state], error=error)
            tx.emit(
                PipelineFinished(pipeline=run.name, pipeline_run=run.id, state=state, error=error)
            )

    def _found(self, run: PipelineRun | str) -> PipelineRun:
        return run if isinstance(run, PipelineRun) else self.pipeline_run(run)

    def _step_value(self, run: PipelineRun, ref: str) -> Any:
        name, _, output = ref.partition(".")
        step = _step_of(run, name)
        if output and output not in {o.name for o in step.outputs}:
            raise NotFound(
                "result of a step", ref, known=[f"{name}.{o.name}" for o in step.outputs]
            )
        wanted = [o for o in step.outputs if not output or o.name == output]
        found = tuple(self._values.get(o) for o in wanted)
        return found[0] if len(found) == 1 else found

    def _located(self, run: PipelineRun, bound: Binding) -> Binding:
        match bound:
            case FromStep():
                return stored_output(_step_of(run, bound.step).outputs, bound)
            case Several(items=items):
                return Several(tuple(self._located(run, item) for item in items))
            case Named(items=named):
                return Named({key: self._located(run, item) for key, item in named.items()})
        return bound


def _step_of(run: PipelineRun, name: str) -> StepRun:
    for step in run.steps:
        if step.step == name:
            if step.state != "done":
                raise Conflict(
                    f"Step {name!r} of {run.name!r} returned nothing: it is {step.state}."
                )
            return step
    raise NotFound("step", name, known=[step.step for step in run.steps])


def _fixed(result: Binding, plan: Plan) -> Binding:
    """Return a result in which datasets are the versions of this run."""
    match result:
        case FromDataset():
            return plan.stored(result)
        case Several(items=items):
            return Several(tuple(_fixed(item, plan) for item in items))
        case Named(items=named):
            return Named({key: _fixed(item, plan) for key, item in named.items()})
    return result


def _text(value: Any) -> str:
    return value if isinstance(value, str) else canonical_json(value).decode()
