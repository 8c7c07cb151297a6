"""Whole files of versions, kept in the home so that checkouts need only clone or link them.

Everything here can be removed at any time. A file's name says its content and its mtime bears a
mark of that name in the nanoseconds: who writes through one of its links sets another time, and
the file is not linked again; nor is one that was made writable. A clone shares a file's blocks
until either is written to; only some file systems have them (Btrfs, XFS, bcachefs).
"""

from __future__ import annotations

import fcntl
import io
import os
import stat
import threading
import time
from typing import TYPE_CHECKING, Self, TypeAlias

from blake3 import blake3

from treadle.data.trees.places import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from treadle.data.trees.entities import TreeEntry

_KINDS = {"file": b"file", "executable": b"executable"}
_MODES = {"file": 0o444, "executable": 0o555}
_OWN_MODES = {"file": 0o644, "executable": 0o755}
# Linux's `ioctl_ficlone(2)`; others have no such call, or another.
_CLONE = 0x4004_9409


Kept: TypeAlias = tuple[str, os.stat_result]
"""A kept file: where on the shelf, and how it looks."""


class Shelf:
    """Read-only files by their content; open while a checkout takes some."""

    def __init__(self, folder: Path) -> None:
        self.clones = hasattr(os, "O_DIRECT")  # Linux: others know this number otherwise
        self._folder = str(folder)
        folder.mkdir(parents=True, exist_ok=True)
        # Names below an open folder are found sooner than whole paths.
        self._open = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        self.device = os.fstat(self._open).st_dev

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._open)

    def find(self, entry: TreeEntry) -> Kept | None:
        """Return a file that is kept and as it was made, None when there is none."""
        name, mark = _name(entry)
        path = f"{name[:2]}/{name}"
        try:
            status = os.stat(path, dir_fd=self._open, follow_symlinks=False)
        except OSError:  # not there: it is written instead
            return None
        return (path, status) if _is_as_made(status, entry, mark) else None

    def clone(self, kept: Kept, target: str, *, entry: TreeEntry) -> bool:
        """Make a file of its own with a kept one's blocks; say whether that could be.

        Nothing is left at the target when it could not.
        """
        try:
            source = os.open(kept[0], os.O_RDONLY | os.O_NOFOLLOW, dir_fd=self._open)
        except OSError:  # gone since: it is written instead
            return False
        try:
            if not _is_as_made(os.fstat(source), entry, _name(entry)[1]):
                return False
            with new_file(target) as file:
                fcntl.ioctl(file.fileno(), _CLONE, source)
                os.fchmod(file.fileno(), _OWN_MODES[entry.kind])
        except OSError:  # this file system has no clones
            self.clones = False
            os.unlink(target)
            return False
        finally:
            os.close(source)
        return True

    def link(self, kept: Kept, target: str, *, folder: int) -> bool:
        """Link a kept file into an open folder; say whether that could be.

        Raises FileExistsError when something is at the target.
        """
        here = self._open
        try:
            os.link(kept[0], target, src_dir_fd=here, dst_dir_fd=folder, follow_symlinks=False)
        except FileExistsError:
            raise
        except OSError:  # gone since, too many links: it is written instead
            return False
        return True

    def keep(self, entry: TreeEntry, blocks: Iterable[bytes]) -> Kept:
        """Keep a file in place of one that may be there."""
        name, mark = _name(entry)
        folder = f"{self._folder}/{name[:2]}"
        draft = f"{folder}/draft-{os.getpid()}-{threading.get_ident()}-{name}"
        with new_file(draft) as file:
            for block in blocks:
                write_all(file, block)
            handle = file.fileno()
            os.fchmod(handle, _MODES[entry.kind])
            at = time.time_ns() // SECOND_NS * SECOND_NS + mark
            os.utime(handle, ns=(at, at))
            status = os.fstat(handle)
        os.rename(draft, f"{folder}/{name}")
        return f"{name[:2]}/{name}", status


def new_file(path: str) -> io.FileIO:
    """Open a file that is made now, without a buffer: what is written is written at once."""
    try:
        return io.FileIO(path, "x")
    except FileExistsError:  # of one that was killed
        os.unlink(path)
    except FileNotFoundError:
        os.makedirs(os.path.dirname(path), exist_ok=True)
    return io.FileIO(path, "x")


def write_all(file: io.FileIO, block: bytes) -> None:
    """Write a block whole: without a buffer nobody else does what is left of a short write."""
    left = memoryview(block)
    while left:
        left = left[file.write(left) :]


def _is_as_made(status: os.stat_result, entry: TreeEntry, mark: int) -> bool:
    return (
        status.st_mtime_ns % SECOND_NS == mark
        and status.st_size == entry.size_bytes
        and status.st_mode == stat.S_IFREG | _MODES[entry.kind]
    )


def _name(entry: TreeEntry) -> tuple[str, int]:
    name = blake3(_KINDS[entry.kind] + entry.content).digest()
    return name.hex(), int.from_bytes(name[:6], "big") % SECOND_NS
