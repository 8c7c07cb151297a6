"""The executor without processes: work is done at once, in the caller's thread."""

from __future__ import annotations

import contextlib
import io
import threading
from typing import TYPE_CHECKING

import msgspec

from treadle.execution.capture import Tail
from treadle.execution.context import WorkContext, working
from treadle.execution.entities import Progress, Work
from treadle.execution.outcomes import attempt
from treadle.execution.service import as_json
from treadle.execution.targets import check_target
from treadle.kernel.errors import NotFound
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "in-process"


class _Done(msgspec.Struct, frozen=True):
    progress: Progress
    log: str


class InProcess:
    """Does work when it is submitted, one piece after another; forgets everything with the process.

    While work runs, what any thread prints counts as its output: Python has one stdout.
    """

    def __init__(self, *, home: Path) -> None:
        self._home = home
        self._done: dict[str, _Done] = {}
        self._keys: dict[str, str] = {}
        self._one_at_a_time = threading.RLock()

    def submit(
        self, work: Work, *, kind: str = "work", key: str | None = None, max_attempts: int = 3
    ) -> str:
        """Do work and return its handle. Raises InvalidInput when its arguments are not JSON."""
        check_target(work.target)
        plain = Work(target=work.target, arguments=as_json(work.arguments, what="arguments"))
        with self._one_at_a_time:
            known = self._keys.get(key) if key else None
            if known is not None:
                return known
            handle = new_id()
            self._done[handle] = self._do(plain, handle, kind=kind, max_attempts=max_attempts)
            if key and self._done[handle].progress.state == "done":
                self._keys[key] = handle
            return handle

    def poll(self, handle: str) -> Progress:
        """Say what became of the work."""
        return self._found(handle).progress

    def cancel(self, handle: str) -> None:
        """Do nothing: work that has a handle here is over."""
        self._found(handle)

    def logs(self, handle: str) -> str:
        """Return the end of what the work printed."""
        return self._found(handle).log

    def _do(self, work: Work, handle: str, *, kind: str, max_attempts: int) -> _Done:  # noqa: ARG002 - the kind is for queues that people look at
        context = WorkContext(home=self._home, job_id=handle, worker=NAME)
        tail = Tail()
        with working(context), _printing_to(tail):
            outcome, attempts = attempt(work), 1
            while outcome.retry and attempts < max_attempts:
                outcome, attempts = attempt(work), attempts + 1
        progress = Progress(
            state=outcome.state, attempts=attempts, result=outcome.result, error=outcome.error
        )
        return _Done(progress, tail.text())

    def _found(self, handle: str) -> _Done:
        try:
            return self._done[handle]
        except KeyError:
            raise NotFound("work", handle) from None


class _TailWriter(io.TextIOBase):
    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    def write(self, text: str) -> int:
        self._tail.add(text.encode(errors="replace"))
        return len(text)


@contextlib.contextmanager
def _printing_to(tail: Tail) -> Iterator[None]:
    writer = _TailWriter(tail)
    with contextlib.redirect_stdout(writer), contextlib.redirect_stderr(writer):
        yield
