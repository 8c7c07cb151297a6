"""The object store in S3, GCS and Azure Blob, through obstore."""

from __future__ import annotations

import contextlib
import tempfile
import threading
import time
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast

from blake3 import blake3

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import InvalidInput, MissingExtra, NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.storage.buckets import explained, instant_of, open_bucket
from treadle.storage.objects import KEYS, check_digest, is_digest, lacks_key, stream_of, verified
from treadle.storage.ports import ObjectInfo, Piece, Span

try:
    import obstore
except ModuleNotFoundError as missing:
    raise MissingExtra("obstore", extra="cloud") from missing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

DRAFTS = "drafts"
PIECE_BYTES = 8 << 20
READ_BYTES = 4 << 20
YOUNG_US = 1_800_000_000
SENDERS = 2
"""How many large objects go up at once: each holds a few pieces in memory."""


class CloudObjectStore:
    """Objects in a bucket, named by their digest under a prefix."""

    def __init__(
        self, url: str, *, has_key: bool = False, before_put: Callable[[], None] | None = None
    ) -> None:
        self._where = url
        self._before_put = before_put
        # With a key nobody needs to look: what is encrypted lies elsewhere.
        self._is_open = True if has_key else None
        self._senders = threading.BoundedSemaphore(SENDERS)
        self._store = open_bucket(url)

    def put(self, stream: BinaryIO, *, name: Callable[[], str] | None = None) -> ObjectInfo:
        """Store all bytes of a stream and return their digest and size.

        They wait in a temporary file until their name is known and a sender is free: a client that
        is slow, and many at once, hold a disk's room and not memory.
        """
        with _spooled(stream) as (file, info):
            kept = ObjectInfo(name(), info.size_bytes) if name else info
            # Sent again when it is no longer young: a bucket knows no other way to touch it.
            self._refuse_plain_among_encrypted()
            if self._before_put:
                self._before_put()
            if self._put_at(kept.digest) < time.time_ns() // 1000 - YOUNG_US:
                self._send(self._key(kept.digest), file, kept.size_bytes)
        return kept

    def open(self, digest: str, *, span: Span | None = None) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone, Corrupt when damaged."""
        if span is not None:
            return self._part(digest, span)
        key = self._key(digest)
        draft = tempfile.TemporaryFile(prefix="treadle-")  # noqa: SIM115 - handed to the caller
        try:
            with self._explained():
                for block in obstore.get(self._store, key).stream(CHUNK_BYTES):
                    draft.write(block)
            draft.seek(0)
            return verified(cast("BinaryIO", draft), digest=digest)
        except FileNotFoundError as error:
            draft.close()
            self._refuse_plain_among_encrypted()
            raise NotFound("object", digest) from error
        except BaseException:
            draft.close()
            raise

    def stat(self, digest: str) -> ObjectInfo | None:
        """Return what is known of an object, or None when it is not there."""
        try:
            with self._explained():
                return ObjectInfo(digest, obstore.head(self._store, self._key(digest))["size"])
        except FileNotFoundError:
            return None

    def delete(self, digest: str, *, before: int | None = None) -> bool:
        """Remove an object, unless somebody has put it since; return whether it was there."""
        put_at = self._put_at(digest)
        if not put_at or (before is not None and put_at >= before):
            return False
        with self._explained(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, self._key(digest))
        return True

    def iterate(self, *, before: int | None = None) -> Iterator[ObjectInfo]:
        """Yield every object, in no promised order; with `before` those that nobody put since."""
        with self._explained():
            for page in obstore.list(self._store):
                for item in page:
                    # Drafts, tenants and whatever else lies below the prefix is named otherwise.
                    folder, _, digest = item["path"].partition("/")
                    is_old = before is None or instant_of(item["last_modified"]) < before
                    if is_old and is_digest(digest) and folder == digest[:2]:
                        yield ObjectInfo(digest, item["size"])

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Return a URL that reads the object for a while."""
        key = self._key(digest)
        return str(obstore.sign(self._store, "GET", key, timedelta(seconds=seconds)))

    def put_draft(self, name: str, stream: BinaryIO) -> int:
        """Store a stream under a name among the drafts; return its size."""
        with _spooled(stream) as (file, info):
            self._send(f"{DRAFTS}/{name}", file, info.size_bytes)
        return info.size_bytes

    def read_draft(self, name: str, size: int) -> Iterator[bytes]:
        """Yield a draft piece by piece. Raises NotFound when it is gone."""
        try:
            yield from self._pieces(f"{DRAFTS}/{name}", Span(0, size), READ_BYTES)
        except FileNotFoundError as error:
            raise NotFound("draft", name, hint="Begin the upload again.") from error

    def remove_draft(self, name: str) -> None:
        """Remove one of the drafts; does nothing when it is not there."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, f"{DRAFTS}/{name}")

    def drafts(self, folder: str = "") -> Iterator[tuple[str, int]]:
        """Yield the names of the drafts in a folder of theirs, and when each was written."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            for page in obstore.list(self._store, f"{DRAFTS}/{folder}".rstrip("/")):
                for item in page:
                    at = instant_of(item["last_modified"])
                    yield item["path"].removeprefix(f"{DRAFTS}/"), at

    def _put_at(self, digest: str) -> int:
        """Return when an object was put (µs by the bucket's clock), 0 when it is not there."""
        try:
            with self._explained():
                return instant_of(obstore.head(self._store, self._key(digest))["last_modified"])
        except FileNotFoundError:
            return 0

    def _refuse_plain_among_encrypted(self) -> None:
        if self._is_open is None:
            try:
                with self._explained():
                    keys = next(iter(obstore.list(self._store, KEYS)), [])
            except Unavailable:
                return  # what is wrong is said by whoever wanted more of it
            self._is_open = not keys
        if not self._is_open:
            raise lacks_key(self._where)

    def _send(self, key: str, file: BinaryIO, size: int) -> None:
        with self._explained(), self._in_bucket():
            if size < CHUNK_BYTES:  # hardly any memory: it waits for nobody
                obstore.put(self._store, key, file.read())
                return
            with self._senders:
                self._send_large(key, file)

    def _send_large(self, key: str, file: BinaryIO) -> None:
        writer = obstore.open_writer(self._store, key, buffer_size=PIECE_BYTES, max_concurrency=2)
        while block := file.read(CHUNK_BYTES):
            writer.write(block)
        writer.close()  # only now is there an object: what breaks off before leaves none

    @contextlib.contextmanager
    def _in_bucket(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError as error:
            raise Unavailable(
                f"Cannot write to {self._where}: there is no such bucket.",
                hint="Create the bucket, or correct TREADLE_OBJECTS_URL.",
            ) from error

    def _part(self, digest: str, span: Span) -> BinaryIO:
        key, known = self._key(digest), self.stat(digest)
        if known is None:
            self._refuse_plain_among_encrypted()
            raise NotFound("object", digest)
        pieces = self._pieces(key, Span(span.start, min(span.stop, known.size_bytes)), READ_BYTES)
        return stream_of(pieces)

    def _pieces(self, key: str, span: Span, size: int) -> Iterator[bytes]:
        # Piece by piece: one long answer would have to be read within the client's timeout.
        for start in range(span.start, span.stop, size):
            stop = min(start + size, span.stop)
            with self._explained():
                piece = bytes(obstore.get_range(self._store, key, start=start, end=stop))
            yield piece

    def _key(self, digest: str) -> str:
        check_digest(digest)
        return f"{digest[:2]}/{digest}"

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self._where)


class CloudDrafts:
    """The pieces of a draft as objects beside the others: the bucket moves none in place.

    Any control process may take any piece, and any may join them.
    """

    def __init__(self, objects: CloudObjectStore) -> None:
        self._objects = objects

    def write(self, draft: str, stream: BinaryIO, *, span: Span | None = None) -> Piece:
        """Write a piece. Raises InvalidInput when it does not fill its span."""
        token = new_id()
        size = self._objects.put_draft(f"{draft}/{token}", stream)
        start = span.start if span else None
        if span and size != span.stop - span.start:
            self._objects.remove_draft(f"{draft}/{token}")
            raise InvalidInput(f"The part is not of the {span.stop - span.start} bytes announced.")
        return Piece(token=token, size_bytes=size, start=start)

    def remove(self, draft: str, piece: Piece) -> None:
        """Remove a piece; does nothing when it is not there."""
        self._objects.remove_draft(f"{draft}/{piece.token}")

    def join(self, draft: str, pieces: Sequence[Piece]) -> ObjectInfo:
        """Make an object of pieces in the order of the whole. Raises NotFound when one is gone."""
        return self._objects.put(stream_of(self.read(draft, pieces)))

    def read(self, draft: str, pieces: Sequence[Piece]) -> Iterator[bytes]:
        """Yield pieces one after the other. Raises NotFound when one is gone."""
        for piece in pieces:
            yield from self._objects.read_draft(f"{draft}/{piece.token}", piece.size_bytes)

    def drop(self, draft: str) -> None:
        """Forget a draft with all its pieces; does nothing when there is none."""
        for name, _ in tuple(self._objects.drafts(draft)):
            self._objects.remove_draft(name)

    def sweep(self, *, before: int) -> int:
        """Remove what nobody has written to since an instant; return how many drafts that were."""
        stale = [name for name, at in self._objects.drafts() if at < before]
        for name in stale:
            self._objects.remove_draft(name)
        return len(stale)


@contextlib.contextmanager
def _spooled(stream: BinaryIO) -> Iterator[tuple[BinaryIO, ObjectInfo]]:
    with tempfile.SpooledTemporaryFile(max_size=CHUNK_BYTES, prefix="treadle-") as file:
        hasher = blake3()
        while block := stream.read(CHUNK_BYTES):
            hasher.update(block)
            file.write(block)
        info = ObjectInfo(hasher.hexdigest(), file.tell())
        file.seek(0)
        yield cast("BinaryIO", file), info
