"""Bring a whole MLflow store in: each thing in a transaction of its own, ids as they were."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from treadle.exchange.mlflow.entities import LeftOut, Report
from treadle.kernel.errors import NotFound, TreadleError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.exchange.mlflow.entities import (
        TheirLoggedModel,
        TheirModel,
        TheirRun,
        TheirVersion,
    )
    from treadle.exchange.mlflow.ports import Files, Source
    from treadle.registry.service import Registry
    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.artifacts_paths import Place
    from treadle.tracking.entities import Experiment, MetricPoint
    from treadle.tracking.service import Tracking

POINTS_AT_ONCE = 10_000
LEFT_OUT_SHOWN = 1_000


class Arrival:
    """One pass over a source. What is here already is left as it is and completed."""

    def __init__(
        self,
        *,
        source: Source,
        files: Files,
        tracking: Tracking,
        registry: Registry,
        artifacts: Artifacts,
        on_thing: Callable[[str, str], None] | None = None,
    ) -> None:
        self._source = source
        self._files = files
        self._tracking = tracking
        self._registry = registry
        self._artifacts = artifacts
        self._tell = on_thing or (lambda _kind, _name: None)
        self._came: Counter[str] = Counter()
        self._known: Counter[str] = Counter()
        self._left_out: list[LeftOut] = []
        # Where the files of runs and logged models were, for versions that name such a place.
        self._homes: dict[str, str] = {}

    def count(self) -> Report:
        """Say what there is to bring, and bring nothing."""
        for theirs in self._source.experiments():
            self._came["experiments"] += 1
            self._came["runs"] += sum(1 for _ in self._source.runs(theirs.id))
            self._came["logged models"] += sum(1 for _ in self._source.logged_models(theirs.id))
        for _model, versions in self._source.registry():
            self._came["models"] += 1
            self._came["model versions"] += len(versions)
        return self._report()

    def bring(self) -> Report:
        """Bring everything; what cannot come is reported with its reason and stops nothing else."""
        for theirs in self._source.experiments():
            with self._reported(f"experiment {theirs.name}"):
                self._experiment(theirs)
        for model, versions in self._source.registry():
            with self._reported(f"model {model.name}"):
                self._model(model, versions)
        return self._report()

    def _experiment(self, theirs: Experiment) -> None:
        ours, is_new = self._tracking.bring_experiment(theirs)
        self._count("experiments", theirs.name, is_new=is_new)
        for logged in self._source.logged_models(theirs.id):
            with self._reported(f"logged model {logged.model.id}"):
                self._logged_model(logged, experiment=ours)
        for run in self._source.runs(theirs.id):
            with self._reported(f"run {run.run.id}"):
                self._run(run, experiment=ours)

    def _run(self, theirs: TheirRun, *, experiment: Experiment) -> None:
        run = replace(theirs.run, experiment=experiment.name, experiment_id=experiment.id)
        is_new = self._tracking.bring_run(run)
        self._count("runs", run.id, is_new=is_new)
        for points in _batches(self._source.points(theirs)):
            # Of a run that is here some may be missing; those that are not are stored once.
            self._tracking.log_points(run.id, points)
            (self._came if is_new else self._known)["metric points"] += len(points)
        self._homes[theirs.artifact_uri] = f"runs:/{run.id}"
        self._bring_files(theirs.artifact_uri, self._artifacts.of_run(run.id))

    def _logged_model(self, theirs: TheirLoggedModel, *, experiment: Experiment) -> None:
        model = replace(theirs.model, experiment_id=experiment.id)
        self._count("logged models", model.id, is_new=self._tracking.bring_logged_model(model))
        self._homes[theirs.artifact_uri] = f"models:/{model.id}"
        self._bring_files(theirs.artifact_uri, self._artifacts.of_model(model.id))

    def _bring_files(self, uri: str, place: Place) -> None:
        here = {file.path for file in self._artifacts.files(place)}
        with self._reported(f"files of {place.owner}"):
            for path in self._files.listed(uri):
                if path in here:
                    self._known["files"] += 1
                    continue
                with (
                    self._reported(f"file {path} of {place.owner}"),
                    self._files.open(uri, path) as stream,
                ):
                    self._artifacts.put(place.below(path), stream)
                    self._came["files"] += 1

    def _model(self, theirs: TheirModel, versions: tuple[TheirVersion, ...]) -> None:
        try:
            self._registry.model(theirs.name)
            self._count("models", theirs.name, is_new=False)
        except NotFound:
            self._registry.create_model(
                theirs.name, description=theirs.description, tags=theirs.tags
            )
            self._count("models", theirs.name, is_new=True)
        here = {version.number for version in self._registry.versions(theirs.name)}
        for version in versions:
            with self._reported(f"model version {theirs.name}@{version.number}"):
                if version.number in here:
                    self._count("model versions", theirs.name, is_new=False)
                else:
                    self._version(version)
        aliases = self._registry.aliases(theirs.name)
        for alias, number in theirs.aliases.items():
            if alias not in aliases:
                with self._reported(f"alias {alias} of {theirs.name}"):
                    self._registry.set_alias(theirs.name, alias, number)
                    self._came["aliases"] += 1

    def _version(self, theirs: TheirVersion) -> None:
        source = self._source_of(theirs)
        logged = source.partition("/")[2] if source.startswith("models:/m-") else None
        self._registry.create_version(
            theirs.model,
            number=theirs.number,
            source=source,
            run_id=theirs.run_id or None,
            logged_model_id=logged,
            run_link=theirs.run_link,
            description=theirs.description,
            tags=theirs.tags,
        )
        if theirs.stage:
            self._registry.move_stage(theirs.model, theirs.number, theirs.stage)
        self._count("model versions", theirs.model, is_new=True)

    def _source_of(self, theirs: TheirVersion) -> str:
        """Return where the files of a version lie now, if they came with a run or logged model."""
        for place in (theirs.files_at, theirs.source):
            for home, now in self._homes.items():
                if home and (place == home or place.startswith(f"{home}/")):
                    return now + place[len(home) :]
        return theirs.source

    def _count(self, kind: str, name: str, *, is_new: bool) -> None:
        (self._came if is_new else self._known)[kind] += 1
        self._tell(kind, name)

    @contextlib.contextmanager
    def _reported(self, what: str) -> Iterator[None]:
        try:
            yield
        except TreadleError as error:
            if len(self._left_out) < LEFT_OUT_SHOWN:
                self._left_out.append(LeftOut(what=what, why=error.message))

    def _report(self) -> Report:
        return Report(
            came={kind: count for kind, count in self._came.items() if count},
            known=dict(self._known),
            left_out=(*self._source.staying(), *self._left_out),
        )


def _batches(points: Iterator[MetricPoint]) -> Iterator[list[MetricPoint]]:
    batch: list[MetricPoint] = []
    for point in points:
        batch.append(point)
        if len(batch) == POINTS_AT_ONCE:
            yield batch
            batch = []
    if batch:
        yield batch
