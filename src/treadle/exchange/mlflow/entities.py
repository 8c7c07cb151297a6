"""What an MLflow store holds, in our words; instants are µs UTC."""

from __future__ import annotations

from typing import Literal

import msgspec

Stage = Literal["active", "deleted"]


class TheirExperiment(msgspec.Struct, frozen=True, kw_only=True):
    """An experiment of an MLflow store."""

    id: str
    name: str
    artifact_location: str = ""
    lifecycle_stage: Stage = "active"
    created_at: int = 0
    updated_at: int = 0
    tags: dict[str, str] = {}


class TheirDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset that a run named as its input."""

    name: str
    digest: str
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""
    tags: dict[str, str] = {}


class TheirRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with all it logged but its points and files."""

    id: str
    experiment_id: str
    name: str
    user_id: str = ""
    status: str = "finished"
    started_at: int = 0
    ended_at: int | None = None
    deleted_at: int | None = None
    lifecycle_stage: Stage = "active"
    artifact_uri: str = ""
    params: dict[str, str] = {}
    tags: dict[str, str] = {}
    metric_keys: tuple[str, ...] = ()
    datasets: tuple[TheirDataset, ...] = ()
    model_inputs: tuple[str, ...] = ()
    model_outputs: tuple[tuple[str, int], ...] = ()


class TheirLoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model of MLflow 3."""

    id: str
    experiment_id: str
    name: str
    artifact_location: str = ""
    model_type: str = ""
    source_run_id: str = ""
    status: str = "ready"
    created_at: int = 0
    updated_at: int = 0
    params: dict[str, str] = {}
    tags: dict[str, str] = {}


class TheirModel(msgspec.Struct, frozen=True, kw_only=True):
    """A registered model."""

    name: str
    description: str = ""
    created_at: int = 0
    updated_at: int = 0
    tags: dict[str, str] = {}
    aliases: dict[str, int] = {}


class TheirVersion(msgspec.Struct, frozen=True, kw_only=True):
    """A version of a registered model; `files_at` is where its files are."""

    model: str
    number: int
    source: str = ""
    files_at: str = ""
    run_id: str = ""
    run_link: str = ""
    status: str = "ready"
    status_message: str = ""
    stage: str = ""
    description: str = ""
    created_at: int = 0
    updated_at: int = 0
    tags: dict[str, str] = {}


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """Something that did not come, and why."""

    what: str
    why: str


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """What came of an MLflow store and what did not; `known` things were here already."""

    came: dict[str, int]
    known: dict[str, int]
    left_out: tuple[LeftOut, ...]
