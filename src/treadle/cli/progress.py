"""What a long command tells on a terminal while it works."""

from __future__ import annotations

import sys
import threading
from contextlib import nullcontext
from typing import TYPE_CHECKING

import click

from treadle.cli.output import size

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager


class Told:
    """Bytes done so far, in one line that goes away again."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._lock = threading.Lock()
        self._done = 0

    def __enter__(self) -> Callable[[int], None]:
        return self._tell

    def _tell(self, done: int) -> None:
        with self._lock:
            self._done += done
            click.echo(f"\r{self._label}: {size(self._done)}", err=True, nl=False)

    def __exit__(self, *_: object) -> None:
        click.echo("\r\033[K", err=True, nl=False)


def progress_of(label: str) -> AbstractContextManager[Callable[[int], None]]:
    """Return what is told the bytes as they are done; it speaks only to a terminal."""
    return Told(label) if sys.stderr.isatty() else nullcontext(_tell_nobody)


def _tell_nobody(_: int) -> None:
    pass
