"""What pipelines know: graphs, their runs, and what each step took and gave."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

ValueKind = Literal["table", "parquet", "arrow", "json", "npy", "pickle"]
PipelineState = Literal["running", "done", "failed", "killed"]
StepState = Literal["waiting", "running", "done", "failed", "skipped", "killed"]


class Constant(msgspec.Struct, frozen=True, tag="constant"):
    """A JSON value written where the step is called, or a param."""

    value: Any


class FromStep(msgspec.Struct, frozen=True, tag="step"):
    """What another step returns; `output` names one of several."""

    step: str
    output: str = ""

    @property
    def ref(self) -> str:
        """How people write it: `split.train`."""
        return f"{self.step}.{self.output}" if self.output else self.step


class FromDataset(msgspec.Struct, frozen=True, tag="dataset"):
    """The table of a dataset version, as it is asked for: `flights`, `flights@3`."""

    ref: str


class Stored(msgspec.Struct, frozen=True, tag="stored"):
    """A value in the object store; a `table` is the rows of a dataset version by their digest."""

    kind: ValueKind
    digest: str


class Several(msgspec.Struct, frozen=True, tag="several"):
    """A list with values of steps or datasets in it."""

    items: tuple[Binding, ...]


class Named(msgspec.Struct, frozen=True, tag="named"):
    """A dict with values of steps or datasets in it."""

    items: dict[str, Binding]


# Where an argument comes from. Once all is known, FromStep and FromDataset have become Stored.
Binding = Constant | FromStep | FromDataset | Stored | Several | Named


class OutputRef(msgspec.Struct, frozen=True, kw_only=True):
    """What a step returned: how and under which digest it is stored; `name` if one of several."""

    name: str = ""
    kind: ValueKind
    digest: str
    size_bytes: int


class StepInput(msgspec.Struct, frozen=True, kw_only=True):
    """What an argument of a step was: `flights@3`, or `features` when another step made it.

    `digest` names the stored table or value; it is empty until the other step is done.
    """

    name: str
    kind: Literal["dataset", "step"]
    ref: str
    digest: str = ""


class StepRun(msgspec.Struct, frozen=True, kw_only=True):
    """A step in a pipeline run. Instants are µs UTC by the project's clock, `seconds` real ones.

    `cached` says that nothing was executed because a step with this key was done before; `seconds`
    is then what it took that time.
    """

    step: str
    state: StepState = "waiting"
    key: str = ""
    cached: bool = False
    inputs: tuple[StepInput, ...] = ()
    outputs: tuple[OutputRef, ...] = ()
    started_at: int | None = None
    ended_at: int | None = None
    seconds: float = 0.0
    error: str = ""
    job_id: str | None = None

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset versions it read."""
        return tuple(dict.fromkeys(i.ref for i in self.inputs if i.kind == "dataset"))

    @property
    def after(self) -> tuple[str, ...]:
        """The steps it waited for."""
        steps = (i.ref.partition(".")[0] for i in self.inputs if i.kind == "step")
        return tuple(dict.fromkeys(steps))


class PipelineRun(msgspec.Struct, frozen=True, kw_only=True):
    """One execution of a pipeline; `run_id` is its tracking run, `result` what it returned."""

    id: str
    name: str
    state: PipelineState
    params: dict[str, Any]
    run_id: str
    steps: tuple[StepRun, ...] = ()
    result: Binding | None = None
    started_at: int
    ended_at: int | None = None
    error: str = ""

    @property
    def datasets(self) -> tuple[str, ...]:
        """The dataset versions its steps read."""
        return tuple(dict.fromkeys(ref for step in self.steps for ref in step.datasets))
