"""Whole files of versions, kept in the home so that checkouts need only clone or link them.

Everything here can be removed at any time. A file's name says its content and its mtime bears a
mark of that name in the nanoseconds: who writes through one of its links sets another time, and
the file is not linked again. A clone shares a file's blocks until either is written to; only some
file systems have them (Btrfs, XFS, bcachefs).
"""

from __future__ import annotations

import fcntl
import io
import os
import threading
import time
from typing import TYPE_CHECKING

from blake3 import blake3

from treadle.data.trees.places import SECOND_NS

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from treadle.data.trees.entities import TreeEntry

_MODES = {"file": 0o444, "executable": 0o555}
_OWN_MODES = {"file": 0o644, "executable": 0o755}
# Linux's `ioctl_ficlone(2)`; others have no such call, or another.
_CLONE = 0x4004_9409


class Shelf:
    """Read-only files by their content."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._clones = hasattr(os, "O_DIRECT")  # Linux: others know this number otherwise
        self._folder = str(folder)
        folder.mkdir(parents=True, exist_ok=True)

    def clone(self, entry: TreeEntry, target: str) -> bool:
        """Make a file of its own with a kept one's blocks; say whether that was there and could be.

        Nothing is left at the target when it could not.
        """
        if not self._clones:
            return False
        name, mark = _name(entry)
        try:
            kept = os.open(f"{self._folder}/{name[:2]}/{name}", os.O_RDONLY | os.O_NOFOLLOW)
        except OSError:  # not there: it is written instead
            return False
        try:
            status = os.fstat(kept)
            if status.st_size != entry.size_bytes or status.st_mtime_ns % SECOND_NS != mark:
                return False
            with new_file(target) as file:
                fcntl.ioctl(file.fileno(), _CLONE, kept)
                os.fchmod(file.fileno(), _OWN_MODES[entry.kind])
        except OSError:  # this file system has no clones
            self._clones = False
            os.unlink(target)
            return False
        finally:
            os.close(kept)
        return True

    def link(self, entry: TreeEntry, target: str) -> os.stat_result | None:
        """Link a file to where nothing is yet; return how it looks, None if it was not kept.

        Raises FileExistsError when something is at the target.
        """
        name, mark = _name(entry)
        kept = f"{self._folder}/{name[:2]}/{name}"
        try:
            status = os.lstat(kept)
            if status.st_size != entry.size_bytes or status.st_mtime_ns % SECOND_NS != mark:
                return None
            os.link(kept, target)
        except FileExistsError:
            raise
        except OSError:  # not there, too many links: it is written instead
            return None
        return status

    def keep(self, entry: TreeEntry, blocks: Iterable[bytes]) -> None:
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
        os.rename(draft, f"{folder}/{name}")


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


def _name(entry: TreeEntry) -> tuple[str, int]:
    name = blake3(entry.kind.encode() + entry.content).hexdigest()
    return name, int(name[:12], 16) % SECOND_NS
