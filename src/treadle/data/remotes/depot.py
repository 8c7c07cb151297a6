"""What lies in a remote, read and written: records by digest, packs by what they hold, heads."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import msgspec

from treadle.data.remotes import keys
from treadle.data.remotes.cache import Cache
from treadle.data.remotes.entities import SEALED_FORMAT, STEP_FORMAT, Head, Marker, PackIndex, State
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

    @property
    def lists(self) -> bool:
        """Say whether it tells what it has; a web server does not."""
        return not self.url.startswith(("http://", "https://"))

    def is_remote(self) -> bool:
        """Say whether somebody has made a remote of the place; an encrypted one is opened.

        Raises InvalidInput if it is newer, or encrypted and there is no key.
        """
        try:
            with self._bare.open(keys.MARKER) as stream:
                marker = msgspec.json.decode(stream.read(), type=Marker)
        except NotFound:
            return False
        except msgspec.DecodeError as error:
            raise self._corrupt(keys.MARKER) from error
        if marker.format > SEALED_FORMAT:
            raise InvalidInput(
                f"The remote {self.url} is of format {marker.format}, not {SEALED_FORMAT}.",
                hint="A newer version of Treadle wrote it: use that.",
            )
        if marker.format == SEALED_FORMAT and not self.is_sealed:
            self.blobs, self.is_sealed = self._seal(self.url, self._bare), True
        return True

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
        last = self._cache.last(self.url, dataset)
        if last and not self._is_step(dataset, last):
            last = 0  # the remote was made anew
        step = 1
        while self._is_step(dataset, last + step):
            last, step = last + step, 2 * step
        beyond = last + step
        while beyond - last > 1:
            middle = (last + beyond) // 2
            last, beyond = (middle, beyond) if self._is_step(dataset, middle) else (last, middle)
        if not last:
            return Turn(0, State(dataset=dataset))
        self._cache.set_last(self.url, dataset, last)
        return Turn(last, self._state(self._head(dataset, last)))

    def advance(self, turn: Turn, state: State, *, at: int, is_locked: bool) -> bool:
        """Let a dataset have another state; say whether nobody else was there first.

        `is_locked` says that a lock stands for a server that does not keep who was first.
        """
        number = turn.number + 1
        head = Head(id=new_id(), state=self.put_record(state), actor=current_actor(), at=at)
        key, data = keys.ref_key(state.dataset, number), msgspec.json.encode(head)
        if is_locked:
            if self.blobs.stat(key) is not None:
                return False
            self.blobs.put(key, io.BytesIO(data))
        else:
            self.blobs.create(key, data)
        # What is there says who was first: an answer may be lost and asked for again.
        if self._head(state.dataset, number).id != head.id:
            return False
        self._cache.set_last(self.url, state.dataset, number)
        return True

    def record(self, digest: str, kind: type[T]) -> T:
        """Read a record, verified."""
        return self._decoded(self._small(digest, keys.record_key(digest)), digest, kind)

    def records(self, digests: Iterable[str], kind: type[T]) -> list[T]:
        """Read records, several at once."""
        with ThreadPoolExecutor(READERS) as pool:
            return list(pool.map(lambda digest: self.record(digest, kind), digests))

    def put_record(self, record: msgspec.Struct) -> str:
        """Store a record and return its digest."""
        data = msgspec.json.encode(record)
        digest = digest_bytes(data)
        self._put_small(digest, keys.record_key(digest), data)
        return digest

    def put_index(self, index: PackIndex) -> str:
        """Say what a pack holds that lies in the remote; return the digest of that."""
        data = msgspec.msgpack.encode(index)
        digest = digest_bytes(data)
        self._put_small(digest, keys.index_key(digest), data)
        return digest

    def index_names(self, datasets: Iterable[str]) -> list[str]:
        """Return the digests of all indexes; where nothing can be listed, those of datasets."""
        if self.lists:
            return sorted(info.key.split("/")[1] for info in self.blobs.list(keys.INDEXES))
        return sorted({i for name in datasets for i in self.turn(name).state.indexes})

    def indexes(self, digests: Iterable[str]) -> Iterator[tuple[str, PackIndex]]:
        """Read indexes, several at once, verified."""

        def read(digest: str) -> tuple[str, PackIndex]:
            data = self._small(digest, keys.index_key(digest))
            return digest, self._decoded(data, digest, PackIndex)

        with ThreadPoolExecutor(READERS) as pool:
            yield from pool.map(read, digests)

    def _is_step(self, dataset: str, number: int) -> bool:
        return self.blobs.stat(keys.ref_key(dataset, number)) is not None

    def _head(self, dataset: str, number: int) -> Head:
        key = keys.ref_key(dataset, number)
        with self.blobs.open(key) as stream:
            data = stream.read()
        return self._decoded(data, key, Head)

    def _state(self, head: Head) -> State:
        if head.format > STEP_FORMAT:
            raise InvalidInput(
                f"The last push to {self.url} is of format {head.format}, not {STEP_FORMAT}.",
                hint="A newer version of Treadle wrote it: use that.",
            )
        return self.record(head.state, State)

    def _small(self, digest: str, key: str) -> bytes:
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

    def _put_small(self, digest: str, key: str, data: bytes) -> None:
        if self.blobs.stat(key) is None:
            self.blobs.put(key, io.BytesIO(data))
        self._cache.keep(digest, data)

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
