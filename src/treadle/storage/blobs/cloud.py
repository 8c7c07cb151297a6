"""Blobs in a bucket of S3, GCS or Azure Blob, through obstore."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, BinaryIO

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import MissingExtra, NotFound
from treadle.storage.blobs.keys import check_key
from treadle.storage.buckets import explained, instant_of, open_bucket
from treadle.storage.objects import read_up_to, stream_of
from treadle.storage.ports import BlobInfo, Span

try:
    import obstore
    from obstore.exceptions import AlreadyExistsError, PreconditionError
except ModuleNotFoundError as missing:
    raise MissingExtra("obstore", extra="cloud") from missing

if TYPE_CHECKING:
    from collections.abc import Iterator

# A pack fits: it goes up in one request, whole or not at all.
WHOLE_BYTES = 40 << 20
PIECE_BYTES = 8 << 20


class CloudBlobs:
    """Blobs named by their keys under a prefix; who creates is judged by the service."""

    def __init__(self, url: str) -> None:
        self._where = url
        self._bucket = open_bucket(url)

    def put(self, key: str, stream: BinaryIO) -> None:
        """Store all bytes of a stream under a key, in place of what may be there."""
        check_key(key)
        start = read_up_to(stream, WHOLE_BYTES)
        with self._explained():
            if len(start) < WHOLE_BYTES:
                obstore.put(self._bucket, key, start, use_multipart=False)
                return
            writer = obstore.open_writer(
                self._bucket, key, buffer_size=PIECE_BYTES, max_concurrency=2
            )
            while start:
                writer.write(start)
                start = read_up_to(stream, CHUNK_BYTES)
            writer.close()  # only now is there a blob: what breaks off before leaves none

    def create(self, key: str, data: bytes) -> bool:
        """Store bytes unless the key is taken; say whether it was free."""
        check_key(key)
        with self._explained():
            try:
                obstore.put(self._bucket, key, data, mode="create", use_multipart=False)
            except (AlreadyExistsError, PreconditionError):
                return False
        return True

    def open(self, key: str, *, span: Span | None = None) -> BinaryIO:
        """Open a blob to read, or only these bytes of it. Raises NotFound when it is not there."""
        known = self.stat(key)
        if known is None:
            raise NotFound("blob", f"{self._where}/{key}")
        stop = known.size_bytes if span is None else min(span.stop, known.size_bytes)
        return stream_of(self._pieces(key, Span(span.start if span else 0, stop)))

    def stat(self, key: str) -> BlobInfo | None:
        """Return what is known of a blob, or None when it is not there."""
        check_key(key)
        try:
            with self._explained():
                known = obstore.head(self._bucket, key)
        except FileNotFoundError:
            return None
        return BlobInfo(key, known["size"], instant_of(known["last_modified"]))

    def delete(self, key: str) -> None:
        """Remove a blob; does nothing when it is not there."""
        check_key(key)
        with self._explained(), contextlib.suppress(FileNotFoundError):
            obstore.delete(self._bucket, key)

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Yield every blob below a folder, in no promised order."""
        check_key(folder)
        with self._explained(), contextlib.suppress(FileNotFoundError):
            for page in obstore.list(self._bucket, folder):
                for item in page:
                    at = instant_of(item["last_modified"])
                    yield BlobInfo(item["path"], item["size"], at)

    def _pieces(self, key: str, span: Span) -> Iterator[bytes]:
        # Piece by piece: one long answer would have to be read within the client's timeout.
        for start in range(span.start, span.stop, PIECE_BYTES):
            stop = min(start + PIECE_BYTES, span.stop)
            try:
                with self._explained():
                    piece = bytes(obstore.get_range(self._bucket, key, start=start, end=stop))
            except FileNotFoundError as error:
                raise NotFound("blob", f"{self._where}/{key}") from error
            yield piece

    def _explained(self) -> contextlib.AbstractContextManager[None]:
        return explained(self._where)
