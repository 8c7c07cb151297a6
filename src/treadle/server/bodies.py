"""Bodies that are never whole in memory: uploads into a stream, stored files out of one."""

from __future__ import annotations

import io
import mimetypes
import re
from typing import TYPE_CHECKING, Self, TypeVar
from urllib.parse import quote

import anyio
import anyio.from_thread
import anyio.to_thread
from anyio.lowlevel import RunVar
from starlette.responses import Response

from treadle.kernel.errors import InvalidInput
from treadle.storage.objects import stream_of
from treadle.storage.ports import Span

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Generator, Iterator, Mapping
    from typing import BinaryIO

    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.entities import Artifact

T = TypeVar("T")

# A transfer waits for its client: it must not take the threads that answer everybody else. What is
# sent, and what has come whole, is never kept waiting by bodies that are still coming.
TRANSFERS = 32
GATHERED_BYTES = 1 << 18
STALL_S = 60.0
"""How long a client may take for so many bytes."""
_sent: RunVar[anyio.CapacityLimiter] = RunVar("sent")
_coming: RunVar[anyio.CapacityLimiter] = RunVar("coming")

SANDBOX = (
    "sandbox; default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'self'"
)
"""What an artifact may do in a browser: show itself, and nothing else."""
INLINE = {
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/bmp",
    "image/svg+xml",
    "text/html",
}
TEXT = "text/plain; charset=utf-8"
UNKNOWN = "application/octet-stream"
_TEXT_ENDINGS = {
    "txt", "log", "md", "rst", "csv", "tsv", "json", "jsonl", "ndjson", "yaml", "yml", "toml",
    "ini", "cfg", "conf", "xml", "diff", "patch", "py", "r", "sh", "sql", "js", "ts", "css",
    "lock", "tex",
}  # fmt: skip
_TEXT_NAMES = frozenset({"MLmodel", "MLproject", "LICENSE", "README", "Dockerfile", "Makefile"})
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


async def in_transfer(work: Callable[[], T]) -> T:
    """Do something that waits for a client, in a thread of those kept for it."""
    return await anyio.to_thread.run_sync(work, limiter=_limiter(_sent))


async def received(
    request: Request, keep: Callable[[BinaryIO], T], *, stall_s: float = STALL_S
) -> T:
    """Give the body of a request to `keep` as a stream, as it comes in.

    A client that breaks off raises ClientDisconnect out of the stream, so that nothing is kept;
    one that hardly sends anything raises InvalidInput. No thread waits for the beginning of a body.
    """
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", ""}:
        raise InvalidInput(
            f"The body is encoded as {encoding[:50]!r}.", hint="Send the file as it is."
        )
    arriving = request.stream()

    first = await _gather(arriving, stall_s)
    if len(first) < GATHERED_BYTES:
        return await in_transfer(lambda: keep(io.BytesIO(first)))

    def blocks() -> Iterator[bytes]:
        yield first
        while block := anyio.from_thread.run(_gather, arriving, stall_s):
            yield block

    return await anyio.to_thread.run_sync(
        lambda: keep(stream_of(blocks())), limiter=_limiter(_coming)
    )


class FileAnswer(Response):
    """A stored file: its length, its digest as ETag, one range or all of it, or only the head."""

    def __init__(
        self,
        artifacts: Artifacts,
        file: Artifact,
        *,
        media: str,
        is_inline: bool = False,
        filename: str = "",
    ) -> None:
        self._artifacts = artifacts
        self._file = file
        self._etag = f'"{file.digest}"'
        self._blocks: Generator[bytes] = _nothing()
        self._first = b""
        self.background = None
        self.status_code = 200
        self.body = b""
        self.init_headers(
            {
                "Content-Type": media,
                "Content-Disposition": disposition(
                    filename or file.path.rpartition("/")[2], is_inline=is_inline
                ),
                "Accept-Ranges": "bytes",
                "ETag": self._etag,
                "Cache-Control": "private, no-cache",
                "X-Content-Type-Options": "nosniff",
                "Content-Security-Policy": SANDBOX,
            }
        )
        del self.headers["content-length"]

    async def ready(self, request: Request) -> Self:
        """Choose what is sent and read its first block, so that an error can still be said."""
        span = self._choose(request.headers)
        if request.method != "HEAD" and self.status_code in {200, 206}:
            self._blocks = self._artifacts.blocks(self._file, span=span)
            self._first = await in_transfer(lambda: next(self._blocks, b""))
        return self

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG002 - ASGI's signature
        """Send it, as long as somebody listens."""
        try:
            async with anyio.create_task_group() as both:
                both.start_soon(_until_gone, receive, both.cancel_scope)
                await self._send(send)
                both.cancel_scope.cancel()
        finally:
            with anyio.CancelScope(shield=True):
                await in_transfer(self._blocks.close)

    async def _send(self, send: Send) -> None:
        start = {"type": "http.response.start", "status": self.status_code}
        await send({**start, "headers": self.raw_headers})
        block = self._first
        while block:
            await send({"type": "http.response.body", "body": block, "more_body": True})
            block = await in_transfer(lambda: next(self._blocks, b""))
        await send({"type": "http.response.body", "body": b""})

    def _choose(self, asked: Mapping[str, str]) -> Span | None:
        size = self._file.size_bytes
        if _names(asked.get("if-none-match", ""), self._etag):
            self.status_code = 304
            return None
        span = None
        if asked.get("if-range", self._etag) == self._etag:
            span = span_in(asked.get("range", ""), size=size)
        if span is None:
            self.headers["content-length"] = str(size)
        elif span.start >= span.stop:
            self.status_code = 416
            self.headers["content-range"] = f"bytes */{size}"
            self.headers["content-length"] = "0"
        else:
            self.status_code = 206
            self.headers["content-range"] = f"bytes {span.start}-{span.stop - 1}/{size}"
            self.headers["content-length"] = str(span.stop - span.start)
        return span


def span_in(text: str, *, size: int) -> Span | None:
    """Return the one range a Range header asks for, an empty one where there is nothing.

    None where it asks for none, or for what a server may answer with the whole.
    """
    found = _RANGE.fullmatch(text.strip())
    if found is None or not (found[1] or found[2]):
        return None
    if not found[1]:
        return Span(max(0, size - int(found[2])), size)
    start = int(found[1])
    stop = min(size, int(found[2]) + 1) if found[2] else size
    if found[2] and int(found[2]) < start:
        return None
    return Span(start, stop)


def media_of(path: str) -> str:
    """Return the media type that a file's name stands for."""
    name = path.rpartition("/")[2]
    if name in _TEXT_NAMES or name.rpartition(".")[2].lower() in _TEXT_ENDINGS:
        return TEXT
    found = mimetypes.guess_type(name)[0] or UNKNOWN
    # Whatever the name says: no page can take a stored file for a script of this address.
    return TEXT if "script" in found else found


def shown_as(path: str) -> tuple[str, bool]:
    """Return the media type by which a browser may show a file, and whether it may."""
    media = media_of(path)
    if media == "text/html":
        return "text/html; charset=utf-8", True
    return (media, True) if media in INLINE or media == TEXT else (UNKNOWN, False)


def disposition(name: str, *, is_inline: bool = False) -> str:
    """Return a Content-Disposition that says any name, in ASCII alone."""
    kind = "inline" if is_inline else "attachment"
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\%' else "_" for c in name)
    return f"{kind}; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"


async def _until_gone(receive: Receive, scope: anyio.CancelScope) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    scope.cancel()


def _nothing() -> Generator[bytes]:
    yield from ()


async def _gather(arriving: AsyncIterator[bytes], stall_s: float) -> bytes:
    parts, size = [], 0
    with anyio.move_on_after(stall_s) as waiting:
        while size < GATHERED_BYTES:
            try:
                part = await anext(arriving)
            except StopAsyncIteration:
                break
            parts.append(part)
            size += len(part)
    if waiting.cancelled_caught:
        raise InvalidInput(
            f"Only {size} bytes of the body came within {stall_s:g} s.",
            hint="Send it faster, or in parts.",
        )
    return b"".join(parts)


def _limiter(kind: RunVar[anyio.CapacityLimiter]) -> anyio.CapacityLimiter:
    try:
        return kind.get()
    except LookupError:
        made = anyio.CapacityLimiter(TRANSFERS)
        kind.set(made)
        return made


def _names(listed: str, etag: str) -> bool:
    tags = [tag.strip().removeprefix("W/") for tag in listed.split(",")]
    return etag in tags or tags == ["*"]
