"""The composition root: settings in, every noun's service out, wired once."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Self

from treadle.data.service import Data
from treadle.execution.service import Jobs
from treadle.governance.service import Governance
from treadle.kernel.clock import Clock, PlayedClock, SystemClock
from treadle.kernel.errors import Unavailable
from treadle.kernel.settings import Settings, load_settings
from treadle.monitoring.notifiers import LogNotifier, WebhookNotifier
from treadle.monitoring.service import Monitoring
from treadle.pipelines.service import Pipelines
from treadle.registry.service import Registry
from treadle.release.loop import Loop
from treadle.release.service import Releases
from treadle.serving.service import Serving
from treadle.storage.keys import Signer
from treadle.storage.log import EventLog
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects
from treadle.tracking.capture import capture_process
from treadle.tracking.service import Tracking
from treadle.tuning.service import Tuning

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from treadle.monitoring.ports import Notifier
    from treadle.storage.ports import MetadataStore, ObjectStore


class App:
    """Every service of one home, made when first asked for."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.home = settings.home

    @cached_property
    def clock(self) -> Clock:
        """The project's clock: the machine's, or the one a replay moves."""
        return PlayedClock(self.home / "clock") if self.replays else SystemClock()

    @property
    def replays(self) -> bool:
        """Whether this home replays the past."""
        return self.settings.clock == "played"

    @cached_property
    def store(self) -> MetadataStore:
        """Rows and events."""
        return open_metadata(self.settings.where_metadata(), clock=self.clock)

    @cached_property
    def objects(self) -> ObjectStore:
        """Bytes by digest."""
        return open_objects(self.settings.where_objects())

    @cached_property
    def signer(self) -> Signer:
        """The home's signing key."""
        return Signer(self.home / "keys", store=self.store)

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        return EventLog(self.store, signer=self.signer)

    @cached_property
    def jobs(self) -> Jobs:
        """The queue of work."""
        return Jobs(store=self.store)

    @cached_property
    def data(self) -> Data:
        """Datasets, versions, contracts."""
        return Data(
            store=self.store,
            objects=self.objects,
            code_commit=lambda: capture_process().tags.get("treadle.code.commit"),
        )

    @cached_property
    def tracking(self) -> Tracking:
        """Experiments and runs."""
        return Tracking(store=self.store, objects=self.objects)

    @cached_property
    def registry(self) -> Registry:
        """Models, versions, aliases."""
        return Registry(store=self.store, objects=self.objects, signer=self.signer)

    @cached_property
    def pipelines(self) -> Pipelines:
        """Cached graphs of steps."""
        return Pipelines(
            store=self.store,
            objects=self.objects,
            signer=self.signer,
            data=self.data,
            tracking=self.tracking,
        )

    @cached_property
    def tuning(self) -> Tuning:
        """Studies and trials."""
        return Tuning(store=self.store, tracking=self.tracking)

    @cached_property
    def serving(self) -> Serving:
        """Endpoints, traffic, predictions, labels."""
        return Serving(
            store=self.store,
            objects=self.objects,
            registry=self.registry,
            home=self.home,
            clock=self.clock,
        )

    @cached_property
    def monitoring(self) -> Monitoring:
        """Monitors, windows, alerts."""
        return Monitoring(
            store=self.store,
            objects=self.objects,
            serving=self.serving,
            data=self.data,
            notifiers=self._notifiers(),
        )

    @cached_property
    def governance(self) -> Governance:
        """Gates, lineage, time travel, audit."""
        return Governance(
            store=self.store,
            log=self.log,
            signer=self.signer,
            data=self.data,
            tracking=self.tracking,
            registry=self.registry,
            pipelines=self.pipelines,
            serving=self.serving,
        )

    @cached_property
    def releases(self) -> Releases:
        """Candidates on their way."""
        return Releases(
            store=self.store,
            registry=self.registry,
            serving=self.serving,
            monitoring=self.monitoring,
            governance=self.governance,
        )

    @cached_property
    def loop(self) -> Loop:
        """The loop of every endpoint."""
        return Loop(
            store=self.store,
            data=self.data,
            tracking=self.tracking,
            registry=self.registry,
            serving=self.serving,
            governance=self.governance,
            monitoring=self.monitoring,
            releases=self.releases,
        )

    def close(self) -> None:
        """Let go of every connection."""
        if "store" in self.__dict__:
            self.store.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _notifiers(self) -> tuple[Notifier, ...]:
        log = LogNotifier(self.home / "logs" / "alerts.jsonl")
        hosts = self.settings.webhook_hosts
        webhooks = (WebhookNotifier(u, allowed_hosts=hosts) for u in self.settings.webhooks)
        return (log, *webhooks)


def open_app(home: str | Path | None = None) -> App:
    """Open the home a user means; its folder is made on first use. Raises Unavailable."""
    settings = load_settings(home)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        if not os.access(settings.home, os.W_OK):
            raise PermissionError(13, "Permission denied")
    except OSError as error:
        raise Unavailable(
            f"Cannot write in {settings.home}: {error.strerror or error}.",
            hint="Choose another folder with --home or TREADLE_HOME.",
        ) from error
    return App(settings)
