"""Runs kept by a home in this process."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from treadle.app import App
from treadle.client.ports import NOTHING, Started, UsedDataset
from treadle.tracking.processes import this_process
from treadle.tracking.surroundings import user

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pyarrow as pa

    from treadle.client.ports import Draft, Point
    from treadle.registry.entities import ModelVersion
    from treadle.tracking.entities import Artifact, EndStatus, MetricPoint, Run
    from treadle.tracking.service import Tracking


class LocalRuns:
    """A place for runs that calls the services of a home. A forked child opens the home anew."""

    batch_limit = 10_000

    def __init__(self, app: App) -> None:
        self._opened = app
        self._process = os.getpid()
        self._inherited: list[App] = []
        self.name = str(app.home)
        self.spool = app.home / "unsent"

    def start(self, draft: Draft) -> Started:
        """Start a run, or take up one that is there."""
        if draft.id:
            return self._resumed(draft)
        run = self._tracking.start_run(
            experiment=draft.experiment,
            name=draft.name,
            parent_id=draft.parent_id,
            params=draft.params,
            tags=draft.tags,
            user_id=user(),
            process=this_process(),
        )
        return Started(id=run.id, experiment=run.experiment)

    def send(
        self,
        run_id: str,
        points: Sequence[Point] = (),
        *,
        params: Mapping[str, str] = NOTHING,
        tags: Mapping[str, str] = NOTHING,
    ) -> None:
        """Store points, params and tags in one transaction."""
        self._tracking.log_batch(run_id, points=points, params=params, tags=tags)

    def keep(self, run_id: str, path: str, *, data: bytes | Path) -> Artifact:
        """Store bytes or a file as an artifact."""
        return self._tracking.log_artifact(run_id, path, data)

    def use(self, run_id: str, used: str | UsedDataset, *, context: str) -> UsedDataset:
        """Tie data to a run."""
        if isinstance(used, str):
            version = self._app.data.version(used)
            used = UsedDataset(
                name=version.dataset, digest=version.digest, ref=version.ref, context=context
            )
        self._tracking.log_input(
            run_id, kind="dataset", ref=used.ref or used.name, digest=used.digest, context=context
        )
        return used

    def register(
        self, run_id: str, name: str, *, model: object, example: pa.Table, description: str
    ) -> ModelVersion:
        """Register a model; its files become artifacts of the run."""
        version = self._app.registry.register(
            name, model, run_id=run_id, example=example, description=description
        )
        for file in version.files:
            with self._app.objects.open(file.digest) as stream:
                self.keep(run_id, f"models/{name}/{file.path}", data=stream.read())
        return version

    def end(self, run_id: str, *, status: EndStatus, error: str) -> None:
        """Say how a run ended."""
        self._tracking.end_run(run_id, status=status, error=error)

    def search(
        self, *, where: str, order_by: str, experiment: str | None, limit: int
    ) -> tuple[Run, ...]:
        """Return runs that match, in order."""
        self._tracking.fail_gone()
        found = self._tracking.search_runs(
            experiment=experiment, where=where, order_by=order_by, limit=limit
        )
        return found.items

    def run(self, run_id: str) -> Run:
        """Return a run with all it logged."""
        self._tracking.fail_gone()
        return self._tracking.run(run_id)

    def history(self, run_id: str, key: str) -> tuple[MetricPoint, ...]:
        """Return the points of a metric by step and instant."""
        return self._tracking.history(run_id, key)

    def now(self) -> int:
        """Return the present instant by the home's clock."""
        return self._opened.clock.now()

    def close(self) -> None:
        """Let go of every connection."""
        self._opened.close()

    @property
    def _app(self) -> App:
        if os.getpid() != self._process:
            # A connection to SQLite must not cross a fork, not even to be closed: it is kept.
            self._inherited.append(self._opened)
            self._opened, self._process = App(self._opened.settings), os.getpid()
        return self._opened

    @property
    def _tracking(self) -> Tracking:
        return self._app.tracking

    def _resumed(self, draft: Draft) -> Started:
        run = self._tracking.run(draft.id)
        self._tracking.update_run(run.id, status="running")
        self._tracking.watch_run(run.id, process=this_process())
        self.send(run.id, params=draft.params, tags=draft.tags)
        steps = {point.key: point.step for point in run.latest}
        return Started(id=run.id, experiment=run.experiment, steps=steps)
