"""The verbs of exchange: bring in what other tools have kept, write what we keep for them."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, TypeVar

import msgspec

from treadle.exchange.dvc import arrival as dvc_arrival
from treadle.exchange.dvc import departure as dvc_departure
from treadle.exchange.dvc.caches import Caches
from treadle.exchange.dvc.history import Repository
from treadle.exchange.mlflow.arrival import Arrival
from treadle.exchange.mlflow.departure import Departure
from treadle.exchange.mlflow.entities import LeftOut
from treadle.exchange.mlflow.places import PlacedFiles
from treadle.exchange.mlflow.store import DatabaseSource
from treadle.exchange.mlflow.web import ServerFiles, ServerSource
from treadle.exchange.tensorboard import logs
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from treadle.data.service import Data
    from treadle.exchange.mlflow.entities import Report
    from treadle.exchange.mlflow.ports import Files, Source
    from treadle.kernel.paging import Page
    from treadle.registry.entities import Model
    from treadle.registry.service import Registry
    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.artifacts_paths import Place
    from treadle.tracking.entities import Experiment, LoggedModel, Run
    from treadle.tracking.service import Tracking

T = TypeVar("T")

PAGE = 500
PROMPTS = "tags.`mlflow.prompt.is_prompt` = 'true'"
WEB = ("http://", "https://")


class Exchange:
    """What comes in and what goes out. Each thing is a transaction; broken off, it goes on."""

    def __init__(
        self,
        *,
        tracking: Tracking,
        registry: Registry,
        artifacts: Artifacts,
        data: Data,
        home: Path,
    ) -> None:
        self._tracking = tracking
        self._registry = registry
        self._artifacts = artifacts
        self._data = data
        self._home = home

    def import_mlflow(
        self,
        store: str,
        *,
        artifacts: str = "",
        dry_run: bool = False,
        on_thing: Callable[[str, str], None] | None = None,
    ) -> Report:
        """Bring a whole MLflow store in: its database's URL, or the address of its server.

        `artifacts` is where the server kept the files it handed out itself: a folder or a URI such
        as `s3://bucket/path`. Ids, numbers and times stay as they were. What is here already is
        left as it is and completed, so that the same call goes on where one broke off.
        """
        source, files = _opened(store, artifacts)
        arrival = Arrival(
            source=source,
            files=files,
            tracking=self._tracking,
            registry=self._registry,
            artifacts=self._artifacts,
            on_thing=on_thing,
        )
        return arrival.count() if dry_run else arrival.bring()

    def export_mlflow(
        self, folder: Path, *, on_thing: Callable[[str, str], None] | None = None
    ) -> Report:
        """Write all experiments, runs, logged models and models as a folder that MLflow opens."""
        tell = on_thing or (lambda _kind, _name: None)
        written = Departure(folder)
        for experiment in self._experiments():
            tell("experiments", experiment.name)
            written.experiment(experiment)
            for run in self._runs(experiment):
                tell("runs", run.id)
                points = partial(self._tracking.history, run.id)
                files = self._files(self._artifacts.of_run(run.id))
                written.run(run, points=points, files=files)
            for model in self._logged_models(experiment):
                written.logged_model(model, files=self._files(self._artifacts.of_model(model.id)))
        for registered in self._models():
            tell("models", registered.name)
            written.model(registered)
            for version in self._registry.versions(registered.name):
                place = self._artifacts.of_version(version.id)
                written.version(version, files=self._files(place))
        return written.report()

    def import_dvc(
        self,
        repository: Path,
        *,
        prefix: str = "",
        dry_run: bool = False,
        on_thing: Callable[[str, str], None] | None = None,
    ) -> Report:
        """Bring the outputs of a DVC repository in, each with its history in Git.

        An output becomes the dataset of its path with dots for slashes, after `prefix`; a state of
        it a version with the commit's author, time, message and parents. Bytes come from the cache
        and the remotes, and are checked; what is in none is named. Done again, only what is new
        comes.
        """
        left: list[tuple[str, str]] = []
        arrival = dvc_arrival.Arrival(
            repository=Repository(repository, tell=lambda what, why: left.append((what, why))),
            caches=Caches(repository),
            data=self._data,
            memory=self._home / "imports" / "dvc",
            prefix=prefix,
            tell=on_thing or (lambda _kind, _name: None),
        )
        report = arrival.bring(dry_run=dry_run)
        more = tuple(LeftOut(what=what, why=why) for what, why in dict(left).items())
        return msgspec.structs.replace(report, left_out=(*report.left_out, *more))

    def export_dvc(
        self,
        ref: str,
        folder: Path,
        *,
        dry_run: bool = False,
        on_thing: Callable[[str, str], None] | None = None,
    ) -> dvc_departure.Written:
        """Write a version into a folder from which `dvc pull` works."""
        tell = on_thing or (lambda _kind, _name: None)
        departure = dvc_departure.Departure(folder, data=self._data, tell=tell, dry_run=dry_run)
        return departure.write(ref)

    def import_tensorboard(
        self,
        folder: Path,
        *,
        experiment: str = "Default",
        on_run: Callable[[logs.Brought], None] | None = None,
    ) -> tuple[logs.Brought, ...]:
        """Read TensorBoard's log folders, each as a run; read again, only what is new is added."""
        return logs.read_logs(self._tracking, folder, experiment=experiment, on_run=on_run)

    def export_tensorboard(self, run_id: str, folder: Path) -> Path:
        """Write a run as a log folder that TensorBoard opens; return its event file."""
        return logs.write_logs(self._tracking, run_id, folder)

    def _experiments(self) -> Iterator[Experiment]:
        self._tracking.default_experiment()
        return _all(partial(self._tracking.search_experiments, view="all"))

    def _runs(self, experiment: Experiment) -> Iterator[Run]:
        ids = [experiment.id]
        return _all(partial(self._tracking.search_runs, experiment_ids=ids, view="all"))

    def _logged_models(self, experiment: Experiment) -> Iterator[LoggedModel]:
        ids = [experiment.id]
        return _all(partial(self._tracking.search_logged_models, experiment_ids=ids))

    def _models(self) -> Iterator[Model]:
        yield from self._registry.models()
        yield from _all(partial(self._registry.search_models, where=PROMPTS))

    def _files(self, whole: Place) -> Iterator[tuple[str, Callable[[], BinaryIO]]]:
        for file in self._artifacts.files(whole):
            yield file.path, partial(self._artifacts.open, whole.below(file.path))


def _all(page_from: Callable[..., Page[T]]) -> Iterator[T]:
    """Yield every thing of a list, page by page."""
    offset: int | None = 0
    while offset is not None:
        page = page_from(limit=PAGE, offset=offset)
        yield from page.items
        offset = page.next_offset


def _opened(store: str, artifacts: str) -> tuple[Source, Files]:
    if store.startswith(WEB):
        if artifacts:
            return ServerSource(store), PlacedFiles(artifacts)
        return ServerSource(store), ServerFiles(store)
    if "://" not in store:
        raise InvalidInput(
            f"{store!r} is neither a database URL nor an address.",
            hint="Use sqlite:///mlflow.db, postgresql://… or http://127.0.0.1:5000. A folder of "
            "runs is served by: mlflow server --backend-store-uri FOLDER",
        )
    files = PlacedFiles(artifacts)
    return DatabaseSource(store), files
