"""What happens in a run, written down: rows, facts, the tracking run, and the cache of results."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.pipelines import store as sql
from treadle.pipelines.facts import StepFinished
from treadle.pipelines.work import Performed

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.pipelines.entities import PipelineRun, StepRun
    from treadle.pipelines.values import Values
    from treadle.storage.ports import MetadataStore
    from treadle.tracking.service import Tracking


class RunLedger:
    """Writes what happens to the steps of one run; each call is one transaction."""

    def __init__(
        self,
        run: PipelineRun,
        *,
        store: MetadataStore,
        values: Values,
        tracking: Tracking,
        on_step: Callable[[StepRun], None] | None,
    ) -> None:
        self._run = run
        self._store = store
        self._values = values
        self._tracking = tracking
        self._on_step = on_step
        self._begun_at: dict[str, int] = {}

    def known(self, key: str) -> Performed | None:
        """Return what a step with this key returned before, if all of it is still there."""
        with self._store.read() as tx:
            found = sql.cached(tx, key)
        if found is None or not all(self._values.has(output) for output in found.outputs):
            return None
        return Performed(outputs=found.outputs, seconds=found.seconds)

    def begun(self, step: StepRun) -> None:
        """Note that a step is being executed."""
        with self._store.write() as tx:
            self._begun_at[step.step] = tx.at
            sql.update_step(tx, self._run.id, msgspec.structs.replace(step, started_at=tx.at))

    def over(self, step: StepRun) -> None:
        """Note what became of a step."""
        with self._store.write() as tx:
            started_at = self._begun_at.get(step.step, tx.at)
            step = msgspec.structs.replace(step, started_at=started_at, ended_at=tx.at)
            sql.update_step(tx, self._run.id, step)
            if step.state == "done" and not step.cached:
                found = sql.Cached(step.outputs, step.seconds)
                sql.keep(tx, step.key, found, pipeline_run=self._run.id)
            self._track(step)
            tx.emit(
                StepFinished(
                    pipeline=self._run.name,
                    pipeline_run=self._run.id,
                    step=step.step,
                    state=step.state,
                    key=step.key,
                    cached=step.cached,
                    inputs=step.inputs,
                    outputs=step.outputs,
                    seconds=step.seconds,
                    error=step.error.strip().rpartition("\n")[2],
                )
            )
        if self._on_step is not None:
            self._on_step(step)

    def _track(self, step: StepRun) -> None:
        tags: dict[str, str] = {f"step.{step.step}": "cached" if step.cached else step.state}
        for output in step.outputs:
            name = f"{step.step}.{output.name}" if output.name else step.step
            tags[f"output.{name}"] = f"{output.kind}:{output.digest}"
        executed = step.state == "done" and not step.cached
        metrics = {f"seconds.{step.step}": step.seconds} if executed else {}
        self._tracking.log(self._run.run_id, metrics=metrics, tags=tags)
