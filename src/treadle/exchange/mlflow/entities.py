"""What an MLflow store says beyond our entities: where files lie, and what came of it all."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.tracking.entities import LoggedModel, Run, RunModel
from treadle.tracking.rules import PARENT, RUN_NAME

if TYPE_CHECKING:
    from collections.abc import Iterable


# What MLflow stores where an infinity was logged.
GREATEST = 1.7976931348623157e308


def value_of(stored: float) -> float:
    """Return the number that was logged."""
    return math.copysign(math.inf, stored) if abs(stored) >= GREATEST else stored


class TheirRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run as ours, and where its files lie there; points are asked for by `Source.points`."""

    run: Run
    artifact_uri: str = ""


def run_of(
    *, name: str, user_id: str, tags: dict[str, str], models: Iterable[RunModel], **fields: Any
) -> Run:
    """Return a run of theirs as ours, of an experiment that whoever brings it in names.

    The oldest of MLflow kept a run's name and parent as tags alone.
    """
    used = tuple(models)
    return Run(
        **fields,
        experiment="",
        name=name or tags.get(RUN_NAME, ""),
        parent_id=tags.get(PARENT),
        actor=user_id or "mlflow",
        user_id=user_id,
        tags=tags,
        model_inputs=tuple(model for model in used if model.direction == "input"),
        model_outputs=tuple(model for model in used if model.direction == "output"),
    )


class TheirLoggedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A logged model as ours, and where its files lie there."""

    model: LoggedModel
    artifact_uri: str = ""


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
