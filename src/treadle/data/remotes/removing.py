"""Versions taken out of a remote: what its dataset is then, and what that frees."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treadle.data.entities import DatasetVersion
from treadle.data.remotes.entities import Removed, Withdrawn
from treadle.data.remotes.pull import chunks_of
from treadle.data.remotes.push import send_chunks
from treadle.data.remotes.reading import RemoteReader
from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Corrupt

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from treadle.data.remotes.depot import Depot, Turn
    from treadle.data.remotes.entities import Held, State
    from treadle.storage.chunks.store import ChunkPlace

UNREADABLE = (
    "what the other versions need cannot be read there, so that all packs stay: "
    "treadle data push sends again what is damaged"
)


class Outcome(NamedTuple):
    """A dataset without versions that it had, what that comes to, and what is written anew for it.

    `state` has no index yet of the packs that take `moved`: chunks that stay, and their places.
    """

    state: State
    removed: Removed
    moved: dict[bytes, ChunkPlace]
    reader: RemoteReader | None


class Usage(NamedTuple):
    """Which packs the versions that stay need, and what of them is written anew without the rest.

    `shared_bytes` of the versions that go stay in packs that are needed.
    """

    indexes: set[str]
    moved: dict[bytes, ChunkPlace]
    shared_bytes: int = 0
    reader: RemoteReader | None = None
    notes: tuple[str, ...] = ()


def without_versions(
    depot: Depot, turn: Turn, gone: Sequence[Held], *, at: int, live_share: float
) -> Outcome:
    """Say what a dataset is without versions.

    What descends from them descends from what they descend from; branches at them fall back there,
    tags at them go. Packs with chunks of theirs are written anew if less than `live_share` of them
    stays needed.
    """
    state = turn.state
    names = {held.name for held in gone}
    left = [held for held in state.versions if held.name not in names]
    stands = _stand_ins(state.versions, names)
    others = _named_elsewhere(depot, state)
    usage = _usage(depot, state, left=left, gone=gone, others=others, live_share=live_share)
    named = tuple(Withdrawn(h.name, h.digest, h.number, current_actor(), at) for h in gone)
    after = msgspec.structs.replace(
        state,
        versions=tuple(
            msgspec.structs.replace(held, parents=_kept(held.parents, stands)) for held in left
        ),
        contracts=state.contracts if left else (),
        indexes=tuple(sorted(usage.indexes)),
        branches=_fallen_back(state.branches, stands, {held.name for held in left}),
        tags={tag: name for tag, name in state.tags.items() if name not in names},
        removed=(*(w for w in state.removed if w.identity not in names), *named),
    )
    idle = set(state.indexes) - usage.indexes - others
    removed = Removed(
        dataset=state.dataset,
        remote=depot.url,
        versions=tuple(gone),
        pointers=_moved(state, after),
        freed_bytes=_size(depot, idle) - sum(place.length for place in usage.moved.values()),
        shared_bytes=usage.shared_bytes,
        notes=usage.notes,
    )
    return Outcome(after, removed, usage.moved, usage.reader)


def write_anew(depot: Depot, outcome: Outcome, *, era: int) -> State:
    """Send what stays of packs that are given up; return the state with their indexes."""
    state = outcome.state
    if not (outcome.moved and outcome.reader):
        return state
    chunks = outcome.reader.each(outcome.moved)
    sent = {name for name, _ in send_chunks(depot, chunks, era=era)}
    return msgspec.structs.replace(state, indexes=tuple(sorted({*state.indexes, *sent})))


def _usage(
    depot: Depot,
    state: State,
    *,
    left: Sequence[Held],
    gone: Sequence[Held],
    others: set[str],
    live_share: float,
) -> Usage:
    if not left or not state.indexes:
        return Usage(set(), {})
    try:
        remote = RemoteReader(depot, state.indexes)
        needed = chunks_of(_versions(depot, left), remote)
        places = remote.find(list(needed))
    except Corrupt:
        return Usage(set(state.indexes), {}, notes=(UNREADABLE,))
    try:
        lost = remote.locate(chunks_of(_versions(depot, gone), remote) - needed)
    except Corrupt:
        lost = {}  # it goes all the same
    live, dead = _bytes_by_pack(places), _bytes_by_pack(lost)
    owned = {index.pack for name, index in remote.indexes.items() if name not in others}
    thin = {
        pack
        for pack in live.keys() & dead.keys() & owned
        if live[pack] < live_share * (live[pack] + dead[pack])
    }
    return Usage(
        indexes=remote.needed(live.keys() - thin),
        shared_bytes=sum(dead[pack] for pack in live.keys() & dead.keys() - thin),
        moved={digest: place for digest, place in places.items() if place.pack in thin},
        reader=remote,
    )


def _bytes_by_pack(places: Mapping[bytes, ChunkPlace]) -> dict[str, int]:
    found: dict[str, int] = {}
    for place in places.values():
        found[place.pack] = found.get(place.pack, 0) + place.length
    return found


def _named_elsewhere(depot: Depot, state: State) -> set[str]:
    """Return the indexes that other datasets need."""
    names = depot.datasets() if state.indexes else []
    states = (depot.turn(name).state for name in names if name != state.dataset)
    return {index for other in states for index in other.indexes}


def _size(depot: Depot, indexes: set[str]) -> int:
    """Return the bytes of packs."""
    try:
        return sum(index.size_bytes for _, index in depot.indexes(indexes))
    except Corrupt:
        return 0


def _versions(depot: Depot, held: Sequence[Held]) -> list[DatasetVersion]:
    return depot.records([each.record for each in held], DatasetVersion)


def _stand_ins(versions: Sequence[Held], gone: Collection[str]) -> dict[str, tuple[str, ...]]:
    """Return what those descend from who descended from a version that is gone."""
    stands: dict[str, tuple[str, ...]] = {}
    for held in sorted(versions, key=lambda each: each.number):
        if held.name in gone:
            stands[held.name] = _kept(held.parents, stands)
    return stands


def _kept(parents: Sequence[str], stands: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(new for old in parents for new in stands.get(old, (old,))))


def _fallen_back(
    branches: Mapping[str, str], stands: Mapping[str, tuple[str, ...]], left: Collection[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, digest in branches.items():
        stays = [each for each in stands.get(digest, (digest,)) if each in left]
        if stays:
            found[name] = stays[0]
    return found


def _moved(before: State, after: State) -> dict[str, str]:
    """Return of each branch and tag that is another now where it is: `photos@1`, or nothing."""
    numbers = {held.name: f"{after.dataset}@{held.number}" for held in after.versions}
    now = {**after.branches, **after.tags}
    return {
        name: numbers.get(now.get(name, ""), "")
        for name, digest in {**before.branches, **before.tags}.items()
        if now.get(name) != digest
    }
