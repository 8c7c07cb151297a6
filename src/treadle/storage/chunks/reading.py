"""The way out: chunks by their digests, each checked, neighbours read together."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from treadle.kernel.errors import Corrupt, NotFound
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.compression import decompressed
from treadle.storage.objects import read_up_to
from treadle.storage.ports import Span

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from treadle.storage.chunks.store import ChunkPlace
    from treadle.storage.ports import MetadataStore, ObjectStore

READ_BYTES = 8 << 20
# Reading over a gap costs less than asking again.
GAP_BYTES = 64 << 10


class Stored(NamedTuple):
    """A chunk that was read: where it lies, its bytes there and its own."""

    digest: bytes
    place: ChunkPlace
    body: memoryview
    raw: bytes


class ChunkReader:
    """Reads chunks and says which is damaged or gone. May be shared by threads."""

    def __init__(self, *, store: MetadataStore, objects: ObjectStore) -> None:
        self._store = store
        self._objects = objects

    def find(self, digests: Sequence[bytes]) -> dict[bytes, ChunkPlace]:
        """Return where chunks are. Raises Corrupt when one is nowhere."""
        with self._store.read() as tx:
            found = sql.places(tx, set(digests))
        for digest in digests:
            if digest not in found:
                raise _lost(digest, "is not stored any more")
        return found

    def join(self, digests: Sequence[bytes]) -> bytes:
        """Return the bytes of chunks in their order; all of them in memory."""
        found = dict(self.each(self.find(digests)))
        return b"".join(found[digest] for digest in digests)

    def each(self, places: Mapping[bytes, ChunkPlace]) -> Iterator[tuple[bytes, bytes]]:
        """Yield chunks in the order in which they lie, a few MB at a time in memory.

        Raises Corrupt for the first that is damaged or gone.
        """
        for stored in self.stored(places):
            yield stored.digest, stored.raw

    def stored(self, places: Mapping[bytes, ChunkPlace]) -> Iterator[Stored]:
        """Yield chunks also as they are stored, each checked; like `each`."""
        for pack, run in _runs(places):
            yield from self._read(pack, run, may_have_moved=True)

    def _read(
        self, pack: str, run: list[tuple[bytes, ChunkPlace]], *, may_have_moved: bool
    ) -> Iterator[Stored]:
        start, stop = run[0][1].offset, run[-1][1].offset + run[-1][1].length
        try:
            block = self._part(pack, Span(start, stop), digest=run[0][0])
        except (NotFound, FileNotFoundError) as error:
            # A sweep may have written a pack anew since these places were looked up.
            moved = self.find([digest for digest, _ in run]) if may_have_moved else {}
            if not moved or any(place.pack == pack for place in moved.values()):
                raise _lost(run[0][0], f"is gone with its pack {pack[:12]}…") from error
            for other, some in _runs(moved):
                yield from self._read(other, some, may_have_moved=False)
            return
        for digest, place in run:
            at = place.offset - start
            body = block[at : at + place.length]
            yield Stored(digest, place, body, _checked(body, place, digest))

    def _part(self, pack: str, span: Span, *, digest: bytes) -> memoryview:  # noqa: ARG002 - for who says it otherwise
        with self._objects.open(pack, span=span) as stream:
            return memoryview(read_up_to(stream, span.stop - span.start))


def sound_chunks(
    objects: ObjectStore, places: Mapping[bytes, ChunkPlace]
) -> Iterator[tuple[bytes, memoryview, bytes]]:
    """Yield the chunks that can still be read, each as it is stored and its own bytes.

    Neighbours are read together; only where that fails each by itself.
    """
    for pack, run in _runs(places):
        start = run[0][1].offset
        stop = max(place.offset + place.length for _, place in run)
        with contextlib.suppress(NotFound, FileNotFoundError, Corrupt):
            with objects.open(pack, span=Span(start, stop)) as stream:
                block = memoryview(read_up_to(stream, stop - start))
            for digest, place in run:
                body = block[place.offset - start : place.offset - start + place.length]
                with contextlib.suppress(Corrupt):
                    yield digest, body, _checked(body, place, digest)
            continue
        if len(run) > 1:
            for digest, place in run:
                yield from sound_chunks(objects, {digest: place})


def _runs(
    places: Mapping[bytes, ChunkPlace],
) -> Iterator[tuple[str, list[tuple[bytes, ChunkPlace]]]]:
    """Yield neighbours in a pack, so many as are read at once."""
    run: list[tuple[bytes, ChunkPlace]] = []
    for digest, place in sorted(places.items(), key=lambda item: item[1]):
        if run:
            first, last = run[0][1], run[-1][1]
            is_near = place.offset <= last.offset + last.length + GAP_BYTES
            fits = place.offset + place.length - first.offset <= READ_BYTES
            if place.pack != first.pack or not is_near or not fits:
                yield first.pack, run
                run = []
        run.append((digest, place))
    if run:
        yield run[0][1].pack, run


def _checked(body: memoryview, place: ChunkPlace, digest: bytes) -> bytes:
    raw: bytes | None = bytes(body)
    if place.length < place.raw_length:
        raw = decompressed(bytes(body), size_bytes=place.raw_length)
    if raw is None or blake3(raw).digest() != digest:
        raise _lost(digest, f"is damaged in pack {place.pack[:12]}…")
    return raw


def _lost(digest: bytes, what: str) -> Corrupt:
    return Corrupt(
        f"Chunk {digest.hex()[:12]}… {what}.",
        hint="treadle data fsck names all that is damaged; --repair FOLDER takes it from a copy.",
        chunk=digest.hex(),
    )
