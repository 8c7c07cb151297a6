"""What tracking knows: experiments, runs and what runs log."""

from __future__ import annotations

from typing import Literal

import msgspec

RunStatus = Literal["running", "finished", "failed", "killed"]
EndStatus = Literal["finished", "failed", "killed"]


class Experiment(msgspec.Struct, frozen=True, kw_only=True):
    """A named group of runs."""

    id: str
    name: str
    created_at: int


class RunInput(msgspec.Struct, frozen=True, kw_only=True):
    """Something a run was made from: a dataset version (`flights@3`), a model version."""

    kind: str
    ref: str
    digest: str
    context: str = ""


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


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One execution that logs. `metrics` holds the latest value of each; times are µs UTC."""

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

    @property
    def duration_us(self) -> int | None:
        """How long the run took, or None while it is running."""
        return None if self.ended_at is None else self.ended_at - self.started_at
