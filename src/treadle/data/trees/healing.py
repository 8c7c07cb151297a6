"""Chunks that are damaged or gone, got back from wherever they still are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from blake3 import blake3

from treadle.kernel.errors import Corrupt
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.compression import Compressor
from treadle.storage.chunks.cutting import FILES, cut_stream, own_window
from treadle.storage.chunks.moving import Mover
from treadle.storage.chunks.packs import is_pack, read_index
from treadle.storage.chunks.reading import sound_chunks
from treadle.storage.chunks.store import ChunkPlace
from treadle.storage.chunks.writing import ChunkWriter, Intake

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator, Sequence
    from pathlib import Path

    from treadle.data.trees.places import Places
    from treadle.storage.chunks.store import Pack
    from treadle.storage.ports import MetadataStore, ObjectInfo, ObjectStore
    from treadle.storage.transaction import Transaction

    ChunkSource = Callable[[Collection[bytes]], Iterator[tuple[bytes, bytes]]]
    """Yields those of the chunks that it has sound: a digest and the bytes."""


class Healer:
    """Puts chunks where they can be read again, in new packs; asks one source after the other."""

    def __init__(
        self, *, store: MetadataStore, objects: ObjectStore, sources: Sequence[ChunkSource]
    ) -> None:
        self._store = store
        self._objects = objects
        self._sources = sources

    def heal(self, pack: Pack, *, dead: Collection[bytes]) -> bool:
        """Move what is still sound, and what a source has, out of a damaged pack.

        `dead` are chunks that nothing needs: they are let go. Return whether the pack is gone now;
        it stays where a chunk of it is nowhere else.
        """
        with self._store.read() as tx:
            places = sql.places_in(tx, pack)

        def needed(_tx: Transaction, rest: Collection[bytes]) -> set[bytes]:
            return set(rest).difference(dead)

        mover = Mover(store=self._store, objects=self._objects, needed=needed)
        lacking = places.keys() - set(dead)
        for digest, body, raw in sound_chunks(self._objects, places):
            mover.take(pack, digest, body, raw_length=len(raw))
            lacking.discard(digest)
        compressor = Compressor()
        for digest, raw in self._found(lacking):
            mover.take(pack, digest, compressor.compressed(raw), raw_length=len(raw))
            lacking.discard(digest)
        mover.leave(pack)
        mover.close()
        return not lacking

    def restore(self, digests: Collection[bytes]) -> None:
        """Store chunks again that no pack is known to hold, as far as a source has them."""
        writer = ChunkWriter(Intake(store=self._store, objects=self._objects))
        for _, raw in self._found(digests):
            writer.add_whole([raw])
        writer.close()

    def _found(self, digests: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        wanted = set(digests)
        for source in self._sources:
            if wanted:
                for digest, raw in source(frozenset(wanted)):
                    if digest in wanted:
                        wanted.discard(digest)
                        yield digest, raw


class PacksOf:
    """The packs in a copy of the objects, or in the objects themselves, as a source of chunks."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._indexes: list[tuple[str, dict[bytes, ChunkPlace]]] | None = None

    def __call__(self, digests: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield chunks that a pack there holds by its own index, and still has."""
        wanted = set(digests)
        for index in self._all():
            places = {digest: index[digest] for digest in wanted & index.keys()}
            for digest, _, raw in sound_chunks(self._objects, places):
                wanted.discard(digest)
                yield digest, raw

    def _all(self) -> Iterator[dict[bytes, ChunkPlace]]:
        if self._indexes is None:
            self._indexes = [
                (info.digest, places) for info, places in readable_packs(self._objects)
            ]
        for _, index in self._indexes:
            yield index


class KnownFiles:
    """Files in folders that were committed or checked out, as a source of chunks."""

    def __init__(self, places: Places, *, shelf: Path) -> None:
        self._places = places
        self._shelf = shelf

    def __call__(self, digests: Collection[bytes]) -> Iterator[tuple[bytes, bytes]]:
        """Yield chunks that a file holds which held them when it was last looked at."""
        wanted = set(digests)
        for path in self._candidates(frozenset(wanted)):
            if not wanted:
                return
            for digest, raw in _cut_file(path):
                if digest in wanted:
                    wanted.discard(digest)
                    yield digest, raw

    def _candidates(self, wanted: frozenset[bytes]) -> Iterator[str]:
        for place in self._places.all():
            for entry in place.seen:
                if not wanted.isdisjoint(entry.entry.chunks):
                    yield f"{place.root}/{entry.path}"
        yield from (str(path) for path in self._shelf.glob("??/*"))


def readable_packs(
    objects: ObjectStore,
) -> Iterator[tuple[ObjectInfo, dict[bytes, ChunkPlace]]]:
    """Yield every pack whose index can be read, with what it says to hold."""
    for info in objects.iterate():
        try:
            if is_pack(objects, info):
                entries = read_index(objects, info)
                yield info, {e.digest: ChunkPlace(info.digest, *e[1:]) for e in entries}
        except Corrupt:
            continue


def _cut_file(path: str) -> Iterator[tuple[bytes, bytes]]:
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return
    with os.fdopen(handle, "rb", buffering=0) as file:
        for pieces in cut_stream(lambda view: file.readinto(view) or 0, FILES, window=own_window()):
            for piece in pieces:
                yield blake3(piece).digest(), bytes(piece)
