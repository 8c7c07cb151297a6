"""The Python SDK: `connect` to a home and use every noun's verbs."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from treadle.app import App, open_app
from treadle.client.datasets import DatasetHandle, VersionHandle
from treadle.client.local import LocalRuns
from treadle.client.runs import ActiveRun, UnsentWarning
from treadle.client.tracker import RunList, Tracker
from treadle.kernel.clock import PlayedClock
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.service import Data
    from treadle.evaluation.service import Evaluation
    from treadle.exchange.service import Exchange
    from treadle.governance.service import Governance
    from treadle.monitoring.service import Monitoring
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.release.loop import Loop
    from treadle.release.service import Releases
    from treadle.serving.service import Serving
    from treadle.storage.log import EventLog
    from treadle.tracing.service import Tracing
    from treadle.tracking.service import Tracking
    from treadle.tuning.service import Tuning

__all__ = [
    "ActiveRun",
    "Client",
    "DatasetHandle",
    "RemoteClient",
    "RunList",
    "UnsentWarning",
    "VersionHandle",
    "connect",
]


class Client(Tracker):
    """A home and its nouns: `client.data.commit(…)`, `client.registry.load("late@champion")`."""

    def __init__(self, app: App) -> None:
        super().__init__(LocalRuns(app))
        self._app = app

    @property
    def app(self) -> App:
        """The composition beneath; for who serves its pages."""
        return self._app

    @property
    def home(self) -> Path:
        """The folder of the state."""
        return self.app.home

    def now(self) -> int:
        """Return the present instant (µs) by the project's clock."""
        return self._place.now()

    @cached_property
    def data(self) -> Data:
        """Datasets, versions, contracts."""
        return self.app.data

    def dataset(self, name: str) -> DatasetHandle:
        """Return a dataset by its name, also one that has no version yet."""
        return DatasetHandle(name, data=self.data)

    @cached_property
    def tracking(self) -> Tracking:
        """Experiments and runs."""
        return self.app.tracking

    @cached_property
    def tracing(self) -> Tracing:
        """Traces of calls, and what is said about them."""
        return self.app.tracing

    @cached_property
    def evaluation(self) -> Evaluation:
        """Evaluation datasets and their records."""
        return self.app.evaluation

    @cached_property
    def registry(self) -> Registry:
        """Models, versions, aliases."""
        return self.app.registry

    @cached_property
    def exchange(self) -> Exchange:
        """What comes from other tools and goes to them."""
        return self.app.exchange

    @cached_property
    def pipelines(self) -> Pipelines:
        """Cached graphs of steps."""
        return self.app.pipelines

    @cached_property
    def tuning(self) -> Tuning:
        """Studies and trials."""
        return self.app.tuning

    @cached_property
    def serving(self) -> Serving:
        """Endpoints, traffic, predictions, labels."""
        return self.app.serving

    @cached_property
    def monitoring(self) -> Monitoring:
        """Monitors, windows, alerts."""
        return self.app.monitoring

    @cached_property
    def governance(self) -> Governance:
        """Gates, lineage, time travel, audit."""
        return self.app.governance

    @cached_property
    def releases(self) -> Releases:
        """Candidates on their way."""
        return self.app.releases

    @cached_property
    def loop(self) -> Loop:
        """The loop of every endpoint."""
        return self.app.loop

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        return self.app.log

    def report(self, endpoint: str) -> str:
        """Return everything about an endpoint as one HTML document that opens offline."""
        from treadle.governance.report import write_report  # it brings the templates

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
        clock = self.app.clock
        if not isinstance(clock, PlayedClock):
            raise InvalidInput(
                f"{self.home} lives in the present.",
                hint='Only a home with clock = "played" in settings.toml can be moved.',
            )
        clock.set(instant)


class RemoteClient(Client):
    """A client of a server: it tracks runs there. The other nouns are used where the home is."""

    def __init__(self, url: str) -> None:
        from treadle.client.remote import RemoteRuns  # who is at home does without
        from treadle.client.wire import Wire  # who is at home does without

        Tracker.__init__(self, RemoteRuns(Wire(url)))
        self.url = url

    @property
    def app(self) -> App:
        """Nothing of a home is here: raises InvalidInput."""
        raise InvalidInput(
            f"{self.url} is a server; a client of it only tracks runs.",
            hint="For everything else open the home itself: treadle.connect(FOLDER).",
        )


def connect(home: str | Path | None = None) -> Client:
    """Open a home: the given folder, else `TREADLE_HOME`, else `.treadle` here; made on first use.

    Metadata and objects may live elsewhere (`TREADLE_METADATA_URL`, `TREADLE_OBJECTS_URL`). The
    URL of a server (`http://…`) gives a client that tracks runs there.
    """
    if isinstance(home, str) and home.startswith(("http://", "https://")):
        return RemoteClient(home)
    return Client(open_app(home))
