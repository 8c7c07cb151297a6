"""The object store in S3, through obstore."""

from __future__ import annotations

import contextlib
import tempfile
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.parse import urlsplit

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import MissingExtra, NotFound, Unavailable
from treadle.storage.objects import check_digest, spool, verified
from treadle.storage.ports import ObjectInfo

try:
    import obstore
    from obstore.exceptions import BaseError
    from obstore.store import S3Store
except ModuleNotFoundError as missing:
    raise MissingExtra("obstore", extra="cloud") from missing

if TYPE_CHECKING:
    from collections.abc import Iterator


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
        with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
            draft, info = spool(stream, folder=Path(folder))
            if self.stat(info.digest) is None:
                with self._explained(), draft.open("rb") as file:
                    self._upload(info.digest, file)
        return info

    def open(self, digest: str) -> BinaryIO:
        """Open an object to read. Raises NotFound when it is gone, Corrupt when damaged."""
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
                    yield ObjectInfo(item["path"].rsplit("/", 1)[-1], item["size"])

    def presign(self, digest: str, *, seconds: int) -> str | None:
        """Return a URL that reads the object for a while."""
        key = self._key(digest)
        return str(obstore.sign(self._store, "GET", key, timedelta(seconds=seconds)))

    def _upload(self, digest: str, file: BinaryIO) -> None:
        try:
            obstore.put(self._store, self._key(digest), file)
        except FileNotFoundError as error:
            raise Unavailable(
                f"Cannot write to {self._where}: there is no such bucket.",
                hint="Create the bucket, or correct TREADLE_OBJECTS_URL.",
            ) from error

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
                f"Cannot use {self._where}: {str(error).splitlines()[0]}",
                hint="Check AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID and that the bucket exists.",
            ) from error
