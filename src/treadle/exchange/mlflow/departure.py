"""What we keep, as a folder that MLflow opens as its own (`mlruns`).

The folder is the oldest of MLflow's stores and the one that needs no database of a certain version:
`MLFLOW_ALLOW_FILE_STORE=true mlflow server --backend-store-uri FOLDER` serves it and `mlflow
migrate-filestore` moves it into a database. Its meta files are YAML, of which JSON is a part.
"""

from __future__ import annotations

import shutil
from collections import Counter
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.exchange.mlflow.entities import LeftOut, Report
from treadle.kernel.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from treadle.registry.entities import Model, ModelVersion
    from treadle.tracking.entities import (
        Experiment,
        LoggedDataset,
        LoggedModel,
        MetricPoint,
        Run,
    )

    Files = Iterable[tuple[str, Callable[[], BinaryIO]]]

MS = 1000
RUN_STATUS = {"running": 1, "scheduled": 2, "finished": 3, "failed": 4, "killed": 5}
MODEL_STATUS = {"pending": 1, "ready": 2, "failed": 3}
RUN_PARTS = ("artifacts", "metrics", "params", "tags")
STAGES = {"none": "None", "staging": "Staging", "production": "Production", "archived": "Archived"}


class Departure:
    """Writes into a new folder; what MLflow's folder cannot hold is left out and reported."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self._came: Counter[str] = Counter()
        self._left_out: list[LeftOut] = []
        self._places: dict[str, Path] = {}
        if self.folder.exists() and any(self.folder.iterdir()):
            raise Conflict(f"{self.folder} is not empty.", hint="Name a folder that is not there.")
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InvalidInput(f"Cannot make {self.folder}: {error.strerror or error}.") from error

    def experiment(self, found: Experiment) -> None:
        """Write an experiment."""
        # What is deleted lies in the trash there, with all it holds.
        gone = found.lifecycle_stage == "deleted"
        place = self.folder / ".trash" / found.id if gone else self.folder / found.id
        self._places[found.id] = place
        meta: dict[str, Any] = {
            "artifact_location": place.as_uri(),
            "creation_time": found.created_at // MS,
            "experiment_id": found.id,
            "last_update_time": found.updated_at // MS,
            "lifecycle_stage": found.lifecycle_stage,
            "name": found.name,
        }
        _write_meta(place, meta)
        self._texts(place / "tags", found.tags, what=f"experiment {found.name}")
        self._came["experiments"] += 1

    def run(
        self, run: Run, *, points: Callable[[str], Iterable[MetricPoint]], files: Files
    ) -> None:
        """Write a run with its points and files."""
        place = self._places[run.experiment_id] / run.id
        for part in RUN_PARTS:  # without them MLflow takes the folder for no run
            (place / part).mkdir(parents=True, exist_ok=True)
        meta: dict[str, Any] = {
            "artifact_uri": (place / "artifacts").as_uri(),
            "end_time": None if run.ended_at is None else run.ended_at // MS,
            "entry_point_name": "",
            "experiment_id": run.experiment_id,
            "lifecycle_stage": run.lifecycle_stage,
            "run_id": run.id,
            "run_name": run.name,
            "source_name": "",
            "source_type": 4,
            "source_version": "",
            "start_time": run.started_at // MS,
            "status": RUN_STATUS[run.status],
            "tags": [],
            "user_id": run.user_id or run.actor,
        }
        _write_meta(place, meta)
        what = f"run {run.id}"
        self._texts(place / "params", run.params, what=what)
        self._texts(place / "tags", {"mlflow.runName": run.name, **run.tags}, what=what)
        for key in run.metrics:
            lines = (f"{p.at // MS} {float(p.value)!r} {p.step}\n" for p in points(key))
            self._text(place / "metrics", key, "".join(lines), what=what)
        for dataset in run.datasets:
            self._dataset(place, dataset, experiment_id=run.experiment_id)
        for model in run.model_outputs:
            link = _link(model.model_id, "MODEL_OUTPUT", of="RUN_OUTPUT")
            _write_meta(place / "outputs" / model.model_id, {**link, "step": model.step})
        self._files(place / "artifacts", files, what=what)
        self._came["runs"] += 1

    def logged_model(self, model: LoggedModel, *, files: Files) -> None:
        """Write a logged model with its files."""
        place = self._places[model.experiment_id] / "models" / model.id
        meta: dict[str, Any] = {
            "artifact_location": (place / "artifacts").as_uri(),
            "creation_timestamp": model.created_at // MS,
            "experiment_id": model.experiment_id,
            "last_updated_timestamp": model.updated_at // MS,
            "model_id": model.id,
            "model_type": model.model_type or None,
            "name": model.name,
            "source_run_id": model.source_run_id or None,
            "status": MODEL_STATUS[model.status],
            "status_message": model.status_message or None,
        }
        _write_meta(place, meta)
        self._texts(place / "params", model.params, what=f"logged model {model.id}")
        self._texts(place / "tags", model.tags, what=f"logged model {model.id}")
        self._files(place / "artifacts", files, what=f"logged model {model.id}")
        self._came["logged models"] += 1

    def model(self, model: Model) -> None:
        """Write a registered model without its versions."""
        place = self.folder / "models" / model.name
        meta: dict[str, Any] = {
            "aliases": {alias: str(number) for alias, number in model.aliases.items()},
            "creation_timestamp": model.created_at // MS,
            "description": model.description or None,
            "last_updated_timestamp": model.updated_at // MS,
            "name": model.name,
        }
        _write_meta(place, meta)
        self._texts(place / "tags", model.tags, what=f"model {model.name}")
        for alias, number in model.aliases.items():
            self._text(place / "aliases", alias, str(number), what=f"model {model.name}")
        self._came["models"] += 1

    def version(self, version: ModelVersion, *, files: Files) -> None:
        """Write a version of a registered model with its files."""
        place = self.folder / "models" / version.model / f"version-{version.number}"
        stored = place / "files"
        self._files(stored, files, what=f"model version {version.ref}")
        meta: dict[str, Any] = {
            "creation_timestamp": version.created_at // MS,
            "current_stage": STAGES[version.stage],
            "description": version.description or None,
            "last_updated_timestamp": max(version.created_at, version.updated_at) // MS,
            "model_id": version.logged_model_id,
            "name": version.model,
            "run_id": version.run_id,
            "run_link": version.run_link or None,
            "source": version.source or stored.as_uri(),
            "status": version.status.upper(),
            "status_message": version.status_message or None,
            "storage_location": stored.as_uri() if version.files else version.source,
            "user_id": version.actor,
            "version": version.number,
        }
        _write_meta(place, meta)
        self._texts(place / "tags", version.tags, what=f"model version {version.ref}")
        self._came["model versions"] += 1

    def report(self) -> Report:
        """Return what was written and what could not be."""
        return Report(came=dict(self._came), known={}, left_out=tuple(self._left_out))

    def _dataset(self, place: Path, dataset: LoggedDataset, *, experiment_id: str) -> None:
        meta: dict[str, Any] = {
            "digest": dataset.digest,
            "name": dataset.name,
            "profile": dataset.profile or None,
            "schema": dataset.schema or None,
            "source": dataset.source,
            "source_type": dataset.source_type,
        }
        _write_meta(self._places[experiment_id] / "datasets" / dataset.id, meta)
        link = _link(dataset.id, "RUN", of="DATASET")
        _write_meta(place / "inputs" / dataset.id, {**link, "tags": dict(dataset.tags)})

    def _files(self, place: Path, files: Files, *, what: str) -> None:
        for path, opened in files:
            target = (place / path).resolve()
            # Paths were checked when they came in; a folder elsewhere is worth checking twice.
            if not target.is_relative_to(place.resolve()):
                self._left_out.append(LeftOut(what=f"{what}: {path}", why="leaves its folder"))
                continue
            try:
                target.parent.mkdir(parents=True, exist_ok=True)
                with opened() as source, target.open("xb") as file:
                    shutil.copyfileobj(source, file)
            except OSError as error:
                self._left_out.append(LeftOut(what=f"{what}: {path}", why=str(error)))
                continue
            self._came["files"] += 1

    def _texts(self, place: Path, texts: Mapping[str, str], *, what: str) -> None:
        for key, text in texts.items():
            self._text(place, key, text, what=what)

    def _text(self, place: Path, key: str, text: str, *, what: str) -> None:
        target = (place / key).resolve()
        if not target.is_relative_to(place.resolve()):
            why = "its name leaves the folder"
            self._left_out.append(LeftOut(what=f"{what}: {place.name} {key}", why=why))
            return
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with target.open("x", encoding="utf-8", newline="") as file:
                file.write(text)
        except OSError as error:
            # `a` and `a/b` are a file and a folder of one name there.
            self._left_out.append(LeftOut(what=f"{what}: {place.name} {key}", why=str(error)))


def _link(target: str, kind: str, *, of: str) -> dict[str, Any]:
    return {
        "destination_id": target,
        "destination_type": kind,
        "source_id": target,
        "source_type": of,
        "tags": {},
    }


def _write_meta(place: Path, meta: Mapping[str, Any]) -> None:
    place.mkdir(parents=True, exist_ok=True)
    (place / "meta.yaml").write_bytes(msgspec.json.format(msgspec.json.encode(meta), indent=2))
