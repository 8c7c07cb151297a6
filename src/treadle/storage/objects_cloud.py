"""The object store in S3, through obstore."""

from __future__ import annotations

import contextlib
import tempfile
import uuid
from datetime import timedelta
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from blake3 import blake3

from treadle.kernel.digests import CHUNK_BYTES, digest_bytes
from treadle.kernel.errors import MissingExtra, NotFound, Unavailable
from treadle.storage.objects import check_digest, stream_of, verified
from treadle.storage.ports import ObjectInfo, Span

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ModuleNotFoundError as missing:
    raise MissingExtra("obstore", extra="cloud") from missing

if TYPE_CHECKING:
    from collections.abc import Iterator

DRAFTS = "drafts"
PIECE_BYTES = 8 << 20
READ_BYTES = 4 << 20
COPY_MOST_BYTES = 5 << 30
"""What S3 copies in one request."""


class CloudObjectStore:
    """Objects in a bucket, named by their digest under a prefix.

    Credentials, region and endpoint come from the usual variables (`AWS_ACCESS_KEY_ID`,
    `AWS_SECRET_ACCESS_KEY`, `AWS_REGION`, `AWS_ENDPOINT_URL`).
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._where = url
        self._store = S3Store(parts.netloc, prefix=parts.path.strip("/") or None)

    def put(self, stream: BinaryIO) -> ObjectInfo:
        """Store all bytes of a stream and return their digest and size."""
        start = _start_of(stream)
        if len(start) < PIECE_BYTES:
            info = ObjectInfo(digest_bytes(start), len(start))
            if self.stat(info.digest) is None:
                self._upload(self._key(info.digest), start)
            return info
        # Its name is known only at its end: it goes up in pieces under another, and is moved there.
        draft = f"{DRAFTS}/{uuid.uuid4().hex}"
        tally = _Tally(start, stream)
        try:
            self._send(draft, tally.blocks())
            if self.stat(tally.info.digest) is None:
                self._adopt(draft, tally.info)
        finally:
            with self._explained(), contextlib.suppress(FileNotFoundError):
                obstore.delete(self._store, draft)
        return tally.info

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

    def delete(self, digest: str) -> None:
        """Remove an object; does nothing when it is not there."""
        with self._explained(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._store, self._key(digest))

    def iterate(self) -> Iterator[ObjectInfo]:
        """Yield every object, in no promised order."""
        with self._explained():
            for page in obstore.list(self._store):
                for item in page:
                    if not item["path"].startswith(f"{DRAFTS}/"):
                        yield ObjectInfo(item["path"].rsplit("/", 1)[-1], item["size"])

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Return a URL that reads the object for a while."""
        key = self._key(digest)
        return str(obstore.sign(self._store, "GET", key, timedelta(seconds=seconds)))

    def _upload(self, key: str, data: bytes) -> None:
        with self._explained(), self._in_bucket():
            obstore.put(self._store, key, data)

    def _send(self, key: str, blocks: Iterator[bytes]) -> None:
        # Block by block from here: what obstore would draw itself could not ask it for more.
        with self._explained(), self._in_bucket():
            writer = obstore.open_writer(
                self._store, key, buffer_size=PIECE_BYTES, max_concurrency=2
            )
            try:
                for block in blocks:
                    writer.write(block)
            except BaseException:
                if key.startswith(f"{DRAFTS}/"):
                    writer.close()  # it is removed next: pieces of no object would stay unseen
                raise
            writer.close()

    def _adopt(self, draft: str, info: ObjectInfo) -> None:
        key = self._key(info.digest)
        if info.size_bytes <= COPY_MOST_BYTES:
            with self._explained():
                obstore.copy(self._store, draft, key)
        else:
            self._send(key, self._pieces(draft, Span(0, info.size_bytes), READ_BYTES))

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

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except (BaseError, OSError) as error:
            raise Unavailable(
                f"Cannot use {self._where}: {str(error).partition(chr(10))[0]}",
                hint="Check AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and that the bucket exists.",
            ) from error


class _Tally:
    """What goes by, digested and counted on its way."""

    def __init__(self, start: bytes, stream: BinaryIO) -> None:
        self._start = start
        self._stream = stream
        self._hasher = blake3()
        self._size = 0

    @property
    def info(self) -> ObjectInfo:
        return ObjectInfo(self._hasher.hexdigest(), self._size)

    def blocks(self) -> Iterator[bytes]:
        block, self._start = self._start, b""
        while block:
            self._hasher.update(block)
            self._size += len(block)
            yield block
            block = self._stream.read(CHUNK_BYTES)


def _start_of(stream: BinaryIO) -> bytes:
    parts: list[bytes] = []
    left = PIECE_BYTES
    while left and (block := stream.read(left)):
        parts.append(block)
        left -= len(block)
    return b"".join(parts)
