"""Chunks out of a remote: found by the indexes of its packs, each checked as it is read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.remotes import keys
from treadle.kernel.errors import Corrupt, NotFound
from treadle.storage.chunks.packs import split_entries
from treadle.storage.chunks.reading import ChunkReader
from treadle.storage.chunks.store import ChunkPlace
from treadle.storage.objects import read_up_to
from treadle.storage.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence
    from typing import BinaryIO

    from treadle.data.remotes.depot import Depot
    from treadle.data.remotes.entities import PackIndex
    from treadle.storage.ports import BlobInfo, Span

DIGEST_BYTES = 32
ENTRY_BYTES = 44


def read_chunks(
    depot: Depot, digests: Collection[bytes], *, datasets: Iterable[str] = ()
) -> Iterator[tuple[bytes, bytes]]:
    """Yield those chunks that a remote has sound, each with its digest, in no promised order.

    `datasets` are those whose chunks they are: a remote that cannot be listed knows no others.
    """
    reader = RemoteReader(depot, depot.index_names(datasets))
    for digest, place in reader.locate(digests).items():
        try:
            yield from reader.each({digest: place})
        except Corrupt:
            continue


class WholeObjects:
    """The whole objects and packs of a remote, as a copy of the home's."""

    def __init__(self, depot: Depot) -> None:
        self._blobs = depot.blobs
        self._lists = depot.lists

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        found = self._find(digest)
        return ObjectInfo(digest, found.size_bytes) if found else None

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone."""
        found = self._find(digest)
        if found is None:
            raise NotFound("object", digest)
        return self._blobs.open(found.key, span=span)

    def _find(self, digest: str) -> BlobInfo | None:
        of_first_era = (keys.pack_key(digest), keys.object_key(digest))
        for found in map(self._blobs.stat, of_first_era):
            if found is not None:
                return found
        if not self._lists:
            return None
        for key in of_first_era:
            for info in self._blobs.list(key.rpartition("/")[0]):
                if keys.digest_of(keys.name_of(info.key)) == digest:
                    return info
        return None


class RemoteReader(ChunkReader):
    """Reads chunks of a remote, as those of the home are read. May be shared by threads."""

    def __init__(self, depot: Depot, indexes: Iterable[str]) -> None:
        # The base knows where chunks are from the database, this from the remote's indexes.
        self._depot = depot
        self.indexes = dict(depot.indexes(indexes))
        self._lists: dict[bytes, bytes] = {}

    def join(self, digests: Sequence[bytes]) -> bytes:
        """Return the bytes of chunks in their order; for lists of files, most of which repeat."""
        new = [digest for digest in digests if digest not in self._lists]
        self._lists |= dict(self.each(self.find(new)))
        return b"".join(self._lists[digest] for digest in digests)

    def needed(self, packs: Collection[str]) -> set[str]:
        """Return the names of the indexes of packs."""
        return {name for name, index in self.indexes.items() if index.pack in packs}

    def locate(self, digests: Collection[bytes]) -> dict[bytes, ChunkPlace]:
        """Return where chunks are; those that the remote does not have are left out."""
        wanted = set(digests)
        found: dict[bytes, ChunkPlace] = {}
        for index in self.indexes.values():
            if not wanted:
                break
            if wanted.isdisjoint(held_by(index)):
                continue
            for entry in split_entries(index.entries):
                if entry.digest in wanted:
                    wanted.discard(entry.digest)
                    found[entry.digest] = ChunkPlace(index.pack, *entry[1:])
        return found

    def find(self, digests: Sequence[bytes]) -> dict[bytes, ChunkPlace]:
        """Return where chunks are. Raises Corrupt when one is nowhere."""
        found = self.locate(digests)
        for digest in digests:
            if digest not in found:
                raise self._gone(digest, "in no pack of")
        return found

    def _part(self, pack: str, span: Span, *, digest: bytes) -> memoryview:
        try:
            with self._depot.blobs.open(keys.pack_key(pack), span=span) as stream:
                return memoryview(read_up_to(stream, span.stop - span.start))
        except NotFound as error:
            raise self._gone(digest, f"gone with its pack {pack[:12]}… from") from error

    def _gone(self, digest: bytes, what: str) -> Corrupt:
        return Corrupt(
            f"Chunk {digest.hex()[:12]}… is {what} the remote {self._depot.url}.",
            hint="Push again from a home that has it.",
            chunk=digest.hex(),
        )


def held_by(index: PackIndex) -> set[bytes]:
    """Return the digests of the chunks that a pack holds."""
    entries = index.entries
    return {entries[i : i + DIGEST_BYTES] for i in range(0, len(entries), ENTRY_BYTES)}
