"""What has an engine and files open, and gives them back when it is closed."""

from __future__ import annotations

from contextlib import ExitStack
from typing import Self


class Holding:
    """Is used in a `with`, or closed by who asked for it; `holding` goes with it."""

    def __init__(self, holding: ExitStack | None = None) -> None:
        self._stack = holding or ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Give back memory and files."""
        self._stack.close()
