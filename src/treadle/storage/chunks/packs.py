"""The format of a pack: many chunks in one immutable object that lists what it holds at its end.

    "TRDLPACK" | id, 16 bytes | chunk … | entry … | where entries begin | how many | "TRDLINDX"

An entry is digest (32 bytes), offset, length, raw length; numbers are 4 bytes, big-endian. A chunk
shorter than its raw length is a zstd frame. The id makes every pack's bytes its own: a pack that is
removed is never put again under the same digest. It is a UUIDv7, so a pack tells its age.
"""

from __future__ import annotations

import contextlib
import mmap
import struct
from itertools import starmap
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from blake3 import blake3

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
    """Chunks on their way into one pack, and room to read more of them into."""

    def __init__(self) -> None:
        self._arena = _new_arena()
        self.entries: list[Entry] = []
        self.size_bytes = 0
        """So much of its memory is filled: there the room begins."""
        self.clear()

    def clear(self) -> None:
        """Begin a new pack in the same memory; what lies in the room stays as it is."""
        header = MAGIC + bytes.fromhex(new_id())
        self._arena[: len(header)] = header
        self.size_bytes = len(header)
        self.entries = []
        self._hasher = blake3()
        self._digested = 0

    def has_room(self, size: int) -> bool:
        """Say whether so many bytes fit."""
        return self.size_bytes + size <= PACK_BYTES

    def room(self) -> memoryview:
        """Return the memory behind what is in it."""
        return self._arena[self.size_bytes :]

    def add(
        self, digest: bytes, body: bytes | memoryview, *, raw_length: int, lies_at: int = -1
    ) -> None:
        """Append a chunk that fits; one that `lies_at` the right place already is not copied."""
        start, length = self.size_bytes, len(body)
        if lies_at != start:
            self._arena[start : start + length] = body
        self.entries.append(Entry(digest, start, length, raw_length))
        self.size_bytes = start + length

    def digest_more(self) -> None:
        """Digest what was added since, while it is still in the processor's cache."""
        # Whole MiB: pieces that begin and end anywhere cost BLAKE3 a few hundredths more.
        stop = self.size_bytes - self.size_bytes % CHUNK_BYTES
        if stop > self._digested:
            self._hasher.update(self._arena[self._digested : stop])
            self._digested = stop

    def bodies(self) -> Iterator[tuple[Entry, memoryview]]:
        """Yield what is in it, as it is stored."""
        return ((e, self._arena[e.offset : e.offset + e.length]) for e in self.entries)

    def stream(self) -> BinaryIO:
        """Return the whole pack to read; it is not copied."""
        return cast("BinaryIO", _Parts([self._filled(), memoryview(self._index())]))

    def put(self, objects: ObjectStore) -> ObjectInfo:
        """Store the pack; what was digested as it came is not digested again."""
        index = self._index()
        stream = cast("BinaryIO", _Parts([self._filled(), memoryview(index)]))
        whole = self._hasher.copy()
        whole.update(self._filled()[self._digested :])
        whole.update(index)
        return objects.put(stream, name=whole.hexdigest)

    def _filled(self) -> memoryview:
        return self._arena[: self.size_bytes]

    def _index(self) -> bytes:
        return join_entries(self.entries) + _TRAILER.pack(self.size_bytes, len(self.entries), END)


def _new_arena() -> memoryview:
    # Memory that is taken only as it is filled: most commits are small. In huge pages where there
    # are any: 32 MB of small ones cost 30 ms when they are first filled, and each write more.
    arena = mmap.mmap(-1, PACK_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        with contextlib.suppress(OSError):  # a kernel that was built without
            arena.madvise(mmap.MADV_HUGEPAGE)
    return memoryview(arena)


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
    return b"".join(starmap(_ENTRY.pack, entries))


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
