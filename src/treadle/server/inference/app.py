"""The inference door as a bare ASGI application, with a shim for RSGI.

Per request a framework costs more than the whole of this (DESIGN section 11): routes are few.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec

import treadle
from treadle.kernel.errors import (
    Conflict,
    Corrupt,
    InvalidInput,
    NotFound,
    Refused,
    TreadleError,
    Unavailable,
)
from treadle.server.inference import protocol
from treadle.server.inference.exposition import METRICS_TYPE, exposition
from treadle.serving.runtime import variants_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence

    import pyarrow as pa

    from treadle.serving.runtime import Begun, Runtime

    Send = Callable[[dict[str, Any]], Awaitable[None]]
    Receive = Callable[[], Awaitable[dict[str, Any]]]

MAX_BODY_BYTES = 16 << 20
# How much of a body that is refused is read all the same, and for how long.
DISCARD_BYTES = 64 << 20
DISCARD_S = 1.0
# Models hold the GIL or their own threads: more threads here would only make each answer later.
PREDICT_THREADS = 2

JSON_TYPE = "application/json"
BINARY_HEADER = "inference-header-content-length"

_STATUS: tuple[tuple[type[TreadleError], int], ...] = (
    (NotFound, 404),
    (InvalidInput, 400),
    (Conflict, 409),
    (Refused, 403),
    (Unavailable, 503),
    (Corrupt, 500),
)
_ROUTES = (
    "POST /v2/models/NAME[/versions/N]/infer",
    "GET /v2/models/NAME[/versions/N][/ready]",
    "GET /v2/health/live",
    "GET /v2/health/ready",
    "GET /v2",
    "GET /metrics",
)
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Reply:
    """What goes back to the caller, and what is left to do when it has gone."""

    status: int
    body: bytes
    kind: str = JSON_TYPE
    begun: Begun | None = None


class TooLarge(InvalidInput):
    """The body is larger than this server reads."""

    def __init__(self) -> None:
        super().__init__(
            f"The body is larger than {MAX_BODY_BYTES >> 20} MB.", hint="Send fewer rows at once."
        )


class InferenceApp:
    """Open Inference Protocol V2 for every endpoint of a runtime."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._pool = ThreadPoolExecutor(PREDICT_THREADS, thread_name_prefix="predict")

    async def __call__(self, scope: Mapping[str, Any], receive: Receive, send: Send) -> None:
        """Serve one request as ASGI has it."""
        if scope["type"] != "http":
            return
        headers = {name.decode().lower(): text.decode() for name, text in scope["headers"]}
        reply = await self.reply(
            scope["method"], scope["path"], headers=headers, body=_asgi_body(receive)
        )
        try:
            head = [(b"content-type", reply.kind.encode())]
            start = {"type": "http.response.start", "status": reply.status, "headers": head}
            await send(start)
            await send({"type": "http.response.body", "body": reply.body})
        finally:
            self._finish(reply)

    async def __rsgi__(self, scope: Any, protocol: Any) -> None:
        """Serve one request as RSGI has it; Granian's own, a third cheaper than its ASGI."""
        reply = await self.reply(
            scope.method, scope.path, headers=scope.headers, body=_rsgi_body(protocol)
        )
        try:
            protocol.response_bytes(reply.status, [("content-type", reply.kind)], reply.body)
        finally:
            self._finish(reply)

    async def reply(
        self, method: str, path: str, *, headers: Any, body: AsyncIterator[bytes]
    ) -> Reply:
        """Answer one request; errors of callers and of models become answers, too."""
        try:
            return await self._route(method, path, headers=headers, body=body)
        except TreadleError as error:
            status = next((s for kind, s in _STATUS if isinstance(error, kind)), 500)
            status = 413 if isinstance(error, TooLarge) else status
            return Reply(status, _error(str(error)))
        except Exception:  # noqa: BLE001 - a bug: all of it to the log, nothing of it to the caller
            _LOG.exception("%s %s", method, path)
            return Reply(500, _error("Internal error; the server's log has the traceback."))

    def close(self) -> None:
        """Let running predictions finish."""
        self._pool.shutdown(wait=True)

    def _finish(self, reply: Reply) -> None:
        if reply.begun is not None:
            self._runtime.follow(reply.begun)

    async def _route(
        self, method: str, path: str, *, headers: Any, body: AsyncIterator[bytes]
    ) -> Reply:
        match (method, *path.strip("/").split("/")):
            case ("POST", "v2", "models", name, "infer"):
                return await self._infer(name, None, headers=headers, body=body)
            case ("POST", "v2", "models", name, "versions", number, "infer"):
                return await self._infer(name, number, headers=headers, body=body)
            case ("GET", *places):
                told = self._told(places)
                if told is not None:
                    return told
        raise NotFound("route", f"{method} {path}", hint=f"There is: {'; '.join(_ROUTES)}.")

    def _told(self, places: Sequence[str]) -> Reply | None:
        match places:
            case ("v2", "health", "live"):
                return _ok({"live": True})
            case ("v2", "health", "ready"):
                return _ready(ready=self._runtime.models.ready)
            case ("v2", "models", name):
                return self._metadata(name, None)
            case ("v2", "models", name, "versions", number):
                return self._metadata(name, number)
            case ("v2", "models", name, "ready"):
                return self._model_ready(name, None)
            case ("v2", "models", name, "versions", number, "ready"):
                return self._model_ready(name, number)
            case ("metrics",):
                return Reply(200, exposition(self._runtime.contracts.totals()), METRICS_TYPE)
            case ("v2",):
                return _ok({"name": "treadle", "version": treadle.__version__, "extensions": []})
        return None

    async def _infer(
        self, name: str, number: str | None, *, headers: Any, body: AsyncIterator[bytes]
    ) -> Reply:
        _check_headers(headers)
        request = protocol.decode_request(await _whole(body, headers=headers))
        served = self._runtime.models.find(name)
        table = protocol.table_of(request, served=served)
        protocol.check_outputs(request, served=served)
        # Elsewhere than on the event loop: a slow model must not hold up health checks.
        begun = await asyncio.get_running_loop().run_in_executor(
            self._pool, lambda: self._begin(name, number, request=request, table=table)
        )
        try:
            await asyncio.wrap_future(begun.logged)
        except BaseException:
            self._runtime.follow(begun)  # gives back the place its shadows have reserved
            raise
        said = protocol.response_of(begun.answer, request, served=served)
        return Reply(200, said, begun=begun)

    def _begin(
        self, name: str, number: str | None, *, request: protocol.InferRequest, table: pa.Table
    ) -> Begun:
        rows = table.num_rows
        return self._runtime.begin(
            name,
            table,
            keys=protocol.per_row(request, one="key", many="keys", rows=rows),
            times=protocol.per_row(request, one="time", many="times", rows=rows),
            number=number,
        )

    def _metadata(self, name: str, number: str | None) -> Reply:
        served = self._runtime.models.find(name)
        variants_of(served.endpoint, number=number)
        problem = self._runtime.models.problems.get(name)
        return _ok(protocol.metadata_of(served, problem=problem))

    def _model_ready(self, name: str, number: str | None) -> Reply:
        try:
            variants_of(self._runtime.models.find(name).endpoint, number=number)
        except Unavailable:
            return _ready(name=name, ready=False)
        return _ready(name=name, ready=True)


def _ok(content: Any) -> Reply:
    return Reply(200, msgspec.json.encode(content))


def _ready(*, ready: bool, **more: str) -> Reply:
    # The protocol wants any 4xx for "not ready".
    return Reply(200 if ready else 400, msgspec.json.encode({**more, "ready": ready}))


def _error(text: str) -> bytes:
    return msgspec.json.encode({"error": text})


def _check_headers(headers: Any) -> None:
    if headers.get(BINARY_HEADER) is not None:
        raise InvalidInput(
            "Binary tensor data is not spoken here.", hint="Send the tensors' data as JSON."
        )


async def _whole(body: AsyncIterator[bytes], *, headers: Any) -> bytes:
    announced = headers.get("content-length") or ""
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        await _discard(body)
        raise TooLarge
    blocks, size = [], 0
    async for block in body:
        size += len(block)
        if size > MAX_BODY_BYTES:
            await _discard(body)
            raise TooLarge
        blocks.append(block)
    return b"".join(blocks)


async def _discard(body: AsyncIterator[bytes]) -> None:
    # Who still writes when the answer comes sees a broken connection instead of the reason.
    size = 0
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_S):
            async for block in body:
                size += len(block)
                if size > DISCARD_BYTES:
                    return


async def _rsgi_body(sent: Any) -> AsyncIterator[bytes]:
    async for block in sent:
        yield block


async def _asgi_body(receive: Receive) -> AsyncIterator[bytes]:
    more = True
    while more:
        message = await receive()
        yield message.get("body", b"")
        more = message.get("more_body", False)
