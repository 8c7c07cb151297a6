"""What is remembered of a folder: its version, and what each file looked like when it was read.

A file that looks the same is not read again. One that changed so soon before it was read that its
times cannot show another change is remembered without them (the racy case of Git's index).
"""

from __future__ import annotations

import os
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
from blake3 import blake3

from treadle.data.trees.entities import EntryKind, TreeEntry

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.trees.walking import Found

# Two ticks of the slowest kernel clock in use; file systems that only know whole seconds show it.
TICK_NS = 20_000_000
COARSE_NS = 2_000_000_000
SECOND_NS = 1_000_000_000


class Seen(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A file as it looked when its content was known; an mtime of 0 trusts nothing.

    A ctime of 0 is not compared: it changes when another folder gets or loses a link to the file.
    """

    path: str
    kind: EntryKind
    size_bytes: int
    mtime_ns: int
    ctime_ns: int
    inode: int
    content: bytes

    def is_still(self, found: Found) -> bool:
        """Say whether a file looks as it did."""
        return (
            self.mtime_ns == found.mtime_ns
            and self.ctime_ns in {0, found.ctime_ns}
            and self.size_bytes == found.size_bytes
            and self.inode == found.inode
            and self.mtime_ns != 0
        )

    @property
    def entry(self) -> TreeEntry:
        """Return it as part of a tree."""
        return TreeEntry(self.path, self.kind, self.size_bytes, self.content)


class Place(msgspec.Struct, frozen=True):
    """A folder in which a version was committed or checked out."""

    root: str
    ref: str
    only: tuple[str, ...]
    seen: tuple[Seen, ...]


class Places:
    """The places of a home, a file each. What cannot be read is as if it were not there."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def load(self, root: Path) -> Place | None:
        """Return what is remembered of a folder."""
        place = _read(self._file(root))
        return place if place is not None and place.root == str(root) else None

    def all(self) -> Iterator[Place]:
        """Yield all that are remembered."""
        for path in self._folder.glob("*"):
            place = _read(path)
            if place is not None:
                yield place

    def save(self, place: Place) -> None:
        """Remember a folder in place of what was remembered before."""
        self._folder.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=self._folder, prefix="draft-")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(msgspec.msgpack.encode(place))
            Path(name).replace(self._file(Path(place.root)))
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise

    def _file(self, root: Path) -> Path:
        return self._folder / blake3(os.fsencode(root)).hexdigest()[:32]


def _read(path: Path) -> Place | None:
    try:
        return msgspec.msgpack.decode(path.read_bytes(), type=Place)
    except (OSError, msgspec.DecodeError):  # it saves work, nothing depends on it
        return None


def seen(found: Found, content: bytes, *, read_at_ns: int) -> Seen:
    """Remember a file whose content was read from `read_at_ns` on, by the clock of its times."""
    changed = max(found.mtime_ns, found.ctime_ns)
    tick = TICK_NS if found.mtime_ns % SECOND_NS or found.ctime_ns % SECOND_NS else COARSE_NS
    is_racy = changed + tick >= read_at_ns
    times = (0, 0) if is_racy else (found.mtime_ns, found.ctime_ns)
    return Seen(found.path, found.kind, found.size_bytes, *times, found.inode, content)


def now_ns() -> int:
    """Return the machine's time: files bear that, whatever a replayed project's clock says."""
    return time.time_ns()


def now_us() -> int:
    """Return the machine's time as packs bear it."""
    return now_ns() // 1000
