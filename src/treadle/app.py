"""The composition root: settings in, every noun's service out, wired once.

A noun is imported when it is first asked for: a command that needs one does not wait for all.
"""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec

from treadle.kernel.clock import Clock, PlayedClock, SystemClock
from treadle.kernel.errors import NotFound, Unavailable
from treadle.kernel.settings import DATABASE, TENANTS, Settings, is_tenant_name, load_settings
from treadle.storage.metadata import open_metadata
from treadle.storage.owners import owners_of
from treadle.storage.stores import drafts_of, open_objects

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path
    from types import TracebackType

    from treadle.data.branches.entities import Need
    from treadle.data.history.descent import Descent
    from treadle.data.remotes.service import Remotes
    from treadle.data.remotes.upkeep import RemoteUpkeep
    from treadle.data.service import Data
    from treadle.data.trees.service import Trees
    from treadle.evaluation.service import Evaluation
    from treadle.exchange.service import Exchange
    from treadle.execution.service import Jobs
    from treadle.governance.service import Governance
    from treadle.monitoring.ports import Notifier
    from treadle.monitoring.service import Monitoring
    from treadle.monitoring.webhooks.service import Webhooks
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.release.loop import Loop
    from treadle.release.service import Releases
    from treadle.serving.service import Serving
    from treadle.storage.keys import Signer
    from treadle.storage.log import EventLog
    from treadle.storage.owners import Owners
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction
    from treadle.tracing.service import Tracing
    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.entities import Cleaned
    from treadle.tracking.facets import Facets
    from treadle.tracking.service import Tracking
    from treadle.tracking.views import Views
    from treadle.tuning.service import Tuning

_OfData = TypeVar("_OfData", bound="Trees")


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
        settings = self.settings
        return open_objects(
            settings.where_objects(), key=settings.objects_key, before_put=self.owners.mark
        )

    @cached_property
    def owners(self) -> Owners:
        """Whose objects lie where this home keeps its own."""
        return owners_of(self.settings, store=self.store)

    @cached_property
    def signer(self) -> Signer:
        """The home's signing key."""
        from treadle.storage.keys import Signer  # only who asks pays

        return Signer(self.home / "keys", store=self.store)

    @cached_property
    def log(self) -> EventLog:
        """The event log."""
        from treadle.storage.log import EventLog  # only who asks pays

        return EventLog(self.store, signer=self.signer)

    @cached_property
    def jobs(self) -> Jobs:
        """The queue of work."""
        from treadle.execution.service import Jobs  # only who asks pays

        return Jobs(store=self.store)

    @cached_property
    def data(self) -> Data:
        """Datasets, versions, contracts."""
        from treadle.data.service import Data  # only who asks pays

        return self._of_data(Data)

    @cached_property
    def trees(self) -> Trees:
        """Of datasets the versions that are files: for who needs no more of `data`, and no rows."""
        from treadle.data.trees.service import Trees  # only who asks pays

        return self._of_data(Trees)

    @cached_property
    def descent(self) -> Descent:
        """Of datasets their log, branches and tags: for who needs no more of `data`."""
        from treadle.data.history.descent import Descent  # only who asks pays

        return self._of_data(Descent)

    @cached_property
    def remotes(self) -> Remotes:
        """Of datasets what shares their versions: for who needs no more of `data`."""
        from treadle.data.remotes.service import Remotes  # only who asks pays

        return self._of_data(Remotes)

    @cached_property
    def remote_upkeep(self) -> RemoteUpkeep:
        """Of datasets what takes their versions out of remotes: for who needs no more of `data`."""
        from treadle.data.remotes.upkeep import RemoteUpkeep  # only who asks pays

        return self._of_data(RemoteUpkeep)

    @cached_property
    def tracking(self) -> Tracking:
        """Experiments and runs."""
        from treadle.tracking.service import Tracking  # only who asks pays

        return Tracking(
            store=self.store,
            objects=self.objects,
            also_clean=_also_clean,
            gone_after_s=self.settings.gone_after_s,
        )

    @cached_property
    def tracing(self) -> Tracing:
        """Traces of calls, and what is said about them."""
        from treadle.tracing.service import Tracing  # only who asks pays

        return Tracing(store=self.store, tracking=self.tracking)

    @cached_property
    def evaluation(self) -> Evaluation:
        """Evaluation datasets and their records."""
        from treadle.evaluation.service import Evaluation  # only who asks pays

        return Evaluation(
            store=self.store,
            tracking=self.tracking,
            commit=lambda name, table, message: self.data.commit(name, table, message=message),
        )

    @cached_property
    def artifacts(self) -> Artifacts:
        """Files of runs, logged models and model versions."""
        from treadle.tracking.artifacts import Artifacts  # only who asks pays

        return Artifacts(
            store=self.store,
            objects=self.objects,
            drafts=drafts_of(self.objects),
            version_files=lambda version_id: self.registry.version_by_id(version_id).files,
        )

    @cached_property
    def facets(self) -> Facets:
        """Counts of runs by what they have."""
        from treadle.tracking.facets import Facets  # only who asks pays

        return Facets(store=self.store)

    @cached_property
    def views(self) -> Views:
        """Saved views of the pages."""
        from treadle.tracking.views import Views  # only who asks pays

        return Views(store=self.store)

    @cached_property
    def registry(self) -> Registry:
        """Models, versions, aliases."""
        from treadle.registry.service import Registry  # only who asks pays
        from treadle.registry.shelf import TrackingShelf  # only who asks pays

        return Registry(
            store=self.store,
            objects=self.objects,
            signer=self.signer,
            shelf=TrackingShelf(self.tracking, artifacts=lambda: self.artifacts),
            guard=self._needed_by,
        )

    @cached_property
    def exchange(self) -> Exchange:
        """What comes from other tools and goes to them."""
        from treadle.exchange.service import Exchange  # only who asks pays

        return Exchange(
            tracking=self.tracking,
            registry=self.registry,
            artifacts=self.artifacts,
            data=self.data,
            home=self.home,
        )

    @cached_property
    def pipelines(self) -> Pipelines:
        """Cached graphs of steps."""
        from treadle.pipelines.service import Pipelines  # only who asks pays

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
        from treadle.tuning.service import Tuning  # only who asks pays

        return Tuning(store=self.store, tracking=self.tracking)

    @cached_property
    def serving(self) -> Serving:
        """Endpoints, traffic, predictions, labels."""
        from treadle.serving.service import Serving  # only who asks pays

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
        from treadle.monitoring.service import Monitoring  # only who asks pays

        return Monitoring(
            store=self.store,
            objects=self.objects,
            serving=self.serving,
            data=self.data,
            notifiers=self._notifiers(),
        )

    @cached_property
    def webhooks(self) -> Webhooks:
        """Addresses told of the registry."""
        from treadle.monitoring.webhooks.service import Webhooks  # only who asks pays

        return Webhooks(store=self.store, signer=self.signer, hosts=self.settings.webhook_hosts)

    @cached_property
    def governance(self) -> Governance:
        """Gates, lineage, time travel, audit."""
        from treadle.governance.service import Governance  # only who asks pays

        return Governance(
            store=self.store,
            log=self.log,
            signer=self.signer,
            data=self.data,
            tracking=self.tracking,
            registry=self.registry,
            pipelines=self.pipelines,
            serving=self.serving,
            evaluation=self.evaluation,
        )

    @cached_property
    def releases(self) -> Releases:
        """Candidates on their way."""
        from treadle.release.service import Releases  # only who asks pays

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
        from treadle.release.loop import Loop  # only who asks pays

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

    def tenant(self, name: str, *, may_make: bool = True) -> App:
        """Open a tenant: a home of its own below this one, made at its first use if allowed.

        Its rows are in a database file of its own, or in a schema `tenant_NAME` of PostgreSQL.
        Raises InvalidInput for a name that cannot be one, NotFound where new ones are not allowed.
        """
        settings = self.settings.of_tenant(name)
        may_make = may_make and self.settings.tenants == "open"
        if not may_make and not settings.home.is_dir():
            raise NotFound("tenant", name, hint="It may not be made here: see setting `tenants`.")
        settings.home.mkdir(parents=True, exist_ok=True)
        if self.settings.metadata_url.startswith("postgresql"):
            from treadle.storage.schemas import schema_url  # only who has tenants pays

            url = schema_url(self.settings.metadata_url, _schema_of(name))
            settings = msgspec.structs.replace(settings, metadata_url=url)
        return App(settings)

    def tenants(self) -> dict[str, Hashable]:
        """Return every tenant of this machine with a mark: where that differs, look again.

        A mark of None tells nothing.
        """
        from treadle.storage.marks import mark_of_file, marks_of_schemas  # only who asks pays

        folder = self.home / TENANTS
        names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
        homes = {name: folder / name for name in names if is_tenant_name(name)}
        if not self.settings.metadata_url.startswith("postgresql"):
            return {name: mark_of_file(home / DATABASE) for name, home in homes.items()}
        schemas = {_schema_of(name): name for name in homes}
        with self.store.read() as tx:
            marks = marks_of_schemas(tx, list(schemas))
        return {schemas[schema]: mark for schema, mark in marks.items()}

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

    def _of_data(self, part: type[_OfData]) -> _OfData:
        return part(
            store=self.store,
            objects=self.objects,
            home=self.home,
            code_commit=_code_commit,
            needed_by=self._data_needed_by,
            open_objects=lambda url: open_objects(url, key=self.settings.objects_key),
            owners=self.owners,
        )

    def _needed_by(self, model: str, number: int | None) -> str:
        """Say what still needs a model version, or any version of a model."""
        for endpoint in self.serving.endpoints():
            served = [v.version for v in endpoint.variants]
            needed = endpoint.model == model if number is None else f"{model}@{number}" in served
            if needed:
                return f"endpoint {endpoint.name!r} answers with it"
        return ""

    def _data_needed_by(self, refs: Sequence[str]) -> list[Need]:
        """Say what still needs dataset versions."""
        from treadle.governance.needs import needs_of  # only who removes pays

        return needs_of(
            refs,
            tracking=self.tracking,
            registry=self.registry,
            serving=self.serving,
            evaluation=self.evaluation,
        )

    def _notifiers(self) -> tuple[Notifier, ...]:
        # Only who asks pays.
        from treadle.monitoring.notifiers import LogNotifier, WebhookNotifier

        log = LogNotifier(self.home / "logs" / "alerts.jsonl")
        hosts = self.settings.webhook_hosts
        webhooks = (WebhookNotifier(u, allowed_hosts=hosts) for u in self.settings.webhooks)
        return (log, *webhooks)


def _also_clean(tx: Transaction, cleaned: Cleaned) -> None:
    """Let what is removed for good go from the nouns above tracking, too."""
    from treadle.evaluation.cleaning import forget as take_off_lists  # only who cleans pays
    from treadle.tracing.service.cleaning import forget as forget_traces  # only who cleans pays

    forget_traces(tx, cleaned)
    take_off_lists(tx, cleaned)


def _code_commit() -> str | None:
    from treadle.tracking.capture import code_commit  # only who commits pays

    return code_commit()


def _schema_of(tenant: str) -> str:
    return f"tenant_{tenant}"


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
