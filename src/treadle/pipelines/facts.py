"""What happens to pipeline runs, as facts of the event log."""

from __future__ import annotations

from typing import Any, ClassVar

from treadle.pipelines.entities import (
    OutputRef,
    PipelineState,
    StepInput,
    StepState,
)
from treadle.storage.events import Fact


class PipelineFact(Fact, frozen=True, kw_only=True):
    """Something that happened in a run of a pipeline."""

    pipeline: str
    pipeline_run: str

    def subject(self) -> str:
        return f"pipeline/{self.pipeline}"


class PipelineStarted(PipelineFact, frozen=True, kw_only=True):
    """A run began; `datasets` are the exact versions it reads."""

    kind: ClassVar[str] = "pipeline.started"
    run_id: str
    params: dict[str, Any]
    steps: tuple[str, ...]
    datasets: tuple[str, ...]


class StepFinished(PipelineFact, frozen=True, kw_only=True):
    """A step came to its end, or its result was there already."""

    kind: ClassVar[str] = "step.finished"
    step: str
    state: StepState
    key: str
    cached: bool
    inputs: tuple[StepInput, ...]
    outputs: tuple[OutputRef, ...]
    seconds: float
    error: str


class PipelineFinished(PipelineFact, frozen=True, kw_only=True):
    """A run came to its end."""

    kind: ClassVar[str] = "pipeline.finished"
    state: PipelineState
    error: str
