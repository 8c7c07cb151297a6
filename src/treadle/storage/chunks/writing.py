"""The way in: bytes are cut and digested, and what no chunk holds yet is packed and put."""

from __future__ import annotations

import io
import threading
import time
from typing import TYPE_CHECKING, Any

from blake3 import blake3

from treadle.storage.chunks import store as sql
from treadle.storage.chunks.compression import Compressor
from treadle.storage.chunks.cutting import FILES, WINDOW_BYTES, Bounds, cut, cut_stream
from treadle.storage.chunks.packs import PackDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from treadle.storage.ports import MetadataStore, ObjectStore


LONG_WRITE_BYTES = 4 << 10


class Intake:
    """What one commit brings in; its writers may be in several threads.

    With `dry_run` everything is read, cut and digested, and nothing is written.
    """

    def __init__(
        self, *, store: MetadataStore, objects: ObjectStore, dry_run: bool = False
    ) -> None:
        self._store = store
        self._objects = objects
        self._dry_run = dry_run
        self._lock = threading.Lock()
        self._claimed: set[bytes] = set()
        self.new_bytes = 0
        """Bytes that no chunk held before, as they were read."""
        self.stored_bytes = 0
        """Bytes of the packs that were written."""

    def claim(self, digests: Iterable[bytes]) -> set[bytes]:
        """Return which of the chunks the caller is to write: not stored, claimed by nobody else."""
        asked = {digest for digest in digests if digest not in self._claimed}
        if not asked:
            return asked
        with self._store.read() as tx:
            stored = sql.known(tx, asked)
        with self._lock:
            mine = asked - self._claimed
            self._claimed |= mine
        return mine - stored

    def put(self, draft: PackDraft) -> None:
        """Store a pack and make its chunks known: from then on anyone may lean on them."""
        new = sum(entry.raw_length for entry in draft.entries)
        size = 0
        if not self._dry_run:
            size = self._make_known(draft)
        with self._lock:
            self.new_bytes += new
            self.stored_bytes += size

    def _make_known(self, draft: PackDraft) -> int:
        info = draft.put(self._objects)
        with self._store.write() as tx:
            sql.lock_to_lean(tx)
            if self._objects.stat(info.digest) is None:  # swept away as nobody's, just now
                draft.put(self._objects)
            sql.add_pack(tx, info, draft.entries, at=time.time_ns() // 1000)
        return info.size_bytes


class ChunkWriter:
    """Takes bytes and returns the digests of their chunks. Belongs to one thread.

    What it was given is stored once it is closed.
    """

    def __init__(self, intake: Intake) -> None:
        self.intake = intake
        self._draft = PackDraft()
        self._compressor = Compressor()

    def add_whole(self, wholes: Sequence[bytes]) -> list[bytes]:
        """Take bytes, each short enough to be one chunk."""
        digests = [blake3(whole).digest() for whole in wholes]
        self._take(digests, wholes)
        return digests

    def add_stream(
        self, read_into: Callable[[memoryview], int], *, bounds: Bounds = FILES
    ) -> tuple[list[bytes], int]:
        """Take all that a `readinto` gives; return the chunks' digests in order, and the size."""
        digests: list[bytes] = []
        size = 0

        def window() -> memoryview:
            return self.room(2 * bounds.most)[:WINDOW_BYTES]

        for pieces in cut_stream(read_into, bounds, window=window):
            digests += self.take(pieces)
            size += sum(map(len, pieces))
        return digests, size

    def room(self, size_bytes: int) -> memoryview:
        """Return memory for so many bytes or more, to be filled from its start and then taken.

        What of it becomes part of a pack need not be copied. Taking anything ends it.
        """
        if not self._draft.has_room(size_bytes):
            self._flush()
        return self._draft.room()

    def take(self, pieces: Sequence[memoryview]) -> list[bytes]:
        """Take chunks that lie in the room, one after the other from its start."""
        digests = [blake3(piece).digest() for piece in pieces]
        mine = self.intake.claim(digests)
        at = self._draft.size_bytes
        for digest, piece in zip(digests, pieces, strict=True):
            size = len(piece)
            if digest in mine:
                mine.discard(digest)
                body = self._compressor.compressed(piece)
                lies_at = at if body is piece else -1
                self._draft.add(digest, body, raw_length=size, lies_at=lies_at)
            at += size
        self._draft.digest_more()
        return digests

    def add(self, data: bytes, *, bounds: Bounds) -> list[bytes]:
        """Take bytes that are in memory."""
        view = memoryview(data)
        return self._add([view[start:stop] for start, stop in cut(view, bounds)] if data else [])

    def sink(self) -> ChunkSink:
        """Return a file to write to; what is written is taken chunk by chunk."""
        return ChunkSink(self._add)

    def absorb(self, other: ChunkWriter) -> None:
        """Take over what another writer has not written yet: few packs are better than many."""
        if not self._draft.entries:
            self._draft, other._draft = other._draft, self._draft
        for entry, body in other._draft.bodies():
            self._append(entry.digest, body, raw_length=entry.raw_length)
        other._draft.clear()

    def close(self) -> None:
        """Write what is not written yet."""
        self._flush()

    def _add(self, pieces: Sequence[memoryview]) -> list[bytes]:
        digests = [blake3(piece).digest() for piece in pieces]
        self._take(digests, pieces)
        return digests

    def _take(self, digests: Sequence[bytes], pieces: Sequence[bytes | memoryview]) -> None:
        mine = self.intake.claim(digests)
        for digest, piece in zip(digests, pieces, strict=True):
            if digest in mine:
                mine.discard(digest)
                self._keep(digest, piece)
        self._draft.digest_more()

    def _keep(self, digest: bytes, piece: bytes | memoryview) -> None:
        self._append(digest, self._compressor.compressed(piece), raw_length=len(piece))

    def _append(self, digest: bytes, body: bytes | memoryview, *, raw_length: int) -> None:
        if not self._draft.has_room(len(body)):
            self._flush()
        self._draft.add(digest, body, raw_length=raw_length)

    def _flush(self) -> None:
        if self._draft.entries:
            self.intake.put(self._draft)
            self._draft.clear()


class ChunkSink(io.RawIOBase):
    """A file that is only written, by who knows where it is best cut: after each long write.

    A writer of Parquet gives each page by one call. Pages that end where their content says are
    chunks as they are: whatever changes, changes its own.
    """

    def __init__(self, take: Callable[[Sequence[memoryview]], list[bytes]]) -> None:
        self._take = take
        self._held = bytearray()
        self.digests: list[bytes] = []
        self.size_bytes = 0

    def writable(self) -> bool:
        """Say that it can be written."""
        return True

    def write(self, data: Any) -> int:
        """Take bytes."""
        view = memoryview(data).cast("B")
        self.size_bytes += len(view)
        self._held += view
        if len(view) >= LONG_WRITE_BYTES or len(self._held) >= FILES.most:
            self._cut()
        return len(view)

    def close(self) -> None:
        """Take what is held as the end."""
        if not self.closed:
            self._cut()
        super().close()

    def _cut(self) -> None:
        held, self._held = memoryview(self._held), bytearray()
        is_one = len(held) <= FILES.most
        cuts = [(0, len(held))] if is_one else cut(held, FILES)
        if held:
            self.digests += self._take([held[start:stop] for start, stop in cuts])
