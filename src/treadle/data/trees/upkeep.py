"""What keeps all that is stored sound: a check of every object, and repair of what is damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from treadle.data.trees.encoding import reached_chunks, read_tree, tree_chunks
from treadle.data.trees.entities import Checked, Damage, Rebuilt
from treadle.data.trees.healing import Healer, readable_packs
from treadle.data.trees.places import now_us
from treadle.kernel.errors import Corrupt, NotFound, counted
from treadle.storage.chunks import store as sql
from treadle.storage.chunks.packs import Entry
from treadle.storage.holders import needed_objects, owners_of
from treadle.storage.objects import CanOpen, blocks_of, stream_of
from treadle.storage.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.trees.healing import ChunkSource
    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.chunks.store import Pack
    from treadle.storage.ports import MetadataStore, ObjectStore


class Copy(CanOpen, Protocol):
    """What is asked of a copy of the objects: an ObjectStore can do it, and so can a remote."""

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        ...


class Repair(NamedTuple):
    """Where to get back what is damaged: copies of whole objects, and sources of chunks."""

    copies: Sequence[Copy]
    chunks: Sequence[ChunkSource]


class Check:
    """Reads every object there is, and names what is damaged or gone, and who suffers."""

    def __init__(
        self,
        versions: Sequence[DatasetVersion],
        *,
        store: MetadataStore,
        objects: ObjectStore,
        reader: ChunkReader,
        repair: Repair | None = None,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._versions = versions
        self._store = store
        self._objects = objects
        self._reader = reader
        self._repair = repair
        self._progress = progress
        self._alive: set[bytes] = set()
        self._is_alive_known = True

    def run(self) -> Checked:
        """Check, and repair what can be."""
        with self._store.read() as tx:
            packs = {pack.digest: pack for pack in sql.all_packs(tx)}
        wanted = self._wanted(packs.values())
        bad: dict[str, str] = {}
        for digest, size in wanted.items():
            what = _what_is_wrong(self._objects, ObjectInfo(digest, size))
            if what:
                bad[digest] = what
            if self._progress:
                self._progress(size)
        suffering = self._suffering(bad, packs)
        with self._store.read() as tx:
            owners = owners_of(tx, bad) if bad else {}
        mended = {digest for digest in bad if self._mend(digest, packs.get(digest))}
        damage = [
            Damage(
                object=digest,
                what=what,
                versions=tuple(suffering[digest]),
                needed_by=tuple(o for o in owners[digest] if o not in suffering[digest]),
                repaired=digest in mended,
            )
            for digest, what in bad.items()
        ]
        is_explained = any(digest in packs and digest not in mended for digest in bad)
        for version in self._versions:
            damage += self._nowhere(version, is_explained=is_explained)
        return Checked(objects=len(wanted), size_bytes=sum(wanted.values()), damage=tuple(damage))

    def _wanted(self, packs: Iterable[Pack]) -> dict[str, int]:
        """Return every object that is there or should be, and its size as far as it is known."""
        wanted = {info.digest: info.size_bytes for info in self._objects.iterate()}
        with self._store.read() as tx:
            needed = needed_objects(tx, surely=True)
        needed |= {digest for version in self._versions for digest in version.objects}
        wanted |= dict.fromkeys(needed - wanted.keys(), 0)
        for version in self._versions:
            wanted |= {f.digest: f.size_bytes for f in version.files if f.digest in version.objects}
        return wanted | {pack.digest: pack.size_bytes for pack in packs}

    def _suffering(self, bad: Mapping[str, str], packs: Mapping[str, Pack]) -> dict[str, list[str]]:
        """Return the versions that need each damaged object; remember what chunks any needs."""
        found: dict[str, list[str]] = {digest: [] for digest in bad}
        if not bad:
            return found
        with self._store.read() as tx:
            held = {d: set(sql.chunks_of(tx, packs[d])) for d in bad if d in packs}
        for version in self._versions:
            for digest in version.objects & bad.keys():
                found[digest].append(version.ref)
            if not version.tree:
                continue
            chunks = _reached(version, reader=self._reader)
            if chunks is None:
                self._is_alive_known = False
            else:
                self._alive |= chunks
            for digest, chunk_ids in held.items():
                if chunks is None or chunks & chunk_ids:
                    found[digest].append(version.ref)
        return found

    def _mend(self, digest: str, pack: Pack | None) -> bool:
        """Put a damaged object again from a copy, or what a pack holds from wherever it is."""
        if self._repair is None:
            return False
        if any(_put_again(self._objects, digest, copy=copy) for copy in self._repair.copies):
            return True
        if pack is None:
            return False
        dead: set[bytes] = set()
        if self._is_alive_known:
            with self._store.read() as tx:
                dead = set(sql.chunks_of(tx, pack)) - self._alive
        return self._healer(self._repair).heal(pack, dead=dead)

    def _healer(self, repair: Repair) -> Healer:
        return Healer(store=self._store, objects=self._objects, sources=repair.chunks)

    def _nowhere(self, version: DatasetVersion, *, is_explained: bool) -> list[Damage]:
        """Say which chunks of a version no pack is known to hold, and get them back."""
        if not version.tree:
            return []
        restored = self._restored(version, self._repair) if self._repair else 0
        chunks = _reached(version, reader=self._reader)
        if chunks is None:
            # Of a damaged pack that was just named, most likely.
            what = "list of files cannot be read"
            unread = Damage(object=version.tree, what=what, versions=(version.ref,))
            return [] if is_explained else [unread]
        with self._store.read() as tx:
            gone = chunks - sql.known(tx, chunks)
        if gone:
            what = f"{counted(len(gone), 'chunk')} in no pack that is known"
            return [Damage(object=min(gone).hex(), what=what, versions=(version.ref,))]
        if restored:
            what = f"{counted(restored, 'chunk')} in no pack that was known"
            mended = Damage(object=version.tree, what=what, versions=(version.ref,), repaired=True)
            return [mended]
        return []

    def _restored(self, version: DatasetVersion, repair: Repair) -> int:
        """Store again what of a version is in no pack, as far as it is somewhere; count it."""
        count = 0
        try:
            for chunks in _layers(version, reader=self._reader):
                with self._store.read() as tx:
                    gone = chunks - sql.known(tx, chunks)
                if gone:
                    self._healer(repair).restore(gone)
                    count += len(gone)
        except Corrupt:
            return count
        return count


def rebuild(*, store: MetadataStore, objects: ObjectStore, dry_run: bool) -> Rebuilt:
    """Make known again what packs hold by their own indexes and no row says.

    Chunks that are known stay where they are. A pack whose bytes are not those of its digest is
    left out and named.
    """
    count, new, unreadable = 0, 0, []
    for info, places in readable_packs(objects):
        with store.read() as tx:
            is_known = bool(sql.known_packs(tx, [info.digest]))
            lacking = places.keys() - sql.known(tx, places.keys())
        if not lacking:
            continue  # all of it is read from elsewhere
        if _what_is_wrong(objects, info):
            unreadable.append(info.digest)
            continue
        entries = [Entry(digest, *places[digest][1:]) for digest in lacking]
        if dry_run or _make_known(store, objects, info, entries, is_known=is_known):
            count, new = count + 1, new + len(lacking)
    return Rebuilt(packs=count, chunks=new, unreadable=tuple(unreadable))


def _make_known(
    store: MetadataStore,
    objects: ObjectStore,
    info: ObjectInfo,
    entries: Sequence[Entry],
    *,
    is_known: bool,
) -> bool:
    with store.write() as tx:
        sql.lock_to_lean(tx)
        if objects.stat(info.digest) is None:  # swept away as nobody's, just now
            return False
        if is_known:
            sql.add_chunks(tx, info.digest, entries)
        else:
            sql.add_pack(tx, info, entries, at=now_us())
    return True


def _what_is_wrong(objects: Copy, info: ObjectInfo) -> str:
    found = objects.stat(info.digest)
    if found is None:
        return "gone"
    if found.size_bytes != info.size_bytes:
        return f"{found.size_bytes:,} bytes long, not {info.size_bytes:,}"
    try:
        for _ in blocks_of(objects, info):
            pass
    except Corrupt:
        return "damaged"
    except NotFound:
        return "gone"
    return ""


def _put_again(objects: ObjectStore, digest: str, *, copy: Copy) -> bool:
    known = copy.stat(digest)
    if known is None or _what_is_wrong(copy, known):
        return False
    objects.delete(digest)  # what is there is not put again
    objects.put(stream_of(blocks_of(copy, known)))
    return True


def _reached(version: DatasetVersion, *, reader: ChunkReader) -> set[bytes] | None:
    """Return every chunk of a version, None when not even its list of files can be read."""
    try:
        return set().union(*_layers(version, reader=reader))
    except Corrupt:
        return None


def _layers(version: DatasetVersion, *, reader: ChunkReader) -> Iterator[set[bytes]]:
    """Yield the chunks of a version: each set says which the next one is."""
    yield {bytes.fromhex(version.tree)}
    yield set(tree_chunks(version.tree, reader=reader))
    entries = read_tree(version.tree, reader=reader)
    yield {chunk for entry in entries for chunk in entry.chunks}


class Reached:
    """The chunks that versions need; each list of files is read once."""

    def __init__(self, *, reader: ChunkReader) -> None:
        self._reader = reader
        self._seen: set[str] = set()
        self.chunks: set[bytes] = set()

    def add(self, versions: Sequence[DatasetVersion]) -> None:
        """Add what versions need. Raises Corrupt when that cannot be known."""
        for version in versions:
            if not version.tree or version.id in self._seen:
                continue
            try:
                self.chunks |= reached_chunks(version.tree, reader=self._reader)
            except Corrupt as error:
                raise Corrupt(
                    f"The list of files of {version.ref} cannot be read: what it needs is unknown.",
                    hint="Nothing was removed. Repair it: treadle data fsck --repair FOLDER.",
                ) from error
            self._seen.add(version.id)
