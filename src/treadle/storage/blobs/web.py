"""Blobs read from any web server that hands out files, such as the copy of a remote's folder."""

from __future__ import annotations

import http.client
import io
from typing import TYPE_CHECKING, BinaryIO, cast
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import NotFound, Unavailable
from treadle.storage.blobs.keys import check_key, read_only
from treadle.storage.objects import stream_of
from treadle.storage.ports import BlobInfo, Span

if TYPE_CHECKING:
    from collections.abc import Iterator

TIMEOUT_S = 60
# A bucket that does not let itself be listed answers 403 for what is not there.
ABSENT = frozenset({403, 404, 410})
PARTIAL = 206


class WebBlobs:
    """Blobs below a URL. Nothing can be written, and nothing can be listed."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")

    def put(self, key: str, stream: BinaryIO) -> None:  # noqa: ARG002 - refused
        """Refuse: a web server only hands out."""
        raise read_only(self._url)

    def create(self, key: str, data: bytes) -> bool:  # noqa: ARG002 - refused
        """Refuse: a web server only hands out."""
        raise read_only(self._url)

    def open(self, key: str, *, span: Span | None = None) -> BinaryIO:
        """Open a blob to read, or only these bytes of it. Raises NotFound when it is not there."""
        if span is not None and span.stop <= span.start:
            return io.BytesIO()
        answer = self._ask("GET", key, span=span)
        if answer is None:
            raise NotFound("blob", f"{self._url}/{key}")
        if span is None:
            return stream_of(self._blocks(answer, skip=0, size=None))
        # Who does not know of ranges answers with the whole.
        skip = 0 if answer.status == PARTIAL else span.start
        return stream_of(self._blocks(answer, skip=skip, size=span.stop - span.start))

    def stat(self, key: str) -> BlobInfo | None:
        """Return what is known of a blob, or None when it is not there."""
        answer = self._ask("HEAD", key)
        if answer is None:
            return None
        with answer:
            return BlobInfo(key, int(answer.headers.get("Content-Length") or 0))

    def delete(self, key: str) -> None:  # noqa: ARG002 - refused
        """Refuse: a web server only hands out."""
        raise read_only(self._url)

    def list(self, folder: str) -> Iterator[BlobInfo]:
        """Refuse: a web server has no list of what it hands out."""
        raise Unavailable(
            f"{self._url}/{folder} cannot be listed: a web server only hands out what is named.",
            hint="Name what you want.",
        )

    def _ask(
        self, method: str, key: str, *, span: Span | None = None
    ) -> http.client.HTTPResponse | None:
        check_key(key)
        headers = {"Cache-Control": "no-cache", "User-Agent": "treadle"}
        if span is not None:
            headers["Range"] = f"bytes={span.start}-{span.stop - 1}"
        # The scheme was http or https when this was opened.
        request = Request(f"{self._url}/{key}", headers=headers, method=method)  # noqa: S310
        try:
            answer = urlopen(request, timeout=TIMEOUT_S)  # noqa: S310 - as above
        except HTTPError as error:
            error.close()
            if error.code in ABSENT:
                return None
            raise self._failed(f"it answered {error.code} {error.reason}") from error
        except URLError as error:
            raise self._failed(str(error.reason)) from error
        except (OSError, http.client.HTTPException) as error:
            raise self._failed(str(error)) from error
        return cast("http.client.HTTPResponse", answer)

    def _blocks(
        self, answer: http.client.HTTPResponse, *, skip: int, size: int | None
    ) -> Iterator[bytes]:
        with answer:
            try:
                while skip and (block := answer.read(min(skip, CHUNK_BYTES))):
                    skip -= len(block)
                while size is None or size:
                    block = answer.read(CHUNK_BYTES if size is None else min(size, CHUNK_BYTES))
                    if not block:
                        return
                    yield block
                    size = None if size is None else size - len(block)
            except (OSError, http.client.HTTPException) as error:
                raise self._failed(f"it broke off ({error})") from error

    def _failed(self, why: str) -> Unavailable:
        return Unavailable(
            f"Cannot read from {self._url}: {why}.",
            hint="Check the address and the network, then do it again.",
        )
