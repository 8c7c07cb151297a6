"""Who is acting: every event names its actor."""

from __future__ import annotations

import contextlib
import getpass
import os
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_CURRENT: ContextVar[str | None] = ContextVar("treadle_actor", default=None)


def current_actor() -> str:
    """Return who acts now: the innermost `acting_as`, else `user:NAME` of the operating system."""
    return _CURRENT.get() or _system_user()


@contextlib.contextmanager
def acting_as(actor: str) -> Iterator[None]:
    """Name the actor of everything done inside the block (`user:ann`, `policy:late`)."""
    token = _CURRENT.set(actor)
    try:
        yield
    finally:
        _CURRENT.reset(token)


def _system_user() -> str:
    try:
        return f"user:{getpass.getuser()}"
    except (OSError, KeyError, ImportError):  # a container's user id may have no name
        return f"user:{os.getuid()}"
