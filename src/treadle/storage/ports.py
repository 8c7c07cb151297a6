"""The seams of storage."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

import msgspec

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from contextlib import AbstractContextManager
    from typing import BinaryIO

    from treadle.storage.transaction import Transaction


class MetadataStore(Protocol):
    """Rows and events in SQL, in transactions.

    **Thread safety**: may be shared by threads; a transaction belongs to the thread that began it.
    **Joining**: `write` inside `write` of the same thread joins the outer transaction, so that a
    verb that calls another stays one transaction; the outermost block commits. An error undoes the
    block it leaves, facts included: all of it when nobody catches it. **Durability**: what `write`
    has left without an error survives `kill -9`.
    """

    dialect: str
    """`sqlite` or `postgresql`."""

    def read(self) -> AbstractContextManager[Transaction]:
        """Begin a consistent read; inside a `write` it sees what that has written."""
        ...

    def write(self) -> AbstractContextManager[Transaction]:
        """Begin or join the write transaction; facts emitted in it are chained at its commit."""
        ...

    def is_writing(self) -> bool:
        """Say whether this thread is inside a `write`, which the next one would join."""
        ...

    def migrate(self) -> None:
        """Bring the schema to this version; does nothing when it is there already."""
        ...

    def close(self) -> None:
        """Let go of every connection."""
        ...


class ObjectInfo(msgspec.Struct, frozen=True):
    """What a store knows of an object without reading it."""

    digest: str
    size_bytes: int


class Span(NamedTuple):
    """The bytes from `start` up to, not including, `stop`."""

    start: int
    stop: int


class ObjectStore(Protocol):
    """Bytes named by their BLAKE3 digest.

    **Idempotence**: putting the same bytes twice stores them once. **Atomicity**: an object is
    whole or absent, also after `kill -9`. **Integrity**: `open` raises Corrupt, before the last
    byte is handed over, when the bytes are not those of the digest. **Age**: by the store's own
    clock; putting what is there makes it young again, so that who has put an object has half an
    hour at least to name it in a transaction. Any thread may call any verb.
    """

    def put(self, stream: BinaryIO, *, name: Callable[[], str] | None = None) -> ObjectInfo:
        """Store all bytes of a stream and return their digest and size.

        `name` is asked after the last byte and says the digest to file them under: of others that
        they stand for, which whoever reads them checks himself, or their own, known already.
        """
        ...

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone, Corrupt when damaged.

        With a span only these bytes are read. Of a part nobody can tell whether it is what was
        stored: who hands over the whole by its span checks it on the way (`blocks_of`).
        """
        ...

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        ...

    def delete(self, digest: str, *, before: int | None = None) -> bool:
        """Remove an object; return whether it was there. Does nothing when it is not.

        With `before` (µs) it stays if somebody has put it since.
        """
        ...

    def iterate(self, *, before: int | None = None) -> Iterator[ObjectInfo]:
        """Yield every object, in no promised order; with `before` those that nobody put since."""
        ...

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Return a URL that reads the object for a while, or None where there is no such thing."""
        ...


class BlobInfo(msgspec.Struct, frozen=True):
    """What a store knows of a blob without reading it.

    `put_at` (µs) is by the store's own clock, 0 where it tells none: it compares with those of the
    same store, and with no machine's.
    """

    key: str
    size_bytes: int
    put_at: int = 0


class Blobs(Protocol):
    """Bytes under keys that their writer chose (`packs/4a/4a3d…`), shared by many homes.

    **Atomicity**: a blob is whole or absent, also after `kill -9`. **One winner**: of all who
    `create` the same key, in any process on any machine, one is told so; no lock is taken. Where a
    server does not keep that, `storage.blobs.probing` finds out. Any thread may call any verb. A
    store that can only be read raises Unavailable when it is written to or listed.
    """

    def put(self, key: str, stream: BinaryIO) -> None:
        """Store all bytes of a stream under a key, in place of what may be there."""
        ...

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key is taken; say whether it was free."""
        ...

    def open(self, key: str, *, span: Span | None = None) -> BinaryIO:
        """Open a blob to read, or only these bytes of it. Raises NotFound when it is not there."""
        ...

    def stat(self, key: str) -> BlobInfo | None:
        """Return what is known of a blob, or None when it is not there."""
        ...

    def delete(self, key: str) -> None:
        """Remove a blob; does nothing when it is not there."""
        ...

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Yield every blob below a folder (`packs`), in no promised order."""
        ...


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """A part of a draft that is written; `start` is its place in the whole, None apart from it."""

    token: str
    size_bytes: int
    start: int | None = None


class Drafts(Protocol):
    """Objects on their way, in pieces that come in any order and at once.

    **Places**: a piece with a span is written where it will lie, so that no byte is moved when the
    draft is whole; each span is given out once, by the caller. **Durability**: what `write` has
    returned survives `kill -9` and a loss of power. **Memory**: no piece is ever held whole.
    """

    def write(self, draft: str, stream: BinaryIO, *, span: Span | None = None) -> Piece:
        """Write a piece, in its place or apart. Raises InvalidInput when it does not fill its span.

        What breaks off leaves nothing that counts.
        """
        ...

    def remove(self, draft: str, piece: Piece) -> None:
        """Remove a piece that lies apart; does nothing when it is not there."""
        ...

    def join(self, draft: str, pieces: Sequence[Piece]) -> ObjectInfo:
        """Make an object of pieces in the order of the whole. Raises NotFound when one is gone."""
        ...

    def read(self, draft: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield the bytes of pieces one after the other. Raises NotFound when one is gone."""
        ...

    def drop(self, draft: str) -> None:
        """Forget a draft with all its pieces; does nothing when there is none."""
        ...

    def sweep(self, *, before: int) -> int:
        """Remove what nobody has written to since an instant; return how many drafts that were."""
        ...
