"""From the home to a remote: what it does not have yet, and at the end that it has it."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treadle.data.remotes import keys
from treadle.data.remotes.entities import FORMAT, Held, Moved, PackIndex, State
from treadle.data.remotes.pointers import fitting
from treadle.data.remotes.reading import RemoteReader
from treadle.data.trees.encoding import reached_chunks
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import NotFound
from treadle.storage.chunks import store as chunks_sql
from treadle.storage.chunks.compression import Compressor
from treadle.storage.chunks.packs import PackDraft, join_entries, read_index
from treadle.storage.objects import blocks_of, stream_of
from treadle.storage.ports import ObjectInfo

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from treadle.data.contracts import Contract
    from treadle.data.entities import DatasetVersion
    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Era
    from treadle.data.remotes.marks import PushMark
    from treadle.data.remotes.pointers import Graph, Named
    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.ports import MetadataStore, ObjectStore

# Each holds a pack in memory.
SENDERS = 3


class Local(NamedTuple):
    """What the home has of a dataset: every version, and the contracts, oldest first."""

    dataset: str
    versions: Sequence[DatasetVersion]
    contracts: Sequence[Contract]
    graph: Graph


class Plan(NamedTuple):
    """What is to be new in a remote, and what there is to say of it."""

    new: Sequence[DatasetVersion]
    named: Named
    contracts: Sequence[Contract]
    notes: tuple[str, ...]


class Load(NamedTuple):
    """What has to travel: packs as they are, chunks of others, whole objects."""

    chunks: set[bytes]
    packs: list[ObjectInfo]
    loose: set[bytes]
    objects: list[ObjectInfo]
    size_bytes: int
    indexes: set[str]
    """Those in the remote of what is there already and needed."""


class Pusher:
    """Sends what a remote misses. What has travelled before it was killed is not sent again."""

    def __init__(
        self,
        depot: Depot,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        reader: ChunkReader,
        progress: Callable[[int], None],
        era: Era,
        mark: PushMark,
    ) -> None:
        self.depot = depot
        self._era = era
        self._mark = mark
        self._store = store
        self._objects = objects
        self._reader = reader
        self._progress = progress

    def load(self, turn: Turn, versions: Sequence[DatasetVersion]) -> Load:
        """Say what has to travel so that the remote has versions."""
        wanted = self._chunks_of(versions)
        names = self.depot.leanable(turn, self._era) if wanted else []
        there = RemoteReader(self.depot, names)
        found = there.locate(wanted)
        missing = wanted - found.keys()
        packs, loose = self._parted(missing)
        return Load(
            chunks=missing,
            packs=packs,
            loose=loose,
            objects=(objects := self._missing_objects(versions)),
            size_bytes=sum(info.size_bytes for info in (*packs, *objects)) + self._size_of(loose),
            indexes=there.needed({place.pack for place in found.values()}),
        )

    def send(self, load: Load) -> set[str]:
        """Send it; return the indexes of all packs that are needed, those there already too."""
        if load.chunks or load.indexes:
            self._mark.note(load.indexes)
        with ThreadPoolExecutor(SENDERS) as pool:
            try:
                sent = list(pool.map(self._send_pack, load.packs))
                list(pool.map(self._send_object, load.objects))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {*load.indexes, *sent, *self._send_loose(load.loose)}

    @property
    def era(self) -> int:
        """Return the number of the era that it writes in."""
        return self._era.number

    def next_state(self, turn: Turn, plan: Plan, *, graph: Graph, indexes: set[str]) -> State:
        """Describe what is new, and return the state that has it too."""
        return next_state(
            turn,
            [(version, self.depot.put_record(version, era=self.era)) for version in plan.new],
            graph=graph,
            named=plan.named,
            contracts=[
                self.depot.put_record(portable(contract), era=self.era)
                for contract in plan.contracts
            ],
            indexes=indexes,
            era=self.era,
        )

    def _chunks_of(self, versions: Sequence[DatasetVersion]) -> set[bytes]:
        wanted: set[bytes] = set()
        for version in versions:
            if version.tree:
                wanted |= reached_chunks(version.tree, reader=self._reader)
        return wanted

    def _parted(self, missing: set[bytes]) -> tuple[list[ObjectInfo], set[bytes]]:
        """Return packs that are missing with all they hold, and the chunks that lie in others."""
        places = self._reader.find(list(missing))
        touched = {place.pack for place in places.values()}
        loose = set(missing)
        whole: list[ObjectInfo] = []
        with self._store.read() as tx:
            for pack in chunks_sql.all_packs(tx):
                if pack.digest in touched:
                    held = chunks_sql.chunks_of(tx, pack)
                    if missing.issuperset(held):
                        whole.append(ObjectInfo(pack.digest, pack.size_bytes))
                        loose.difference_update(held)
        return whole, loose

    def _size_of(self, chunks: set[bytes]) -> int:
        return sum(place.length for place in self._reader.find(list(chunks)).values())

    def _missing_objects(self, versions: Sequence[DatasetVersion]) -> list[ObjectInfo]:
        found: list[ObjectInfo] = []
        for digest in sorted({digest for version in versions for digest in version.objects}):
            here = self._objects.stat(digest)
            if here is None:
                raise NotFound("object", digest, hint="treadle data fsck says who suffers.")
            there = self.depot.blobs.stat(self._object_key(digest))
            if there is None or there.size_bytes != here.size_bytes:
                found.append(here)
        return found

    def _send_pack(self, info: ObjectInfo) -> str:
        name = keys.named(info.digest, self.era)
        key = keys.pack_key(name)
        there = self.depot.blobs.stat(key)
        if there is None or there.size_bytes != info.size_bytes:
            self.depot.blobs.put(key, stream_of(blocks_of(self._objects, info)))
        entries = join_entries(read_index(self._objects, info))
        self._progress(info.size_bytes)
        return self._put_index(PackIndex(FORMAT, name, info.size_bytes, entries))

    def _send_object(self, info: ObjectInfo) -> None:
        key = self._object_key(info.digest)
        self.depot.blobs.put(key, stream_of(blocks_of(self._objects, info)))
        self._progress(info.size_bytes)

    def _send_loose(self, chunks: set[bytes]) -> set[str]:
        """Send chunks in packs of their own."""
        each = self._reader.each(self._reader.find(list(chunks))) if chunks else ()
        sent: set[str] = set()
        for name, size in send_chunks(self.depot, each, era=self.era):
            self._mark.note([name])
            self._progress(size)
            sent.add(name)
        return sent

    def _put_index(self, index: PackIndex) -> str:
        name = self.depot.put_index(index, era=self.era)
        self._mark.note([name])
        return name

    def _object_key(self, digest: str) -> str:
        return keys.object_key(keys.named(digest, self.era))


def send_chunks(
    depot: Depot, chunks: Iterable[tuple[bytes, bytes]], *, era: int
) -> Iterator[tuple[str, int]]:
    """Send chunks in new packs; yield the index of each pack that is there, and its size."""
    draft, compressor = PackDraft(), Compressor()
    for digest, raw in chunks:
        body = compressor.compressed(raw)
        if not draft.has_room(len(body)):
            yield _send_draft(depot, draft, era)
        draft.add(digest, body, raw_length=len(raw))
    if draft.entries:
        yield _send_draft(depot, draft, era)


def _send_draft(depot: Depot, draft: PackDraft, era: int) -> tuple[str, int]:
    stream = draft.stream()
    data = b"".join(iter(stream.read, b""))
    name = keys.named(digest_bytes(data), era)
    depot.blobs.put(keys.pack_key(name), io.BytesIO(data))
    entries = join_entries(draft.entries)
    draft.clear()
    return depot.put_index(PackIndex(FORMAT, name, len(data), entries), era=era), len(data)


def unpushed(
    turn: Turn, versions: Sequence[DatasetVersion], *, force: bool
) -> list[DatasetVersion]:
    """Return those of the versions that a remote does not have.

    Unless forced not those either that were removed there.
    """
    there = {held.name for held in turn.state.versions}
    if not force:
        there |= {gone.identity for gone in turn.state.removed}
    return [version for version in versions if version.identity not in there]


def new_contracts(turn: Turn, local: Local) -> list[Contract]:
    """Return the contracts of the home that a remote does not have, if its newest is known here."""
    known = [record_digest(contract) for contract in local.contracts]
    there = [keys.digest_of(name) for name in turn.state.contracts]
    if there and there[-1] not in known:
        return []
    return [c for c, digest in zip(local.contracts, known, strict=True) if digest not in there]


def record_digest(contract: Contract) -> str:
    """Return what names a contract in a remote: the same wherever it was set."""
    return digest_bytes(msgspec.json.encode(portable(contract)))


def portable(contract: Contract) -> Contract:
    """Return a contract without what is another one in another home."""
    return msgspec.structs.replace(contract, number=0, created_at=0)


def next_state(
    turn: Turn,
    held: Sequence[tuple[DatasetVersion, str]],
    *,
    graph: Graph,
    named: Named,
    contracts: Sequence[str],
    indexes: set[str],
    era: int,
) -> State:
    """Return a state with more in it; a version whose number is taken there gets the next one."""
    numbers = {version.name: version.number for version in turn.state.versions}
    versions = list(turn.state.versions)
    for version, record in held:
        parents = graph.parents(version.number)
        above = [numbers[parent] for parent in parents if parent in numbers]
        gone = {each.number for each in turn.state.removed if each.identity != version.identity}
        number = fitting(version.number, taken=gone.union(numbers.values()), parents=above)
        numbers[version.identity] = number
        versions.append(
            Held(
                digest=version.digest,
                number=number,
                record=record,
                parents=parents,
                identity="" if version.identity == version.digest else version.identity,
                era=era,
            )
        )
    return msgspec.structs.replace(
        turn.state,
        versions=tuple(sorted(versions, key=lambda each: each.number)),
        contracts=(*turn.state.contracts, *contracts),
        indexes=tuple(sorted({*turn.state.indexes, *indexes})),
        branches=named.branches,
        tags=named.tags,
        removed=tuple(gone for gone in turn.state.removed if gone.identity not in numbers),
    )


def moved(
    dataset: str,
    url: str,
    versions: Sequence[DatasetVersion],
    load: Load,
    *,
    pointers: Sequence[str],
) -> Moved:
    """Return what has to travel as it is told."""
    return Moved(
        dataset=dataset,
        remote=url,
        versions=tuple(version.ref for version in versions),
        chunks=len(load.chunks),
        packs=len(load.packs),
        objects=len(load.objects),
        size_bytes=load.size_bytes,
        pointers=tuple(pointers),
    )
