"""Who executes steps: this process, or an executor."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Protocol

import msgspec

from treadle.execution.outcomes import traceback_of
from treadle.pipelines.work import Performed, Task, perform, target_of, work_of

if TYPE_CHECKING:
    from treadle.execution.entities import Progress
    from treadle.execution.ports import Executor
    from treadle.pipelines.definitions import Step
    from treadle.pipelines.values import Values

FIRST_LOOK_S = 0.002
LONGEST_LOOK_S = 0.05


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """A step that came to its end; `cause` is the error itself where it was raised here."""

    name: str
    performed: Performed | None = None
    error: str = ""
    job_id: str | None = None
    cause: Any = None


class Hands(Protocol):
    """Takes tasks and tells which have ended."""

    capacity: int

    def begin(self, task: Task, step: Step[..., Any], *, key: str | None) -> str | None:
        """Take a task, and return its job if it is one; the same key is the same task."""
        ...

    def ended(self) -> list[Ended]:
        """Return what has ended since, waiting a moment if nothing has."""
        ...

    def let_go(self) -> None:
        """Stop what has not ended."""
        ...


class OwnHands:
    """Executes steps in this process, one after another."""

    capacity = 1

    def __init__(self, *, values: Values) -> None:
        self._values = values
        self._task: tuple[Task, Step[..., Any]] | None = None

    def begin(self, task: Task, step: Step[..., Any], *, key: str | None) -> None:  # noqa: ARG002 - nobody else could be at it
        """Take a task."""
        self._task = task, step

    def ended(self) -> list[Ended]:
        """Execute the task in hand."""
        if self._task is None:
            return []
        task, step = self._task
        self._task = None
        try:
            return [
                Ended(name=task.name, performed=perform(step.function, task, values=self._values))
            ]
        except Exception as error:  # noqa: BLE001 - whatever it is, the step failed with it
            return [Ended(name=task.name, error=traceback_of(error), cause=error)]

    def let_go(self) -> None:
        """Do nothing: between two steps there is nothing in hand."""


class JobHands:
    """Executes steps as jobs of an executor, as many at a time as it can."""

    capacity = 10_000

    def __init__(self, executor: Executor, *, values: Values) -> None:
        self._executor = executor
        self._values = values
        self._open: dict[str, tuple[str, Task, str]] = {}
        self._wait_s = FIRST_LOOK_S

    def begin(self, task: Task, step: Step[..., Any], *, key: str | None) -> str:
        """Submit a task; with a key that another run submitted, wait for that one's result."""
        target = target_of(step)
        job_key = f"step/{key}" if key else None
        handle = self._executor.submit(work_of(task, target=target), kind="step", key=job_key)
        self._open[task.name] = handle, task, target
        return handle

    def ended(self) -> list[Ended]:
        """Look at every open job."""
        found = [self._look(name) for name in list(self._open)]
        ended = [end for end in found if end is not None]
        self._wait_s = FIRST_LOOK_S if ended else min(self._wait_s * 2, LONGEST_LOOK_S)
        if not ended:
            time.sleep(self._wait_s)
        return ended

    def let_go(self) -> None:
        """Cancel every open job."""
        for handle, _, _ in self._open.values():
            self._executor.cancel(handle)
        self._open.clear()

    def _look(self, name: str) -> Ended | None:
        handle, task, target = self._open[name]
        progress = self._executor.poll(handle)
        if not progress.is_over:
            return None
        if progress.state == "done":
            performed = msgspec.convert(progress.result, Performed)
            if not all(self._values.has(output) for output in performed.outputs):
                # An old job stands for this key, but what it made was removed since.
                again = self._executor.submit(work_of(task, target=target), kind="step")
                self._open[name] = again, task, target
                return None
            del self._open[name]
            return Ended(name=name, performed=performed, job_id=handle)
        del self._open[name]
        return Ended(name=name, error=_words(progress), job_id=handle)


def _words(progress: Progress) -> str:
    return progress.error or f"Its job was {progress.state}."
