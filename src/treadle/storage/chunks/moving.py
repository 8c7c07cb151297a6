"""Chunks from packs into new ones: written first, then pointed to, and only then is the old gone.

Killed at any moment, every chunk is read from where it was or from where it is.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from treadle.storage.chunks import store as sql
from treadle.storage.chunks.packs import PackDraft

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from treadle.storage.chunks.store import Pack
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction


class Mover:
    """Takes chunks as they are stored, and lets go of the packs of which nothing is left.

    `needed` says, of chunks that were not moved, which must stay where they are.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        needed: Callable[[Transaction, Collection[bytes]], Collection[bytes]],
    ) -> None:
        self._store = store
        self._objects = objects
        self._needed = needed
        self._draft = PackDraft()
        self._sources: list[Pack] = []
        self._left: dict[int, Pack] = {}
        self.written_bytes = 0

    def take(self, pack: Pack, digest: bytes, body: bytes | memoryview, *, raw_length: int) -> None:
        """Take a chunk of a pack as it is stored."""
        if not self._draft.has_room(len(body)):
            self._flush()
        self._draft.add(digest, body, raw_length=raw_length)
        self._sources.append(pack)

    def leave(self, pack: Pack) -> None:
        """Say that all was taken from a pack that will be."""
        self._left[pack.number] = pack

    def close(self) -> None:
        """Write what is not written yet."""
        self._flush()

    def _flush(self) -> None:
        info = self._draft.put(self._objects) if self._draft.entries else None
        entries = dict(zip(self._draft.entries, self._sources, strict=True))
        emptied = []
        with self._store.write() as tx:
            sql.lock_to_sweep(tx)
            if info is not None:
                sql.move_chunks(tx, info, entries, at=time.time_ns() // 1000)
                self.written_bytes += info.size_bytes
            for pack in self._left.values():
                rest = set(sql.chunks_of(tx, pack))
                kept = self._needed(tx, rest)
                sql.forget_chunks(tx, pack, rest.difference(kept))
                if not kept:
                    sql.forget_pack(tx, pack)
                    emptied.append(pack)
        for pack in emptied:
            self._objects.delete(pack.digest)
        self._draft.clear()
        self._sources, self._left = [], {}
