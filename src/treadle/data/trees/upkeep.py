"""What keeps the chunks of files sound: a check of all of them, and a sweep of what none needs."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.trees.encoding import read_tree, tree_chunks
from treadle.data.trees.entities import Checked, Damage
from treadle.kernel.errors import Corrupt, NotFound
from treadle.storage.chunks import store as sql
from treadle.storage.objects import blocks_of, stream_of
from treadle.storage.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.chunks.store import Pack
    from treadle.storage.ports import MetadataStore, ObjectStore


def check_all(
    versions: Sequence[DatasetVersion],
    *,
    store: MetadataStore,
    objects: ObjectStore,
    reader: ChunkReader,
    source: ObjectStore | None,
) -> Checked:
    """Read every object of every version and name what is damaged, and who suffers.

    With a `source`, a copy of the objects, what is damaged is taken from there.
    """
    with store.read() as tx:
        packs = sql.all_packs(tx)
    wanted = {pack.digest: pack.size_bytes for pack in packs}
    for version in versions:
        wanted |= {f.digest: f.size_bytes for f in version.files if f.digest in version.objects}
        for digest in version.objects - wanted.keys():
            known = objects.stat(digest)
            wanted[digest] = known.size_bytes if known else 0
    bad = {}
    for digest, size in wanted.items():
        what = _what_is_wrong(objects, ObjectInfo(digest, size))
        if what:
            bad[digest] = what, source is not None and _repair(objects, digest, source=source)
    suffering, lost = _suffering(versions, bad, packs, store=store, reader=reader)
    damage = [
        Damage(object=digest, what=what, versions=tuple(suffering[digest]), repaired=repaired)
        for digest, (what, repaired) in bad.items()
    ]
    return Checked(objects=len(wanted), size_bytes=sum(wanted.values()), damage=(*damage, *lost))


def _what_is_wrong(objects: ObjectStore, info: ObjectInfo) -> str:
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


def _repair(objects: ObjectStore, digest: str, *, source: ObjectStore) -> bool:
    """Put an object again from a copy, if that is sound."""
    known = source.stat(digest)
    if known is None or _what_is_wrong(source, known):
        return False
    objects.delete(digest)  # what is there is not put again
    objects.put(stream_of(blocks_of(source, known)))
    return True


def _suffering(
    versions: Sequence[DatasetVersion],
    bad: Mapping[str, object],
    packs: Sequence[Pack],
    *,
    store: MetadataStore,
    reader: ChunkReader,
) -> tuple[dict[str, list[str]], list[Damage]]:
    """Return the versions that need each damaged object, and those that need what is nowhere."""
    found: dict[str, list[str]] = {digest: [] for digest in bad}
    lost: list[Damage] = []
    with store.read() as tx:
        held = {p.digest: set(sql.chunks_of(tx, p)) for p in packs if p.digest in bad}
    for version in versions:
        for digest in version.objects & bad.keys():
            found[digest].append(version.ref)
        if not version.tree:
            continue
        chunks = _reached(version, reader=reader)
        for digest, chunk_ids in held.items():
            if chunks is None or chunks & chunk_ids:
                found[digest].append(version.ref)
        lost += _nowhere(version, chunks, is_explained=bool(held), store=store)
    return found, lost


def _nowhere(
    version: DatasetVersion, chunks: set[bytes] | None, *, is_explained: bool, store: MetadataStore
) -> list[Damage]:
    """Say which chunks of a version no pack is known to hold."""
    if chunks is None:
        # Of a damaged pack that was just named, most likely.
        what = "list of files cannot be read"
        unread = Damage(object=version.tree, what=what, versions=(version.ref,))
        return [] if is_explained else [unread]
    with store.read() as tx:
        gone = chunks - sql.known(tx, chunks)
    if not gone:
        return []
    what = f"{len(gone):,} chunks are in no pack that is known"
    return [Damage(object=min(gone).hex(), what=what, versions=(version.ref,))]


def _reached(version: DatasetVersion, *, reader: ChunkReader) -> set[bytes] | None:
    """Return every chunk of a version, None when not even its list of files can be read."""
    try:
        own = tree_chunks(version.tree, reader=reader)
        entries = read_tree(version.tree, reader=reader)
    except Corrupt:
        return None
    return {*own, *(chunk for entry in entries for chunk in entry.chunks)}


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
            chunks = _reached(version, reader=self._reader)
            if chunks is None:
                raise Corrupt(
                    f"The list of files of {version.ref} cannot be read: what it needs is unknown.",
                    hint="Nothing was removed. Repair it: treadle data fsck --repair FOLDER.",
                )
            self._seen.add(version.id)
            self.chunks |= chunks
