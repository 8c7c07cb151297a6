"""What lies in a remote, read and written: records by digest, packs by what they hold, heads."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from treadle.data.remotes import keys
from treadle.data.remotes.cache import Cache
from treadle.data.remotes.entities import (
    FORMAT,
    SEALED_FORMAT,
    STEP_FORMAT,
    SWEPT_FORMAT,
    Era,
    Head,
    Marker,
    PackIndex,
    State,
)
from treadle.kernel.actors import current_actor
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.storage.stores import open_blobs, sealed_blobs

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from treadle.storage.ports import Blobs, ObjectStore

T = TypeVar("T")

READERS = 8
"""So many small blobs are asked for at once."""


class Turn(NamedTuple):
    """Where the history of a dataset stands in a remote: the step, and what it has since."""

    number: int
    state: State
    record: str = ""
    """The name of the state's record."""


class Depot:
    """A remote that is open. May be shared by threads."""

    def __init__(
        self, url: str, blobs: Blobs, *, cache: Cache, seal: Callable[[str, Blobs], Blobs]
    ) -> None:
        self.url = url
        self.blobs = blobs
        self.is_sealed = False
        self._bare = blobs
        self._cache = cache
        self._seal = seal
        self._format = FORMAT

    @property
    def lists(self) -> bool:
        """Say whether it tells what it has; a web server does not."""
        return not self.url.startswith(("http://", "https://"))

    def is_remote(self) -> bool:
        """Say whether somebody has made a remote of the place; an encrypted one is opened.

        Raises InvalidInput if it is newer, or encrypted and there is no key.
        """
        marker = self.marker()
        if marker is None:
            return False
        if marker.seals and not self.is_sealed:
            self.blobs, self.is_sealed = self._seal(self.url, self._bare), True
        self._format = marker.format
        return True

    def marker(self) -> Marker | None:
        """Return what says that the place is a remote; None where nothing does.

        Raises InvalidInput if it is newer.
        """
        try:
            with self._bare.open(keys.MARKER) as stream:
                marker = msgspec.json.decode(stream.read(), type=Marker)
        except NotFound:
            return None
        except msgspec.DecodeError as error:
            raise self._corrupt(keys.MARKER) from error
        if marker.format > SWEPT_FORMAT:
            raise InvalidInput(
                f"The remote {self.url} is of format {marker.format}, not {SWEPT_FORMAT}.",
                hint="A newer version of Treadle wrote it: use that.",
            )
        return marker

    def mark_as_swept(self) -> None:
        """Have versions of Treadle that know of no eras refuse it from now on."""
        if self._format < SWEPT_FORMAT:
            marker = Marker(format=SWEPT_FORMAT, is_sealed=self.is_sealed)
            self._bare.put(keys.MARKER, io.BytesIO(msgspec.json.encode(marker)))
            self._format = SWEPT_FORMAT

    def make(self) -> None:
        """Make a remote of the place, unless it is one. Raises InvalidInput if a newer one."""
        if not self.is_remote():
            self.blobs.create(keys.MARKER, msgspec.json.encode(Marker()))

    def make_sealed(self) -> None:
        """Make an encrypted remote of the place. Raises Conflict where it is a plain one already.

        Raises InvalidInput when there is no key to encrypt with.
        """
        if not self.is_remote():
            self._seal(self.url, self._bare)  # which says that there is no key
            self._bare.create(keys.MARKER, msgspec.json.encode(Marker(format=SEALED_FORMAT)))
            self.is_remote()
        if not self.is_sealed:
            raise Conflict(
                f"{self.url} is a remote already, and not encrypted.",
                hint="Name an empty place, and push there.",
            )

    def datasets(self) -> list[str]:
        """Return the names of all datasets. Raises Unavailable where nothing can be listed."""
        return sorted({info.key.split("/")[1] for info in self.blobs.list(keys.REFS)})

    def turn(self, dataset: str) -> Turn:
        """Return where a dataset stands; step 0, and nothing, where it was never pushed."""
        while last := self._last(dataset, partial(keys.ref_key, dataset)):
            head = self._head(dataset, last)
            try:
                return Turn(last, self._state(head), head.state)
            except Corrupt:
                if self.blobs.stat(keys.ref_key(dataset, last + 1)) is None:
                    raise  # else that state was swept, for another has taken its place
        return Turn(0, State(dataset=dataset))

    @contextmanager
    def comparing(self, turn: Turn, era: Era | None = None) -> Iterator[None]:
        """Pass over that something is gone if the remote has moved on: who compares does it again.

        Without an era a sweep alone is no reason.
        """
        try:
            yield
        except Corrupt:
            is_here = self.turn(turn.state.dataset).number == turn.number
            if is_here and (era is None or self.era().number == era.number):
                raise

    def states(self, dataset: str, *, first: int, last: int) -> dict[str, State]:
        """Return the states, by their records, that a dataset had from one step to another.

        What is not left of those that others came after is left out. Raises Corrupt when the last
        is damaged or gone.
        """
        found: dict[str, State] = {}
        for number in range(max(1, first), last + 1):
            name = self._head(dataset, number).state
            try:
                found[name] = found.get(name) or self.record(name, State)
            except Corrupt:  # swept since another one took its place
                if number == last:
                    raise
        return found

    def era(self) -> Era:
        """Return the era that the remote is in.

        Who pushes asks after he has read where his dataset stands: whoever begins an era afterwards
        takes the next step before anything is removed.
        """
        last = self._last(f".{keys.ERAS}", keys.era_key)  # no dataset is called so
        if not last:
            return Era()
        key = keys.era_key(last)
        with self.blobs.open(key) as stream:
            return self._decoded(stream.read(), key, Era)

    def begin_era(self, era: Era, *, is_locked: bool) -> bool:
        """Begin an era; say whether nobody else has begun that one. `is_locked` as in `advance`."""
        key = keys.era_key(era.number)
        return self._create(key, msgspec.json.encode(era, order="sorted"), is_locked=is_locked)

    def advance(
        self, turn: Turn, state: State | None, *, era: int, at: int, is_locked: bool
    ) -> bool:
        """Let a dataset have another state; say whether nobody else was there first.

        Without a state it keeps the one it has: whoever has compared before compares again.
        `is_locked` says that a lock stands for a server that does not keep who was first.
        """
        number, dataset = turn.number + 1, turn.state.dataset
        record = turn.record
        if state is not None or not record:
            record = self.put_record(state or turn.state, era=era)
        is_new = era or self._format == SWEPT_FORMAT
        head = Head(
            id=new_id(),
            state=record,
            actor=current_actor(),
            at=at,
            format=SWEPT_FORMAT if is_new else STEP_FORMAT,
        )
        key, data = keys.ref_key(dataset, number), msgspec.json.encode(head)
        self._create(key, data, is_locked=is_locked)
        # What is there says who was first: an answer may be lost and asked for again.
        if self._head(dataset, number).id != head.id:
            return False
        self._cache.set_last(self.url, dataset, number)
        return True

    def record(self, name: str, kind: type[T]) -> T:
        """Read a record, verified."""
        return self._decoded(self._small(name, keys.record_key(name)), name, kind)

    def records(self, names: Iterable[str], kind: type[T]) -> list[T]:
        """Read records, several at once."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda name: self.record(name, kind), names))

    def put_record(self, record: msgspec.Struct, *, era: int) -> str:
        """Store a record and return its name."""
        data = msgspec.json.encode(record)
        name = keys.named(digest_bytes(data), era)
        self._put_small(name, keys.record_key(name), data)
        return name

    def put_index(self, index: PackIndex, *, era: int) -> str:
        """Say what a pack holds that lies in the remote; return the name of that."""
        data = msgspec.msgpack.encode(index)
        name = keys.named(digest_bytes(data), era)
        self._put_small(name, keys.index_key(name), data)
        return name

    def index_names(self, datasets: Iterable[str]) -> list[str]:
        """Return the names of all indexes; where nothing can be listed, those of datasets."""
        if self.lists:
            return sorted(keys.name_of(info.key) for info in self.blobs.list(keys.INDEXES))
        return sorted({i for name in datasets for i in self.turn(name).state.indexes})

    def leanable(self, turn: Turn, era: Era) -> list[str]:
        """Return the indexes of packs that who is at a turn and in an era may lean on.

        A sweep never takes these away from under him. What else lies there is garbage, or about to
        be.
        """
        mine = {*era.kept, *turn.state.indexes}
        names = self.index_names([turn.state.dataset])
        return [name for name in names if keys.era_of(name) == era.number or name in mine]

    def indexes(self, names: Iterable[str]) -> Iterator[tuple[str, PackIndex]]:
        """Read indexes, several at once, verified."""

        def read(name: str) -> tuple[str, PackIndex]:
            data = self._small(name, keys.index_key(name))
            return name, self._decoded(data, name, PackIndex)

        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(read, names)

    def _last(self, what: str, key_of: Callable[[int], str]) -> int:
        """Return the highest of numbers of which each implies those below, or 0."""

        def is_there(number: int) -> bool:
            return self.blobs.stat(key_of(number)) is not None

        last = self._cache.last(self.url, what)
        if last and not is_there(last):
            last = 0  # the remote was made anew
        step = 1
        while is_there(last + step):
            last, step = last + step, 2 * step
        beyond = last + step
        while beyond - last > 1:
            middle = (last + beyond) // 2
            last, beyond = (middle, beyond) if is_there(middle) else (last, middle)
        if last:
            self._cache.set_last(self.url, what, last)
        return last

    def _create(self, key: str, data: bytes, *, is_locked: bool) -> bool:
        if not is_locked:
            return self.blobs.create(key, data)
        if self.blobs.stat(key) is not None:
            return False
        self.blobs.put(key, io.BytesIO(data))
        return True

    def _head(self, dataset: str, number: int) -> Head:
        key = keys.ref_key(dataset, number)
        with self.blobs.open(key) as stream:
            data = stream.read()
        return self._decoded(data, key, Head)

    def _state(self, head: Head) -> State:
        if head.format > SWEPT_FORMAT:
            raise InvalidInput(
                f"The last push to {self.url} is of format {head.format}, not {SWEPT_FORMAT}.",
                hint="A newer version of Treadle wrote it: use that.",
            )
        return self.record(head.state, State)

    def _small(self, name: str, key: str) -> bytes:
        digest = keys.digest_of(name)
        known = self._cache.load(digest)
        if known is not None:
            return known
        try:
            with self.blobs.open(key) as stream:
                data = stream.read()
        except NotFound as error:
            raise self._corrupt(key) from error
        if digest_bytes(data) != digest:
            raise self._corrupt(key)
        self._cache.keep(digest, data)
        return data

    def _put_small(self, name: str, key: str, data: bytes) -> None:
        if self.blobs.stat(key) is None:
            self.blobs.put(key, io.BytesIO(data))
        self._cache.keep(keys.digest_of(name), data)

    def _decoded(self, data: bytes, name: str, kind: type[T]) -> T:
        try:
            if kind is PackIndex:
                return msgspec.msgpack.decode(data, type=kind)
            return msgspec.json.decode(data, type=kind)
        except msgspec.ValidationError as error:
            raise InvalidInput(
                f"{name} in the remote {self.url} cannot be understood: {error}.",
                hint="Most likely a newer version of Treadle wrote it: use that.",
            ) from error
        except msgspec.DecodeError as error:
            raise self._corrupt(name) from error

    def _corrupt(self, name: str) -> Corrupt:
        return Corrupt(
            f"{name} is damaged or gone in the remote {self.url}.",
            hint="Restore it there from a copy, or push again from a home that has all of it.",
        )


def open_depot(url: str, *, home: Path | None = None, objects: ObjectStore | None = None) -> Depot:
    """Open a remote by its URL or folder; nothing is read yet.

    An encrypted one needs the key of `objects`.
    """
    whole = as_url(url)
    seal = partial(sealed_blobs, objects=objects)
    return Depot(whole, open_blobs(whole), cache=Cache(home), seal=seal)


def as_url(where: str) -> str:
    """Return a URL, that of a folder when it is none."""
    if "://" in where:
        return where.rstrip("/")
    return Path(where).expanduser().absolute().as_uri()
