"""What nothing needs any more: whole objects, packs, and the room that dead chunks take in packs.

Order is what makes it safe beside writers. Who puts an object makes it young, and young ones stay;
who makes a version visible counts its chunks in a transaction that no sweep is in. A pack is
written anew before the table points there, and removed after.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data import store as data_sql
from treadle.data.trees.entities import Swept
from treadle.data.trees.places import now_us
from treadle.data.trees.upkeep import Reached
from treadle.kernel.errors import Corrupt
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.moving import Mover
from treadle.storage.chunks.packs import overhead_bytes
from treadle.storage.holders import needed_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from treadle.storage.chunks.reading import ChunkReader, Stored
    from treadle.storage.chunks.store import Pack
    from treadle.storage.ports import MetadataStore, ObjectInfo, ObjectStore
    from treadle.storage.transaction import Transaction

# A writer has put an object and not named it yet: so long nobody takes it for nobody's.
UNNAMED_US = 3_600_000_000
# So many are removed while those wait who make a version visible.
REMOVED_AT_ONCE = 50
LIVE_SHARE = 0.5


class Usage(NamedTuple):
    """A pack, and so many of its bytes as are needed."""

    pack: Pack
    live_bytes: int


class Sweep:
    """One walk over all that is stored; `older_than` (µs) spares what is younger."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        reader: ChunkReader,
        older_than: int,
        live_share: float = LIVE_SHARE,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._store = store
        self._objects = objects
        self._reader = reader
        self._until = now_us() - older_than
        self._unnamed_until = now_us() - max(older_than, UNNAMED_US)
        self._live_share = live_share
        self._reached = Reached(reader=reader)
        self._progress = progress

    def run(self, *, dry_run: bool) -> Swept:
        """Remove what nothing needs, or say what that would be.

        Raises Corrupt when it cannot be known what a version needs; then nothing is removed.
        """
        # Listed before anything is asked: what is named later than that was put anew.
        old = list(self._objects.iterate(before=self._unnamed_until))
        with self._store.read() as tx:
            versions = data_sql.all_versions(tx)
        self._reached.add(versions)
        with self._store.read() as tx:
            usage = [each for each in self._usage(tx) if each.pack.created_at < self._until]
            unnamed = self._unnamed(tx, old)
        thin = [each for each in usage if self._is_thin(each)]
        idle = [each.pack for each in usage if not each.live_bytes]
        if not dry_run:
            idle = self._remove_idle(idle)
            unnamed = self._remove(unnamed)
        written = sum(each.live_bytes for each in thin)
        if not dry_run:
            thin, written = self._write_anew(thin)
        rewritten = sum(each.pack.size_bytes for each in thin) - written
        sizes = sum(p.size_bytes for p in idle), sum(info.size_bytes for info in unnamed)
        return Swept(
            packs=tuple(pack.digest for pack in idle),
            objects=tuple(info.digest for info in unnamed),
            rewritten=tuple(each.pack.digest for each in thin),
            pack_bytes=sizes[0],
            object_bytes=sizes[1],
            rewritten_bytes=rewritten,
            size_bytes=sum(sizes) + rewritten,
        )

    def _remove_idle(self, idle: Sequence[Pack]) -> list[Pack]:
        with self._store.write() as tx:
            sql.lock_to_sweep(tx)
            self._reached.add(data_sql.all_versions(tx))
            live = self._reached.chunks
            gone = [pack for pack in idle if live.isdisjoint(sql.chunks_of(tx, pack))]
            for pack in gone:
                sql.forget_pack(tx, pack)
        for pack in gone:
            self._objects.delete(pack.digest)
            self._tell(pack.size_bytes)
        return gone

    def _usage(self, tx: Transaction) -> list[Usage]:
        live: dict[int, int] = {}
        for pack, digest, length in sql.lengths_by_pack(tx):
            if digest in self._reached.chunks:
                live[pack] = live.get(pack, 0) + length
        return [Usage(pack, live.get(pack.number, 0)) for pack in sql.all_packs(tx)]

    def _is_thin(self, usage: Usage) -> bool:
        # Of its chunks alone: a small pack is mostly index, and would be written anew for ever.
        size = usage.pack.size_bytes - overhead_bytes(usage.pack.chunks)
        return 0 < usage.live_bytes < self._live_share * size

    @staticmethod
    def _unnamed(tx: Transaction, old: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        """Return the objects that no row names: whoever put them was killed, or let go of them."""
        named = needed_objects(tx) | {pack.digest for pack in sql.all_packs(tx)}
        return [info for info in old if info.digest not in named]

    def _remove(self, unnamed: Sequence[ObjectInfo]) -> list[ObjectInfo]:
        removed: list[ObjectInfo] = []
        for start in range(0, len(unnamed), REMOVED_AT_ONCE):
            some = unnamed[start : start + REMOVED_AT_ONCE]
            # Under the lock: who has put a pack makes sure it is there when it becomes known.
            with self._store.write() as tx:
                sql.lock_to_sweep(tx)
                known = sql.known_packs(tx, [info.digest for info in some])
                for info in some:
                    if info.digest in known:
                        continue
                    if self._objects.delete(info.digest, before=self._unnamed_until):
                        removed.append(info)
            self._tell(sum(info.size_bytes for info in some))
        return removed

    def _write_anew(self, thin: Sequence[Usage]) -> tuple[list[Usage], int]:
        """Return the packs that were written anew, and the bytes of the new ones."""
        mover = Mover(store=self._store, objects=self._objects, needed=self._still_needed)
        done = []
        for usage in thin:
            try:
                found = self._live_chunks(usage.pack)
            except Corrupt:
                continue  # it stays as it is: what is damaged is fsck's to name
            for stored in found:
                mover.take(usage.pack, stored.digest, stored.body, raw_length=len(stored.raw))
            mover.leave(usage.pack)
            done.append(usage)
            self._tell(usage.live_bytes)
        mover.close()
        return done, mover.written_bytes

    def _live_chunks(self, pack: Pack) -> list[Stored]:
        with self._store.read() as tx:
            places = sql.places_in(tx, pack)
        live = {d: place for d, place in places.items() if d in self._reached.chunks}
        return list(self._reader.stored(live))

    def _tell(self, done: int) -> None:
        if self._progress:
            self._progress(done)

    def _still_needed(self, tx: Transaction, chunks: Collection[bytes]) -> set[bytes]:
        """Return which chunks a version needs by now, also one that has just become visible."""
        self._reached.add(data_sql.all_versions(tx))
        return self._reached.chunks.intersection(chunks)
