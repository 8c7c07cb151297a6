"""Spans by OTLP over HTTP: `POST /v1/traces`, from MLflow's client and any OpenTelemetry exporter.

Errors have the genuine server's statuses and the one shape of this door; an exporter only looks at
the status.
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.server.asked import BODY_MOST_BYTES, app_of
from treadle.server.mlflow.door import said
from treadle.server.mlflow.errors import status_of
from treadle.tracing.otlp import read_json, read_protobuf

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.app import App
    from treadle.server.mlflow.door import Route

PROTOBUF, JSON = "application/x-protobuf", "application/json"
EXPERIMENT, RUN = "x-mlflow-experiment-id", "x-mlflow-run-id"
_WINDOWS = {"gzip": 16 + zlib.MAX_WBITS, "deflate": zlib.MAX_WBITS}


async def export(request: Request) -> Response:
    """Log spans; without the header that names an experiment, into the default one."""
    media = request.headers.get("content-type", "").partition(";")[0].strip()
    if media not in {PROTOBUF, JSON}:
        shown = request.headers.get("content-type")
        return _refused(400, f"Invalid Content-Type: {shown}. Expected: {PROTOBUF} or {JSON}")
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding not in {"", "identity", *_WINDOWS}:
        return _refused(400, f"Unsupported Content-Encoding: {encoding[:50]}")
    body = await _whole(request)
    if body is None:
        return _refused(413, f"The body is larger than {BODY_MOST_BYTES >> 20} MB.")
    headers = request.headers
    return await anyio.to_thread.run_sync(
        lambda: _export(
            app_of(request),
            body,
            media=media,
            encoding=encoding,
            experiment_id=headers.get(EXPERIMENT, ""),
            run_id=headers.get(RUN, ""),
        )
    )


def _export(
    app: App, body: bytes, *, media: str, encoding: str, experiment_id: str, run_id: str
) -> Response:
    try:
        plain = unpacked(body, encoding=encoding)
    except zlib.error:
        return _refused(400, f"Failed to decompress {encoding} payload")
    if plain is None:
        return _refused(413, f"The body is larger than {BODY_MOST_BYTES >> 20} MB when unpacked.")
    try:
        batches = read_json(plain) if media == JSON else read_protobuf(plain)
    except InvalidInput as error:
        return _refused(400, f"Invalid OpenTelemetry format: {error}")
    if not batches:
        return _refused(400, "Invalid OpenTelemetry format - no spans found")
    tracking = app.tracking
    try:
        if experiment_id in {"", "0"}:
            experiment_id = tracking.default_experiment().id
        app.tracing.log_spans(experiment_id, batches, run_id=run_id)
    except (InvalidInput, NotFound, Conflict) as error:
        body_said = said(error)
        found = {"error_code": body_said.error_code, "message": body_said.message}
        return JSONResponse(found, status_of(body_said.error_code))
    return Response(b"{}" if media == JSON else b"", media_type=media)


def unpacked(body: bytes, *, encoding: str) -> bytes | None:
    """Return a body as it was before it was packed, or None when it is too large."""
    if encoding not in _WINDOWS:
        return body
    stream = zlib.decompressobj(_WINDOWS[encoding])
    plain = stream.decompress(body, BODY_MOST_BYTES + 1)
    if len(plain) > BODY_MOST_BYTES:
        return None
    if not stream.eof:
        raise zlib.error("It ends too soon.")
    return plain


async def _whole(request: Request) -> bytes | None:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size > BODY_MOST_BYTES:
            return None
        parts.append(part)
    return b"".join(parts)


def _refused(status: int, why: str) -> Response:
    return JSONResponse({"error_code": "BAD_REQUEST", "message": why}, status)


ROOT_ROUTES: tuple[Route, ...] = (("POST", "/v1/traces", export),)
