"""The Python SDK: `connect` to a home and use every noun's verbs."""

from __future__ import annotations

import contextlib
from functools import cached_property
from typing import TYPE_CHECKING, Self

from treadle.app import App, open_app
from treadle.governance.report import write_report
from treadle.kernel.clock import PlayedClock
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from treadle.data.service import Data
    from treadle.governance.service import Governance
    from treadle.monitoring.service import Monitoring
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.release.loop import Loop
    from treadle.release.service import Releases
    from treadle.serving.service import Serving
    from treadle.storage.log import EventLog
    from treadle.tracking.entities import Artifact
    from treadle.tracking.service import Tracking
    from treadle.tuning.service import Tuning


class ActiveRun:
    """A run that is being logged to; made by `Client.run`."""

    def __init__(self, run_id: str, *, tracking: Tracking) -> None:
        self.id = run_id
        self._tracking = tracking

    def log(self, *, step: int = 0, **metrics: float) -> None:
        """Log metrics at a step: `run.log(loss=0.3, step=1)`."""
        self._tracking.log(self.id, metrics=metrics, step=step)

    def params(self, **values: object) -> None:
        """Log params; each can be written once."""
        self._tracking.log(self.id, params={k: str(v) for k, v in values.items()})

    def tags(self, **values: object) -> None:
        """Set tags."""
        self._tracking.log(self.id, tags={k: str(v) for k, v in values.items()})

    def artifact(self, path: str, data: bytes | Path) -> Artifact:
        """Keep a file with the run."""
        return self._tracking.log_artifact(self.id, path, data)


class Client:
    """A home and its nouns: `client.data.commit(…)`, `client.registry.load("late@champion")`."""

    def __init__(self, app: App) -> None:
        self._app = app
        self.home = app.home

    @property
    def app(self) -> App:
        """The composition beneath; for who serves its pages."""
        return self._app

    def now(self) -> int:
        """Return the present instant (µs) by the project's clock."""
        return self._app.clock.now()

    @cached_property
    def data(self) -> Data:
        """Datasets, versions, contracts."""
        return self._app.data

    @cached_property
    def tracking(self) -> Tracking:
        """Experiments and runs."""
        return self._app.tracking

    @cached_property
    def registry(self) -> Registry:
        """Models, versions, aliases."""
        return self._app.registry

    @cached_property
    def pipelines(self) -> Pipelines:
        """Cached graphs of steps."""
        return self._app.pipelines

    @cached_property
    def tuning(self) -> Tuning:
        """Studies and trials."""
        return self._app.tuning

    @cached_property
    def serving(self) -> Serving:
        """Endpoints, traffic, predictions, labels."""
        return self._app.serving

    @cached_property
    def monitoring(self) -> Monitoring:
        """Monitors, windows, alerts."""
        return self._app.monitoring

    @cached_property
    def governance(self) -> Governance:
        """Gates, lineage, time travel, audit."""
        return self._app.governance

    @cached_property
    def releases(self) -> Releases:
        """Candidates on their way."""
        return self._app.releases

    @cached_property
    def loop(self) -> Loop:
        """The loop of every endpoint."""
        return self._app.loop

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        return self._app.log

    @contextlib.contextmanager
    def run(
        self, name: str = "", *, experiment: str = "default", params: Mapping[str, object] = {}
    ) -> Iterator[ActiveRun]:
        """Track what the block does as a run; an error in it marks the run failed."""
        texts = {k: str(v) for k, v in params.items()}
        run = self.tracking.start_run(experiment=experiment, name=name, params=texts)
        try:
            yield ActiveRun(run.id, tracking=self.tracking)
        except BaseException as error:
            self.tracking.end_run(run.id, status="failed", error=f"{type(error).__name__}: {error}")
            raise
        self.tracking.end_run(run.id)

    def report(self, endpoint: str) -> str:
        """Return everything about an endpoint as one HTML document that opens offline."""
        return write_report(
            endpoint,
            at=self.now(),
            log=self.log,
            governance=self.governance,
            monitoring=self.monitoring,
            data=self.data,
        )

    def replay_to(self, instant: int) -> None:
        """Move the clock of a home that replays the past (`clock = "played"` in its settings)."""
        clock = self._app.clock
        if not isinstance(clock, PlayedClock):
            raise InvalidInput(
                f"{self.home} lives in the present.",
                hint='Only a home with clock = "played" in settings.toml can be moved.',
            )
        clock.set(instant)

    def close(self) -> None:
        """Let go of every connection."""
        self._app.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def connect(home: str | Path | None = None) -> Client:
    """Open a home: the given folder, else `TREADLE_HOME`, else `.treadle` here; made on first use.

    Metadata and objects may live elsewhere (`TREADLE_METADATA_URL`, `TREADLE_OBJECTS_URL`).
    """
    return Client(open_app(home))
