"""The seam of bringing in: a place that holds an MLflow store."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import BinaryIO

    from treadle.exchange.mlflow.entities import (
        LeftOut,
        TheirLoggedModel,
        TheirModel,
        TheirRun,
        TheirVersion,
    )
    from treadle.tracking.entities import Experiment, MetricPoint


class Source(Protocol):
    """Where an MLflow store is read from. Reads only; may be asked again from the beginning."""

    def experiments(self) -> Iterator[Experiment]:
        """Yield every experiment, deleted ones too."""
        ...

    def runs(self, experiment_id: str) -> Iterator[TheirRun]:
        """Yield the runs of an experiment, deleted ones too, oldest first."""
        ...

    def points(self, theirs: TheirRun) -> Iterator[MetricPoint]:
        """Yield every metric point of a run."""
        ...

    def logged_models(self, experiment_id: str) -> Iterator[TheirLoggedModel]:
        """Yield the logged models of an experiment; none where MLflow is older than 3."""
        ...

    def registry(self) -> Iterator[tuple[TheirModel, tuple[TheirVersion, ...]]]:
        """Yield every registered model with its versions in the order of their numbers."""
        ...

    def staying(self) -> tuple[LeftOut, ...]:
        """Name what is there and is not read from here, and why."""
        ...


class Files(Protocol):
    """Where an MLflow store's artifacts are read from."""

    def listed(self, uri: str) -> Iterator[str]:
        """Yield the paths of all files below an artifact URI. Raises Unavailable, saying why."""
        ...

    def open(self, uri: str, path: str) -> BinaryIO:
        """Open one of them to read."""
        ...
