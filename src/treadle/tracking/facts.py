"""What happens to experiments and runs, as facts of the event log."""

from __future__ import annotations

from typing import ClassVar

from treadle.storage.events import Fact
from treadle.tracking.entities import (
    Artifact,
    EndStatus,
    ModelStatus,
    RunModel,
    RunStatus,
)


class ExperimentCreated(Fact, frozen=True, kw_only=True):
    """An experiment was used for the first time."""

    kind: ClassVar[str] = "experiment.created"
    id: str
    name: str

    def subject(self) -> str:
        return f"experiment/{self.name}"


class ExperimentRenamed(Fact, frozen=True, kw_only=True):
    """An experiment got another name."""

    kind: ClassVar[str] = "experiment.renamed"
    id: str
    name: str
    before: str

    def subject(self) -> str:
        return f"experiment/{self.name}"


class ExperimentDeleted(Fact, frozen=True, kw_only=True):
    """An experiment was deleted with its runs; both can be restored."""

    kind: ClassVar[str] = "experiment.deleted"
    id: str
    name: str

    def subject(self) -> str:
        return f"experiment/{self.name}"


class ExperimentRestored(Fact, frozen=True, kw_only=True):
    """A deleted experiment was brought back with its runs."""

    kind: ClassVar[str] = "experiment.restored"
    id: str
    name: str

    def subject(self) -> str:
        return f"experiment/{self.name}"


class ExperimentTagged(Fact, frozen=True, kw_only=True):
    """Tags of an experiment were set or `removed`."""

    kind: ClassVar[str] = "experiment.tagged"
    id: str
    name: str
    tags: dict[str, str]
    removed: tuple[str, ...] = ()

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


class RunUpdated(Fact, frozen=True, kw_only=True):
    """A run got another name, or goes on after its end."""

    kind: ClassVar[str] = "run.updated"
    run_id: str
    name: str
    status: RunStatus

    def subject(self) -> str:
        return f"run/{self.run_id}"


class RunDeleted(Fact, frozen=True, kw_only=True):
    """A run was deleted; it can be restored until it is removed for good."""

    kind: ClassVar[str] = "run.deleted"
    run_id: str

    def subject(self) -> str:
        return f"run/{self.run_id}"


class RunRestored(Fact, frozen=True, kw_only=True):
    """A deleted run was brought back."""

    kind: ClassVar[str] = "run.restored"
    run_id: str

    def subject(self) -> str:
        return f"run/{self.run_id}"


class DatasetsLogged(Fact, frozen=True, kw_only=True):
    """A run named data it used, as its client describes it: `datasets` are names and digests."""

    kind: ClassVar[str] = "run.datasets_logged"
    run_id: str
    datasets: tuple[tuple[str, str], ...]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class ModelsLogged(Fact, frozen=True, kw_only=True):
    """A run named logged models that it read or made."""

    kind: ClassVar[str] = "run.models_logged"
    run_id: str
    models: tuple[RunModel, ...]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class LoggedModelCreated(Fact, frozen=True, kw_only=True):
    """A run began to leave a model behind."""

    kind: ClassVar[str] = "logged_model.created"
    id: str
    experiment_id: str
    name: str
    model_type: str
    source_run_id: str
    params: dict[str, str]
    tags: dict[str, str]

    def subject(self) -> str:
        return f"logged_model/{self.id}"


class LoggedModelFinalized(Fact, frozen=True, kw_only=True):
    """A logged model is whole, or will not be."""

    kind: ClassVar[str] = "logged_model.finalized"
    id: str
    status: ModelStatus

    def subject(self) -> str:
        return f"logged_model/{self.id}"


class LoggedModelDeleted(Fact, frozen=True, kw_only=True):
    """A logged model was deleted."""

    kind: ClassVar[str] = "logged_model.deleted"
    id: str

    def subject(self) -> str:
        return f"logged_model/{self.id}"


class TrackingCleaned(Fact, frozen=True, kw_only=True):
    """What had been deleted was removed for good."""

    kind: ClassVar[str] = "tracking.cleaned"
    experiments: tuple[str, ...]
    runs: tuple[str, ...]
    logged_models: tuple[str, ...]

    def subject(self) -> str:
        return "tracking/cleaned"


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


class ArtifactStored(Fact, frozen=True, kw_only=True):
    """A file of a logged model, or one that is nobody's, was stored; `owner` is `model/m-…`."""

    kind: ClassVar[str] = "artifact.stored"
    owner: str
    path: str
    digest: str
    size_bytes: int

    def subject(self) -> str:
        return self.owner


class ArtifactsDeleted(Fact, frozen=True, kw_only=True):
    """A file or a folder of an owner was removed; `files` says how many files that were."""

    kind: ClassVar[str] = "artifact.deleted"
    owner: str
    path: str
    files: int

    def subject(self) -> str:
        return self.owner


class RunBrought(Fact, frozen=True, kw_only=True):
    """A run of another store was brought in with its id and times."""

    kind: ClassVar[str] = "run.brought"
    run_id: str
    experiment: str
    name: str
    status: RunStatus
    started_at: int
    params: dict[str, str]
    tags: dict[str, str]

    def subject(self) -> str:
        return f"run/{self.run_id}"


class LoggedModelBrought(Fact, frozen=True, kw_only=True):
    """A logged model of another store was brought in with its id and times."""

    kind: ClassVar[str] = "logged_model.brought"
    id: str
    experiment_id: str
    name: str
    source_run_id: str
    params: dict[str, str]
    tags: dict[str, str]

    def subject(self) -> str:
        return f"logged_model/{self.id}"


class ViewSaved(Fact, frozen=True, kw_only=True):
    """The query of a page was given a name."""

    kind: ClassVar[str] = "view.saved"
    page: str
    name: str
    query: str

    def subject(self) -> str:
        return f"view/{self.page}/{self.name}"


class ViewRemoved(Fact, frozen=True, kw_only=True):
    """A saved view was removed."""

    kind: ClassVar[str] = "view.removed"
    page: str
    name: str

    def subject(self) -> str:
        return f"view/{self.page}/{self.name}"
