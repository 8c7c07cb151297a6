"""What happens to experiments and runs, as facts of the event log."""

from __future__ import annotations

from typing import ClassVar

from treadle.storage.events import Fact
from treadle.tracking.entities import (
    Artifact,
    EndStatus,
)


class ExperimentCreated(Fact, frozen=True, kw_only=True):
    """An experiment was used for the first time."""

    kind: ClassVar[str] = "experiment.created"
    id: str
    name: str

    def subject(self) -> str:
        return f"experiment/{self.name}"


class RunStarted(Fact, frozen=True, kw_only=True):
    """A run began; `artifacts` are the captured diff and packages."""

    kind: ClassVar[str] = "run.started"
    run_id: str
    experiment: str
    name: str
    parent_id: str | None
    params: dict[str, str]
    tags: dict[str, str]
    artifacts: tuple[Artifact, ...]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class RunEnded(Fact, frozen=True, kw_only=True):
    """A run came to its end; `metrics` are its latest values (None where JSON has no word)."""

    kind: ClassVar[str] = "run.ended"
    run_id: str
    status: EndStatus
    error: str
    metrics: dict[str, float | None]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class InputLogged(Fact, frozen=True, kw_only=True):
    """A run named something it was made from."""

    kind: ClassVar[str] = "run.input_logged"
    run_id: str
    input_kind: str
    ref: str
    digest: str
    context: str

    def subject(self) -> str:
        return f"run/{self.run_id}"


class ArtifactLogged(Fact, frozen=True, kw_only=True):
    """A run stored a file."""

    kind: ClassVar[str] = "artifact.logged"
    run_id: str
    path: str
    digest: str
    size_bytes: int

    def subject(self) -> str:
        return f"run/{self.run_id}"
