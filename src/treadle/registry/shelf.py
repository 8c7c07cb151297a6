"""The registry's view of tracking: where the files of runs and logged models lie, and which."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.data.entities import FileEntry
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.service import Tracking

OUR_OWN = "mlflow-artifacts:"
REGISTERED = "mlflow.modelVersions"


class TrackingShelf:
    """Finds the artifacts of runs and logged models by the URIs that MLflow's clients use."""

    def __init__(self, tracking: Tracking, *, artifacts: Callable[[], Artifacts]) -> None:
        self._tracking = tracking
        # Artifacts serve the files of versions and versions are made of artifacts: the later asked
        # for is the later made.
        self._artifacts = artifacts

    def run_root(self, run_id: str) -> str:
        """Return the URI below which the artifacts of a run lie."""
        run = self._tracking.run(run_id)
        return f"{self._location(run.experiment_id)}/{run.id}/artifacts"

    def model_root(self, model_id: str) -> str:
        """Return the URI below which the files of a logged model lie."""
        model = self._tracking.logged_model(model_id)
        location = self._location(model.experiment_id)
        return model.artifact_location or f"{location}/models/{model.id}/artifacts"

    def run_of_model(self, model_id: str) -> str | None:
        """Return the run that made a logged model."""
        return self._tracking.logged_model(model_id).source_run_id or None

    def tell_registered(self, model_id: str, *, name: str, number: int) -> None:
        """Write on a logged model that a version was made of it, as MLflow's client reads it."""
        known = self._tracking.logged_model(model_id).tags.get(REGISTERED, "")
        try:
            told = msgspec.json.decode(known or "[]", type=list[dict[str, Any]])
        except msgspec.DecodeError:  # somebody else's tag of that name
            told = []
        text = json.dumps([*told, {"name": name, "version": number}])
        self._tracking.tag_logged_model(model_id, {REGISTERED: text})

    def files(self, uri: str) -> Sequence[FileEntry]:
        """Return the files below a URI of our own store; none of what is not there."""
        try:
            place = self._artifacts().resolve(uri)
            found = self._artifacts().files(place)
        except (InvalidInput, NotFound):
            return ()
        start = f"{place.path}/" if place.path else ""
        return tuple(
            FileEntry(
                path=file.path.removeprefix(start), digest=file.digest, size_bytes=file.size_bytes
            )
            for file in found
        )

    def _location(self, experiment_id: str) -> str:
        experiment = self._tracking.experiment_by_id(experiment_id)
        return experiment.artifact_location or f"{OUR_OWN}/{experiment_id}"
