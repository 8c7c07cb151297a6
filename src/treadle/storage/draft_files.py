"""A file on its way to be an object: written once, synced, and large ones past the page cache."""

from __future__ import annotations

import errno
import fcntl
import os
from typing import TYPE_CHECKING, BinaryIO, Protocol, runtime_checkable

if TYPE_CHECKING:
    from typing import Self

    from typing_extensions import Buffer

LARGE_BYTES = 16 << 20
# Not on every system, and not on every file system that has the name.
_DIRECT = getattr(os, "O_DIRECT", 0)
_ALIGNED = 4096


@runtime_checkable
class Sized(Protocol):
    """A stream that knows its size and hands out views of memory that begins at a page."""

    size_bytes: int


def is_large(stream: BinaryIO) -> bool:
    """Say whether a stream is worth going past the page cache: it is known to be long."""
    return isinstance(stream, Sized) and stream.size_bytes >= LARGE_BYTES


class DraftFile:
    """Writes a file and syncs it when it is closed without an error.

    What is large goes past the page cache while it comes in whole pages: that saves the kernel a
    copy of it and the search for what to sync (0.06 CPU s a GB and not 0.9). What does not, and
    what is left of the last page, is written as usual.
    """

    def __init__(self, handle: int, *, is_large: bool) -> None:
        self._handle = handle
        self._flags = fcntl.fcntl(handle, fcntl.F_GETFL)
        self._is_direct = is_large and bool(_DIRECT) and self._go_past()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            if kind is None:
                os.fsync(self._handle)
        finally:
            os.close(self._handle)

    def write(self, block: Buffer) -> int:
        """Write a block whole; return its size."""
        view = memoryview(block)
        pages = len(view) - len(view) % _ALIGNED if self._is_direct else 0
        self._write(view[:pages])
        if self._is_direct and pages < len(view):
            self._go_through()
        self._write(view[pages:])
        return len(view)

    def _write(self, left: memoryview) -> None:
        while left:
            try:
                left = left[os.write(self._handle, left) :]
            except OSError as refused:
                # Not a whole page in memory, or a file system that wants its cache after all.
                if refused.errno != errno.EINVAL or not self._is_direct:
                    raise
                self._go_through()

    def _go_past(self) -> bool:
        try:
            fcntl.fcntl(self._handle, fcntl.F_SETFL, self._flags | _DIRECT)
        except OSError:
            return False
        return True

    def _go_through(self) -> None:
        fcntl.fcntl(self._handle, fcntl.F_SETFL, self._flags)
        self._is_direct = False
