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
    from collections.abc import Callable, Sequence

    from treadle.data.contracts import Contract
    from treadle.data.entities import DatasetVersion
    from treadle.data.remotes.depot import Depot, Turn
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
    ) -> None:
        self._depot = depot
        self._store = store
        self._objects = objects
        self._reader = reader
        self._progress = progress

    def load(self, dataset: str, versions: Sequence[DatasetVersion]) -> Load:
        """Say what has to travel so that the remote has versions."""
        wanted = self._chunks_of(versions)
        names = self._depot.index_names([dataset]) if wanted else []
        there = RemoteReader(self._depot, names)
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
        with ThreadPoolExecutor(SENDERS) as pool:
            try:
                sent = list(pool.map(self._send_pack, load.packs))
                list(pool.map(self._send_object, load.objects))
            except BaseException:
                pool.shutdown(cancel_futures=True)
                raise
        return {*load.indexes, *sent, *self._send_loose(load.loose)}

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
            there = self._depot.blobs.stat(keys.object_key(digest))
            if there is None or there.size_bytes != here.size_bytes:
                found.append(here)
        return found

    def _send_pack(self, info: ObjectInfo) -> str:
        key = keys.pack_key(info.digest)
        there = self._depot.blobs.stat(key)
        if there is None or there.size_bytes != info.size_bytes:
            self._depot.blobs.put(key, stream_of(blocks_of(self._objects, info)))
        entries = join_entries(read_index(self._objects, info))
        self._progress(info.size_bytes)
        return self._depot.put_index(PackIndex(FORMAT, info.digest, info.size_bytes, entries))

    def _send_object(self, info: ObjectInfo) -> None:
        key = keys.object_key(info.digest)
        self._depot.blobs.put(key, stream_of(blocks_of(self._objects, info)))
        self._progress(info.size_bytes)

    def _send_loose(self, chunks: set[bytes]) -> set[str]:
        """Send chunks in packs of their own."""
        sent: set[str] = set()
        if not chunks:
            return sent
        draft, compressor = PackDraft(), Compressor()
        for digest, raw in self._reader.each(self._reader.find(list(chunks))):
            body = compressor.compressed(raw)
            if not draft.has_room(len(body)):
                sent.add(self._send_draft(draft))
            draft.add(digest, body, raw_length=len(raw))
        sent.add(self._send_draft(draft))
        return sent

    def _send_draft(self, draft: PackDraft) -> str:
        stream = draft.stream()
        data = b"".join(iter(stream.read, b""))
        digest = digest_bytes(data)
        self._depot.blobs.put(keys.pack_key(digest), io.BytesIO(data))
        entries = join_entries(draft.entries)
        draft.clear()
        self._progress(len(data))
        return self._depot.put_index(PackIndex(FORMAT, digest, len(data), entries))


def unpushed(turn: Turn, versions: Sequence[DatasetVersion]) -> list[DatasetVersion]:
    """Return those of the versions that a remote does not have."""
    there = {held.name for held in turn.state.versions}
    return [version for version in versions if version.identity not in there]


def new_contracts(turn: Turn, local: Local) -> list[Contract]:
    """Return the contracts of the home that a remote does not have, if its newest is known here."""
    known = [record_digest(contract) for contract in local.contracts]
    there = turn.state.contracts
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
) -> State:
    """Return a state with more in it; a version whose number is taken there gets the next one."""
    numbers = {version.name: version.number for version in turn.state.versions}
    versions = list(turn.state.versions)
    for version, record in held:
        parents = graph.parents(version.number)
        above = [numbers[parent] for parent in parents if parent in numbers]
        number = fitting(version.number, taken=set(numbers.values()), parents=above)
        numbers[version.identity] = number
        versions.append(
            Held(
                digest=version.digest,
                number=number,
                record=record,
                parents=parents,
                identity="" if version.identity == version.digest else version.identity,
            )
        )
    return msgspec.structs.replace(
        turn.state,
        versions=tuple(sorted(versions, key=lambda each: each.number)),
        contracts=(*turn.state.contracts, *contracts),
        indexes=tuple(sorted({*turn.state.indexes, *indexes})),
        branches=named.branches,
        tags=named.tags,
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
