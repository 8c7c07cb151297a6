"""What work can ask about itself while it is done."""

from __future__ import annotations

import contextlib
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterator

_WORK: ContextVar[WorkContext | None] = ContextVar("treadle_work", default=None)
_RUN: ContextVar[str | None] = ContextVar("treadle_run", default=None)


class WorkContext(msgspec.Struct, frozen=True, kw_only=True):
    """Which job is being done, for which home, by whom."""

    home: Path
    job_id: str
    worker: str


def current_work() -> WorkContext | None:
    """Return what is being done here by an executor, or None outside of work."""
    return _WORK.get()


def current_run_id() -> str | None:
    """Return the tracking run that the code running now belongs to, or None outside of a run."""
    return _RUN.get()


@contextlib.contextmanager
def working(context: WorkContext) -> Iterator[None]:
    """Let everything inside the block know which work it belongs to."""
    token = _WORK.set(context)
    try:
        yield
    finally:
        _WORK.reset(token)


@contextlib.contextmanager
def in_run(run_id: str) -> Iterator[None]:
    """Let everything inside the block know which tracking run it belongs to."""
    token = _RUN.set(run_id)
    try:
        yield
    finally:
        _RUN.reset(token)
