"""A file that is read as it was found."""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING, Self

from blake3 import blake3

from treadle.data.trees.walking import describe
from treadle.kernel.errors import Conflict, Unavailable
from treadle.storage.chunks.cutting import FILES, cut_stream, own_window

if TYPE_CHECKING:
    from treadle.data.trees.walking import Found


class OpenFile:
    """A file below a root, open to read: one that changes meanwhile raises Conflict."""

    def __init__(self, root: str, found: Found) -> None:
        self._found = found
        path = f"{root}/{found.path}"
        try:
            # What became a link or a pipe since is not followed and not waited for.
            self._file = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError as error:
            raise _changed(found) from error
        except OSError as error:
            raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            status = os.fstat(self._file)
        finally:
            os.close(self._file)
        if kind is None and not _is_as(self._found, status):
            raise _changed(self._found)

    def read_all(self) -> bytes:
        """Return the bytes of a small file."""
        size = self._found.size_bytes
        data = os.read(self._file, size + 1)
        while len(data) < size and (more := os.read(self._file, size - len(data))):
            data += more
        if len(data) != size:
            raise _changed(self._found)
        return data

    def read_into(self, buffer: memoryview) -> int:
        """Read the next bytes."""
        return os.readv(self._file, [buffer])


def content_of(root: str, found: Found) -> bytes:
    """Return what names a file's bytes, or where a link points; nothing is stored."""
    if found.kind == "link":
        return link_target(root, found)
    if found.kind == "folder" or not found.size_bytes:
        return b""
    with OpenFile(root, found) as file:
        groups = cut_stream(file.read_into, FILES, window=own_window())
        return b"".join(blake3(piece).digest() for pieces in groups for piece in pieces)


def link_target(root: str, found: Found) -> bytes:
    """Return where a link points."""
    try:
        return os.fsencode(os.readlink(f"{root}/{found.path}"))
    except OSError as error:
        raise _changed(found) from error


def _is_as(found: Found, status: os.stat_result) -> bool:
    return stat.S_ISREG(status.st_mode) and describe(found.path, status) == found


def _changed(found: Found) -> Conflict:
    return Conflict(
        f"{found.path} changed while it was read.",
        hint="Do it again when nothing writes there.",
        path=found.path,
    )
