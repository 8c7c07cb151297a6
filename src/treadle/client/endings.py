"""What becomes of runs that are still open when a process forks or ends."""

from __future__ import annotations

import atexit
import os
import sys
from multiprocessing import util
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.tracking.entities import EndStatus


class Ending(Protocol):
    """A run as far as its end is concerned."""

    def end(self, status: EndStatus = "finished", *, error: str = "") -> None:
        """End it; in a forked child only send what the child has logged."""
        ...

    def after_fork(self) -> None:
        """Let a forked child log on its own."""
        ...


R = TypeVar("R", bound=Ending)


class Endings(Generic[R]):
    """The open runs of this process: ended with it, carried into its forked children."""

    def __init__(self, ending: Callable[[BaseException | None], tuple[EndStatus, str]]) -> None:
        self._ending = ending
        self._open: set[R] = set()
        atexit.register(self.end_all)
        os.register_at_fork(after_in_child=self._after_fork)
        # A child of multiprocessing leaves without `atexit`, but not without its own finalizers.
        util.register_after_fork(self, Endings._finalize_child)

    def watch(self, run: R) -> None:
        """Remember an open run, also when the program has forgotten it."""
        self._open.add(run)

    def forget(self, run: R) -> None:
        """Take an ended run off."""
        self._open.discard(run)

    def end_all(self) -> None:
        """End what is open as the program ends: failed when an error ended it."""
        status, error = self._ending(getattr(sys, "last_value", None))
        for run in tuple(self._open):
            run.end(status, error=error)

    def _after_fork(self) -> None:
        for run in tuple(self._open):
            run.after_fork()

    def _finalize_child(self) -> None:
        util.Finalize(None, self.end_all, exitpriority=100)
