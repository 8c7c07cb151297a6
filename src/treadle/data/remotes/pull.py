"""From a remote to the home: what is not here yet, each byte checked, and made visible last."""

from __future__ import annotations

import io
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from blake3 import blake3

from treadle.data import store as sql
from treadle.data.entities import DatasetVersion
from treadle.data.facts import ContractSet, DatasetPulled
from treadle.data.remotes import keys
from treadle.data.remotes import store as remotes_sql
from treadle.data.remotes.entities import Moved
from treadle.data.remotes.pointers import fitting
from treadle.data.remotes.reading import RemoteReader, held_by
from treadle.data.trees.encoding import read_tree, tree_chunks
from treadle.kernel.clock import format_instant
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.storage.chunks import store as chunks_sql
from treadle.storage.chunks.compression import decompressed
from treadle.storage.chunks.packs import split_entries
from treadle.storage.chunks.writing import ChunkWriter, Intake
from treadle.storage.objects import read_up_to

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treadle.data.contracts import Contract
    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Held, PackIndex
    from treadle.storage.chunks.packs import Entry
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

# Each holds a pack in memory.
FETCHERS = 3
CHUNKS_AT_ONCE = 64


class Order(NamedTuple):
    """What has to come: versions, all chunks they need, and which of those come how."""

    versions: list[DatasetVersion]
    parents: dict[str, tuple[str, ...]]
    needed: set[bytes]
    missing: set[bytes]
    packs: list[PackIndex]
    loose: set[bytes]
    objects: dict[str, int]
    """Whole objects by their names there, and their sizes."""
    size_bytes: int


class Puller:
    """Fetches what the home misses. What came before it was killed is not fetched again."""

    def __init__(
        self,
        depot: Depot,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        progress: Callable[[int], None],
    ) -> None:
        self._depot = depot
        self._store = store
        self._objects = objects
        self._progress = progress

    def order(self, turn: Turn, held: Sequence[Held]) -> tuple[Order, RemoteReader]:
        """Say what has to come so that the home has versions."""
        versions = self._versions(turn.state.dataset, held)
        needs_chunks = any(version.tree for version in versions)
        remote = RemoteReader(self._depot, turn.state.indexes if needs_chunks else ())
        needed = chunks_of(versions, remote)
        with self._store.read() as tx:
            missing = needed - chunks_sql.known(tx, needed)
        places = remote.find(list(missing))
        packs = [i for i in remote.indexes.values() if missing.issuperset(held_by(i))]
        loose = missing.difference(*(held_by(index) for index in packs))
        eras = {each.name: each.era for each in held}
        objects = self._missing_objects(versions, eras)
        size = sum(index.size_bytes for index in packs) + sum(objects.values())
        size += sum(places[digest].length for digest in loose)
        parents = {each.name: each.parents for each in held}
        return Order(versions, parents, needed, missing, packs, loose, objects, size), remote

    def fetch(self, order: Order, remote: RemoteReader) -> None:
        """Fetch it; from then on anyone may lean on the chunks."""
        with ThreadPoolExecutor(FETCHERS) as pool:
            try:
                list(pool.map(self._fetch_pack, order.packs))
                list(pool.map(self._fetch_object, order.objects))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        self._fetch_loose(order.loose, remote)

    def _versions(self, dataset: str, held: Sequence[Held]) -> list[DatasetVersion]:
        records = self._depot.records([each.record for each in held], DatasetVersion)
        for each, record in zip(held, records, strict=True):
            if (record.digest, record.dataset) != (each.digest, dataset):
                raise Corrupt(
                    f"The record of {dataset}@{each.number} in {self._depot.url} is that of "
                    f"{record.dataset}@{record.digest[:12]}.",
                    hint="Nothing was pulled.",
                )
        return [
            msgspec.structs.replace(
                record, number=each.number, stored_bytes=None, identity=each.name, same_as=None
            )
            for each, record in zip(held, records, strict=True)
        ]

    def _missing_objects(
        self, versions: Sequence[DatasetVersion], eras: Mapping[str, int]
    ) -> dict[str, int]:
        found: dict[str, int] = {}
        for name in sorted({n for v in versions for n in object_names(v, eras[v.identity])}):
            digest = keys.digest_of(name)
            if self._objects.stat(digest) is None:
                there = self._depot.blobs.stat(keys.object_key(name))
                if there is None:
                    raise self._corrupt(f"Object {digest[:12]}… is gone from")
                found[name] = there.size_bytes
        return found

    def _fetch_pack(self, index: PackIndex) -> None:
        try:
            with self._depot.blobs.open(keys.pack_key(index.pack)) as stream:
                data = read_up_to(stream, index.size_bytes + 1)
        except NotFound as error:
            raise self._corrupt(f"Pack {index.pack[:12]}… is gone from") from error
        if digest_bytes(data) != keys.digest_of(index.pack):
            raise self._corrupt(f"Pack {index.pack[:12]}… is damaged in")
        entries = split_entries(index.entries)
        view = memoryview(data)
        # A list that lies would have others lean on chunks that are none.
        if not all(_is_sound(view, entry) for entry in entries):
            raise self._corrupt(f"Pack {index.pack[:12]}… does not hold what is said of it in")
        info = self._objects.put(io.BytesIO(data))
        with self._store.write() as tx:
            chunks_sql.lock_to_lean(tx)
            if self._objects.stat(info.digest) is None:  # swept away as nobody's, just now
                self._objects.put(io.BytesIO(data))
            if chunks_sql.is_known_pack(tx, info.digest):
                # A sweep may have let go of some of its chunks, which are wanted again.
                chunks_sql.add_chunks(tx, info.digest, entries)
            else:
                chunks_sql.add_pack(tx, info, entries, at=time.time_ns() // 1000)
        self._progress(len(data))

    def _fetch_object(self, name: str) -> None:
        digest = keys.digest_of(name)
        with self._depot.blobs.open(keys.object_key(name)) as stream:
            info = self._objects.put(stream)
        if info.digest != digest:  # what came stays, to be swept away: it may be needed as itself
            raise self._corrupt(f"Object {digest[:12]}… is damaged in")
        self._progress(info.size_bytes)

    def _fetch_loose(self, chunks: set[bytes], remote: RemoteReader) -> None:
        """Fetch chunks out of packs of which not all is needed."""
        if not chunks:
            return
        places = remote.find(list(chunks))
        writer = ChunkWriter(Intake(store=self._store, objects=self._objects))
        batch: list[bytes] = []
        for digest, raw in remote.each(places):
            batch.append(raw)
            self._progress(places[digest].length)
            if len(batch) == CHUNKS_AT_ONCE:
                writer.add_whole(batch)
                batch = []
        writer.add_whole(batch)
        writer.close()

    def _corrupt(self, what: str) -> Corrupt:
        return Corrupt(
            f"{what} the remote {self._depot.url}.",
            hint="Restore it there from a copy, or push again from a home that has it.",
        )


def chosen(turn: Turn, wanted: str, *, url: str) -> list[Held]:
    """Return the versions of a remote that are meant: all, a number, a digest's start, latest."""
    versions = list(turn.state.versions)
    gone = _withdrawn(turn, wanted)
    if not versions and not gone:
        raise NotFound("dataset", f"{turn.state.dataset} in {url}", hint="Push it there first.")
    if versions and not wanted:
        return versions
    if versions and wanted == "latest":
        return versions[-1:]
    found = [h for h in versions if str(h.number) == wanted]
    found = found or [h for h in versions if h.digest.startswith(wanted.lower())]
    if len({each.digest for each in found}) > 1:
        raise InvalidInput(f"{wanted!r} begins the digests of several versions.")
    if not found:
        hint = gone or f"The newest there is {turn.state.dataset}@{versions[-1].number}."
        raise NotFound("version", f"{turn.state.dataset}@{wanted} in {url}", hint=hint)
    return found[:1]


def _withdrawn(turn: Turn, wanted: str) -> str:
    """Say who removed a version, or the last of the dataset; nothing when nobody did."""
    for gone in reversed(turn.state.removed):
        names = ("", "latest", str(gone.number))
        if wanted in names or gone.digest.startswith(wanted.lower()):
            return f"{gone.actor} removed it from there on {format_instant(gone.at)}."
    return ""


def make_visible(tx: Transaction, order: Order, *, url: str) -> list[DatasetVersion] | None:
    """Add versions to the dataset, or return None if a chunk they need was swept away.

    Each keeps the number it has in the remote, unless that is taken here.
    """
    chunks_sql.lock_to_lean(tx)
    if len(chunks_sql.known(tx, order.needed)) < len(order.needed):
        return None
    dataset = order.versions[0].dataset
    sql.lock_dataset(tx, dataset)
    here = remotes_sql.identities_of(tx, dataset)
    numbers = {identity: number for number, identity in here.items()}
    taken = remotes_sql.taken_ids(tx, [version.id for version in order.versions])
    added: list[DatasetVersion] = []
    for version in order.versions:
        if version.identity in numbers:
            continue
        if version.id in taken:
            raise Corrupt(f"{url} gives {version.ref} the id of another version.")
        parents = tuple(numbers[p] for p in order.parents[version.identity] if p in numbers)
        number = fitting(version.number, taken=set(numbers.values()), parents=parents)
        numbers[version.identity] = number
        equal = sql.versions_with(tx, dataset, version.digest)
        same_as = next((each.number for each in equal if each.removed_at is None), None)
        added.append(
            msgspec.structs.replace(version, number=number, parents=parents, same_as=same_as)
        )
        sql.insert_version(tx, added[-1])
        tx.emit(_pulled(added[-1], url))
    return added


def add_contracts(tx: Transaction, dataset: str, theirs: Sequence[Contract]) -> tuple[int, bool]:
    """Add the contracts of a remote; return how many were new, and whether ours stays instead.

    Ours stays when it was set here and nobody there knows of it.
    """
    sql.lock_dataset(tx, dataset)
    ours = remotes_sql.contracts_of(tx, dataset)
    known, there = {c.digest for c in ours}, {c.digest for c in theirs}
    new = [contract for contract in theirs if contract.digest not in known]
    if new and ours and ours[-1].digest not in there:
        return 0, True
    for offset, contract in enumerate(new, start=1):
        number = (ours[-1].number if ours else 0) + offset
        made = msgspec.structs.replace(contract, number=number, dataset=dataset, created_at=tx.at)
        sql.insert_contract(tx, made)
        tx.emit(ContractSet(dataset=dataset, number=number, digest=made.digest, body=made.body))
    return len(new), False


def told(order: Order, added: Sequence[DatasetVersion], *, url: str) -> Moved:
    """Return what came, or would come, as it is told."""
    before = {version.identity: version.ref for version in order.versions}
    renamed = [(before[v.identity], v.ref) for v in added if before[v.identity] != v.ref]
    return Moved(
        dataset=order.versions[0].dataset,
        remote=url,
        versions=tuple(version.ref for version in added),
        chunks=len(order.missing),
        packs=len(order.packs),
        objects=len(order.objects),
        size_bytes=order.size_bytes,
        notes=tuple(f"{there} of the remote is {here} here" for there, here in renamed),
    )


def chunks_of(versions: Sequence[DatasetVersion], remote: RemoteReader) -> set[bytes]:
    """Return every chunk that versions of a remote need. Raises Corrupt when one is unreadable."""
    trees = [version.tree for version in versions if version.tree]
    remote.join([bytes.fromhex(tree) for tree in trees])
    lists = {tree: tree_chunks(tree, reader=remote) for tree in trees}
    needed = {chunk for own in lists.values() for chunk in own}
    remote.join(list(needed))
    for tree in trees:
        for entry in read_tree(tree, reader=remote):
            needed.update(entry.chunks)
    return needed


def object_names(version: DatasetVersion, era: int) -> set[str]:
    """Return the names in a remote of the whole objects that a version needs."""
    return {keys.named(digest, era) for digest in version.objects}


def _is_sound(data: memoryview, entry: Entry) -> bool:
    body = bytes(data[entry.offset : entry.offset + entry.length])
    raw: bytes | None = body
    if entry.length < entry.raw_length:
        raw = decompressed(body, size_bytes=entry.raw_length)
    return raw is not None and blake3(raw).digest() == entry.digest


def _pulled(version: DatasetVersion, url: str) -> DatasetPulled:
    fields = msgspec.structs.asdict(version)
    kept = {n: fields[n] for n in DatasetPulled.__struct_fields__ if n in fields}
    return DatasetPulled(
        **kept, remote=url, committed_by=version.actor, committed_at=version.created_at
    )
