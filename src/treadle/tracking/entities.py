"""What tracking knows: experiments, runs and what runs log."""

from __future__ import annotations

from typing import Literal

import msgspec

RunStatus = Literal["running", "scheduled", "finished", "failed", "killed"]
EndStatus = Literal["finished", "failed", "killed"]
Stage = Literal["active", "deleted"]
ModelStatus = Literal["pending", "ready", "failed"]
Direction = Literal["input", "output"]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A named group of runs. `artifact_location` is empty when its files lie in our own store."""

    id: str
    name: str
    created_at: int
    updated_at: int = 0
    lifecycle_stage: Stage = "active"
    artifact_location: str = ""
    tags: dict[str, str] = {}


class RunInput(msgspec.Struct, frozen=True, kw_only=True):
    """Something a run was made from: a dataset version (`flights@3`), a model version."""

    kind: str
    ref: str
    digest: str
    context: str = ""


class LoggedDataset(msgspec.Struct, frozen=True, kw_only=True):
    """Data a run says it used, as its client describes it; `tags` belong to the use."""

    id: str = ""
    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = {}


class RunModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model that a run read (`input`) or made (`output`) at a step."""

    model_id: str
    direction: Direction
    step: int = 0


class Artifact(msgspec.Struct, frozen=True, kw_only=True):
    """A file of a run; its bytes are an object."""

    path: str
    digest: str
    size_bytes: int


class MetricPoint(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a metric at a step and an instant (µs UTC)."""

    key: str
    value: float
    step: int
    at: int


class MetricSummary(msgspec.Struct, frozen=True, kw_only=True):
    """Where a metric ended and what it passed; lowest and highest leave NaN out."""

    key: str
    last: float
    lowest: float | None
    highest: float | None
    points: int


class ModelMetric(msgspec.Struct, frozen=True, kw_only=True):
    """A value of a metric of a logged model: by which run, on which data."""

    key: str
    value: float
    step: int
    at: int
    run_id: str
    dataset_name: str = ""
    dataset_digest: str = ""


class LoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model a run left behind, before anybody registers it; times are µs UTC."""

    id: str
    experiment_id: str
    name: str
    model_type: str = ""
    source_run_id: str = ""
    status: ModelStatus = "pending"
    status_message: str = ""
    lifecycle_stage: Stage = "active"
    artifact_location: str = ""
    created_at: int
    updated_at: int
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metrics: tuple[ModelMetric, ...] = ()


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution that logs; times are µs UTC.

    `latest` holds the latest point of each metric, `metrics` its value alone; `artifact_location`
    is where its experiment keeps artifacts, empty for the object store.
    """

    id: str
    experiment: str
    name: str
    status: RunStatus
    parent_id: str | None = None
    actor: str
    started_at: int
    ended_at: int | None = None
    params: dict[str, str] = {}
    metrics: dict[str, float] = {}
    tags: dict[str, str] = {}
    inputs: tuple[RunInput, ...] = ()
    error: str = ""
    experiment_id: str = ""
    user_id: str = ""
    lifecycle_stage: Stage = "active"
    deleted_at: int | None = None
    latest: tuple[MetricPoint, ...] = ()
    datasets: tuple[LoggedDataset, ...] = ()
    model_inputs: tuple[RunModel, ...] = ()
    model_outputs: tuple[RunModel, ...] = ()
    artifact_location: str = ""

    @property
    def duration_us(self) -> int | None:
        """How long the run took, or None while it is running."""
        return None if self.ended_at is None else self.ended_at - self.started_at


class Cleaned(msgspec.Struct, frozen=True, kw_only=True):
    """The ids of what was removed for good, or would be."""

    experiments: tuple[str, ...]
    runs: tuple[str, ...]
    logged_models: tuple[str, ...]
