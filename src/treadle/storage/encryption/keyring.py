"""The keys: data keys that encrypt objects, wrapped by one master key that is kept elsewhere.

The wrapped keys lie beside the objects, twice, each time as a small object of JSON. Rotating the
master writes them wrapped anew and removes the old; no object is touched. Who adds a key at the
same moment writes objects of his own: the keys are all that any of them holds.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec
from blake3 import blake3
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from treadle.kernel.digests import canonical_json
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound, Unavailable
from treadle.kernel.ids import id_time, new_id
from treadle.kernel.settings import is_key
from treadle.storage.encryption.format import KEY_BYTES, DataKey
from treadle.storage.objects import put_bytes, read_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treadle.storage.ports import ObjectStore

FORMAT = 1
COPIES = 2
"""A flipped bit in the only copy would lose everything."""
_NONCE_BYTES = 12


class MasterKey(NamedTuple):
    """What wraps data keys; whoever has it can read everything."""

    secret: bytes

    @property
    def id(self) -> str:
        """Return what names it and does not give it away."""
        return blake3(b"treadle master key" + self.secret).hexdigest()[:16]

    def wrap(self, key: DataKey) -> bytes:
        """Return a data key that only this opens."""
        nonce = os.urandom(_NONCE_BYTES)
        return nonce + AESGCM(self.secret).encrypt(nonce, key.secret, b"treadle key" + key.id)

    def unwrap(self, key_id: bytes, wrapped: bytes) -> DataKey:
        """Return a data key. Raises Corrupt when it was not wrapped by this."""
        nonce, body = wrapped[:_NONCE_BYTES], wrapped[_NONCE_BYTES:]
        try:
            opened = AESGCM(self.secret).decrypt(nonce, body, b"treadle key" + key_id)
        except InvalidTag as error:
            raise Corrupt(f"Data key {key_id.hex()} is not what was wrapped.") from error
        return DataKey(key_id, opened)


def master_key(told: str) -> MasterKey:
    """Return the key that a setting tells: 64 hex digits, or a file that holds them.

    Raises InvalidInput when it is neither; the message does not repeat it.
    """
    text = told.strip()
    if not is_key(text):
        try:
            text = Path(text).expanduser().read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise InvalidInput(
                "Setting `objects_key` is neither 64 hex digits nor a file that can be read.",
                hint="Make a key file: treadle objects keys new FILE.",
            ) from error
    if not is_key(text):
        raise InvalidInput(
            "The file that setting `objects_key` names does not hold a key.",
            hint="It holds 64 hex digits; make one: treadle objects keys new FILE.",
        )
    return MasterKey(bytes.fromhex(text))


def write_new_key(path: Path) -> MasterKey:
    """Write a new master key to a file that only its owner reads. Raises InvalidInput if there."""
    made = MasterKey(os.urandom(KEY_BYTES))
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise InvalidInput(f"{path} is there already.", hint="Name a new file.") from error
    except OSError as error:
        raise Unavailable(f"Cannot write {path}: {error.strerror or error}.") from error
    with os.fdopen(handle, "w") as file:
        file.write(made.secret.hex() + "\n")
        file.flush()
        os.fsync(file.fileno())
    return made


class Wrapped(msgspec.Struct, frozen=True, kw_only=True):
    """All data keys as one master wraps them; `copy` makes each copy an object of its own."""

    format: int
    master: str
    keys: dict[str, bytes]
    copy: int


class KeyInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A data key as it is listed: its secret is not shown."""

    id: str
    made_at: int
    is_current: bool


class Words(NamedTuple):
    """How a ring's place is called, and what helps who has another master key."""

    what: str = "The objects are"
    remedy: str = (
        "Set TREADLE_OBJECTS_KEY to the right key or its file; if it was exchanged, to the new one."
    )


class Keyring:
    """The data keys of a store, opened by a master key when the first is needed."""

    def __init__(
        self, objects: ObjectStore, master: MasterKey, *, words: Words | None = None
    ) -> None:
        self._objects = objects
        self._master = master
        self._words = words or Words()
        self._lock = threading.Lock()
        self._keys: dict[bytes, DataKey] = {}

    @property
    def master(self) -> MasterKey:
        """Return the master key."""
        return self._master

    @property
    def master_id(self) -> str:
        """Return what names the master key."""
        return self._master.id

    def elsewhere(self, objects: ObjectStore, *, words: Words | None = None) -> Keyring:
        """Return a ring of other data keys in another place, under the same master key."""
        return Keyring(objects, self._master, words=words)

    def under(self, master: MasterKey) -> Keyring:
        """Return the same place's ring under another master key."""
        return Keyring(self._objects, master, words=self._words)

    def masters(self) -> frozenset[str]:
        """Return what names each master key that data keys are wrapped with."""
        return frozenset(wrapped.master for _, wrapped in self._stored() if wrapped)

    def current(self) -> DataKey:
        """Return the newest data key, the one for new objects; the first is made here."""
        with self._lock:
            if not self._keys:
                self._load()
            if not self._keys:
                self._write({}, DataKey(bytes.fromhex(new_id()), os.urandom(KEY_BYTES)))
            return self._keys[max(self._keys)]

    def find(self, key_id: bytes) -> DataKey:
        """Return a data key by its id. Raises Corrupt when the master opens none of that id."""
        with self._lock:
            if key_id not in self._keys:
                self._load()
            if key_id not in self._keys:
                raise Corrupt(
                    f"It is encrypted with data key {key_id.hex()}, which master key "
                    f"{self._master.id} does not open.",
                    hint="It is damaged, or was written under another master key.",
                )
            return self._keys[key_id]

    def listed(self) -> tuple[KeyInfo, ...]:
        """Return the data keys, oldest first."""
        with self._lock:
            self._load()
            newest = max(self._keys, default=b"")
            return tuple(
                KeyInfo(id=k.hex(), made_at=id_time(k.hex()), is_current=k == newest)
                for k in sorted(self._keys)
            )

    def damaged(self) -> tuple[str, ...]:
        """Return the objects of keys that cannot be read; each is there twice."""
        return tuple(digest for digest, wrapped in self._stored() if wrapped is None)

    def add(self) -> DataKey:
        """Make a new data key: objects that are put from now on are encrypted with it."""
        with self._lock:
            read = self._load()
            made = DataKey(bytes.fromhex(new_id()), os.urandom(KEY_BYTES))
            self._write(read, made)
            return made

    def rotate(self, master: MasterKey) -> None:
        """Wrap all data keys with another master key, which alone opens them from now on.

        May be killed at any moment and begun again. Who adds a key under the old one meanwhile has
        it wrapped anew as well.
        """
        with self._lock:
            while master.id != self._master.id and not self._is_moved(master):
                read, ahead = self._load(), self._wrapped_by(master)
                self._open(ahead, master)
                self._write({**read, **ahead}, master=master)
            self._master = master

    def _load(self) -> dict[str, Wrapped]:
        """Read all that this master opens. Raises Unavailable when there are keys, but none."""
        mine: dict[str, Wrapped] = {}
        others: set[str] = set()
        is_any_damaged = False
        for digest, wrapped in self._stored():
            if wrapped is None:
                is_any_damaged = True
            elif wrapped.master == self._master.id:
                mine[digest] = wrapped
            else:
                others.add(wrapped.master)
        self._open(mine, self._master)
        if others and not mine:
            raise Unavailable(
                f"{self._words.what} encrypted under master key {', '.join(sorted(others))}; "
                f"the one that is set is {self._master.id}.",
                hint=self._words.remedy,
            )
        if is_any_damaged and not mine:
            raise Corrupt(
                "The keys of the objects are damaged, each copy of them.",
                hint="Restore the folder `keys` of the objects from a copy.",
            )
        return mine

    def _open(self, found: Mapping[str, Wrapped], master: MasterKey) -> None:
        for wrapped in found.values():
            for key_id, body in wrapped.keys.items():
                opened = master.unwrap(bytes.fromhex(key_id), body)
                self._keys[opened.id] = opened

    def _is_moved(self, master: MasterKey) -> bool:
        """Say whether all that this master opened is wrapped with another."""
        known = self.masters()
        return master.id in known and self._master.id not in known

    def _wrapped_by(self, master: MasterKey) -> dict[str, Wrapped]:
        return {digest: w for digest, w in self._stored() if w and w.master == master.id}

    def _stored(self) -> Iterator[tuple[str, Wrapped | None]]:
        for info in self._objects.iterate():
            try:
                body = read_bytes(self._objects, info.digest)
                yield info.digest, msgspec.json.decode(body, type=Wrapped)
            except NotFound:  # rotated away since it was listed
                continue
            except (Corrupt, msgspec.DecodeError):
                yield info.digest, None

    def _write(
        self, superseded: Mapping[str, Wrapped], *new: DataKey, master: MasterKey | None = None
    ) -> None:
        master = master or self._master
        self._keys |= {key.id: key for key in new}
        wrapped = {key_id.hex(): master.wrap(key) for key_id, key in self._keys.items()}
        written = set()
        for copy in range(COPIES):
            told = Wrapped(format=FORMAT, master=master.id, keys=wrapped, copy=copy)
            written.add(put_bytes(self._objects, canonical_json(told)).digest)
        # Only now: killed before, either master opens what is there. What is damaged opens nothing.
        for digest in {*superseded, *self.damaged()} - written:
            self._objects.delete(digest)
