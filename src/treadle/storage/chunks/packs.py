"""The format of a pack: many chunks in one immutable object that lists what it holds at its end.

    "TRDLPACK" | id, 16 bytes | chunk … | entry … | where entries begin | how many | "TRDLINDX"

An entry is digest (32 bytes), offset, length, raw length; numbers are 4 bytes, big-endian. A chunk
shorter than its raw length is a zstd frame. The id makes every pack's bytes its own: a pack that is
removed is never put again under the same digest. It is a UUIDv7, so a pack tells its age.
"""

from __future__ import annotations

import mmap
import struct
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import Corrupt
from treadle.kernel.ids import id_time, new_id
from treadle.storage.objects import read_up_to
from treadle.storage.ports import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from treadle.storage.ports import ObjectInfo, ObjectStore

MAGIC = b"TRDLPACK"
END = b"TRDLINDX"
PACK_BYTES = 32 << 20
"""So much of chunks goes into one pack: few enough objects, little enough memory."""

_ENTRY = struct.Struct(">32sIII")
_TRAILER = struct.Struct(">II8s")
_HEADER_BYTES = len(MAGIC) + 16


def overhead_bytes(chunks: int) -> int:
    """Return what a pack of so many chunks takes beside them."""
    return _HEADER_BYTES + chunks * _ENTRY.size + _TRAILER.size


class Entry(NamedTuple):
    """Where a chunk lies in its pack."""

    digest: bytes
    offset: int
    length: int
    raw_length: int


class PackDraft:
    """Chunks on their way into one pack."""

    def __init__(self) -> None:
        # Memory that is taken only as it is filled: most commits are small.
        self._arena = memoryview(mmap.mmap(-1, PACK_BYTES))
        self.entries: list[Entry] = []
        self._fill = 0
        self.clear()

    def clear(self) -> None:
        """Begin a new pack in the same memory."""
        header = MAGIC + bytes.fromhex(new_id())
        self._arena[: len(header)] = header
        self._fill = len(header)
        self.entries = []

    def has_room(self, size: int) -> bool:
        """Say whether so many bytes fit."""
        return self._fill + size <= PACK_BYTES

    def add(self, digest: bytes, body: bytes | memoryview, *, raw_length: int) -> None:
        """Append a chunk that fits."""
        self.entries.append(Entry(digest, self._fill, len(body), raw_length))
        self._arena[self._fill : self._fill + len(body)] = body
        self._fill += len(body)

    def bodies(self) -> Iterator[tuple[Entry, memoryview]]:
        """Yield what is in it, as it is stored."""
        return ((e, self._arena[e.offset : e.offset + e.length]) for e in self.entries)

    def stream(self) -> BinaryIO:
        """Return the whole pack to read; it is not copied."""
        index = join_entries(self.entries)
        trailer = _TRAILER.pack(self._fill, len(self.entries), END)
        chunks = self._arena[: self._fill]
        return cast("BinaryIO", _Parts([chunks, memoryview(index + trailer)]))


class _Parts:
    """Parts of memory as a stream that hands out views."""

    def __init__(self, parts: list[memoryview]) -> None:
        self._parts = parts
        self.size_bytes = sum(len(part) for part in parts)

    def read(self, size: int = CHUNK_BYTES) -> memoryview | bytes:
        while self._parts:
            block, self._parts[0] = self._parts[0][:size], self._parts[0][size:]
            if block:
                return block
            del self._parts[0]
        return b""


def read_index(objects: ObjectStore, info: ObjectInfo) -> tuple[Entry, ...]:
    """Return what a pack holds by its own word. Raises Corrupt when it has no readable index."""
    trailer = _part(objects, info, info.size_bytes - _TRAILER.size, info.size_bytes)
    start, count, end = _TRAILER.unpack(trailer) if len(trailer) == _TRAILER.size else (0, 0, b"")
    stop = start + count * _ENTRY.size
    if end != END or stop + _TRAILER.size != info.size_bytes:
        raise Corrupt(
            f"Pack {info.digest[:12]}… has no readable index.",
            hint="Restore it from a copy: treadle data fsck --repair FOLDER.",
            digest=info.digest,
        )
    return split_entries(_part(objects, info, start, stop))


def join_entries(entries: Iterable[Entry]) -> bytes:
    """Return entries as a pack lists them."""
    return b"".join(_ENTRY.pack(*entry) for entry in entries)


def split_entries(listed: bytes) -> tuple[Entry, ...]:
    """Return the entries of a list."""
    return tuple(Entry(*entry) for entry in _ENTRY.iter_unpack(listed))


def pack_time(objects: ObjectStore, info: ObjectInfo) -> int | None:
    """Return when a pack was begun (µs), None when an object is no pack."""
    head = _part(objects, info, 0, _HEADER_BYTES)
    if len(head) < _HEADER_BYTES or not head.startswith(MAGIC):
        return None
    return id_time(head[len(MAGIC) :].hex())


def is_pack(objects: ObjectStore, info: ObjectInfo) -> bool:
    """Say whether an object calls itself a pack."""
    return pack_time(objects, info) is not None


def _part(objects: ObjectStore, info: ObjectInfo, start: int, stop: int) -> bytes:
    span = Span(max(0, start), min(stop, info.size_bytes))
    with objects.open(info.digest, span=span) as stream:
        return read_up_to(stream, span.stop - span.start)
