"""A file that is read as it was found."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Self

from blake3 import blake3

from treadle.data.trees.walking import kind_of
from treadle.kernel.errors import Conflict, Unavailable
from treadle.storage.chunks.cutting import FILES, cut_stream, own_window

if TYPE_CHECKING:
    from treadle.data.trees.walking import Found

# What became a link or a pipe since is not followed and not waited for.
_TO_READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class OpenFile:
    """A file below a root, open to read: one that changes meanwhile raises Conflict."""

    def __init__(self, root: str, found: Found) -> None:
        self._found = found
        self._file = _open(root, found)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        try:
            status = os.fstat(self._file)
        finally:
            os.close(self._file)
        if kind is None and not _is_as(self._found, status):
            raise _changed(self._found)

    def read_into(self, buffer: memoryview) -> int:
        """Read the next bytes."""
        return os.readv(self._file, [buffer])


def read_whole(root: str, found: Found, *, room: memoryview) -> memoryview:
    """Read a small file to the start of a room with a byte more than it needs.

    One that changes meanwhile raises Conflict. An OpenFile does this too, at twice the cost.
    """
    size, got = found.size_bytes, 0
    file = _open(root, found)
    try:
        # What has grown fills that byte.
        while got < size and (more := os.readv(file, [room[got : size + 1]])):
            got += more
        status = os.fstat(file)
    finally:
        os.close(file)
    if got != size or not _is_as(found, status):
        raise _changed(found)
    return room[:size]


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


def _open(root: str, found: Found) -> int:
    path = f"{root}/{found.path}"
    try:
        return os.open(path, _TO_READ)
    except FileNotFoundError as error:
        raise _changed(found) from error
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error


def _is_as(found: Found, status: os.stat_result) -> bool:
    return (
        status.st_mtime_ns == found.mtime_ns
        and status.st_size == found.size_bytes
        and status.st_ctime_ns == found.ctime_ns
        and status.st_ino == found.inode
        and kind_of(status) == found.kind
    )


def _changed(found: Found) -> Conflict:
    return Conflict(
        f"{found.path} changed while it was read.",
        hint="Do it again when nothing writes there.",
        path=found.path,
    )
