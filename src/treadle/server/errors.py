"""Turn errors into answers, in one place: JSON for programs, a page for people."""

from __future__ import annotations

import traceback
from typing import TYPE_CHECKING

from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, Response

from treadle.kernel.errors import TreadleError, near_misses
from treadle.server.answers import ErrorBody, json_answer
from treadle.server.ui.failures import Failure, failure_page

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

API = "/api/"
STATUS = {
    "invalid_input": 400,
    "contract_broken": 422,
    "not_found": 404,
    "conflict": 409,
    "refused": 403,
    "unavailable": 503,
    "missing_extra": 501,
}
_WORDS = {404: "not_found", 405: "method_not_allowed"}


def error_answer(request: Request, error: TreadleError) -> Response:
    """Answer with an error that Treadle knows how to explain."""
    status = STATUS.get(error.code, 500)
    body = ErrorBody(code=error.code, message=error.message, hint=error.hint)
    return _answer(request, body, status=status)


async def on_error(request: Request, error: Exception) -> Response:
    """Answer what a route raised on purpose."""
    if not isinstance(error, TreadleError):
        raise error
    return error_answer(request, error)


async def on_http_error(request: Request, error: Exception) -> Response:
    """Answer what the router raised: no such path, or not that method."""
    if not isinstance(error, HTTPException):
        raise error
    path = request.url.path
    close = near_misses(path, known_paths(request)) if error.status_code == 404 else ()  # noqa: PLR2004 - HTTP's number
    body = ErrorBody(
        code=_WORDS.get(error.status_code, "error"),
        message=f"Nothing is at {path}."
        if error.status_code == 404  # noqa: PLR2004 - HTTP's number
        else f"{request.method} {path}: {error.detail}.",
        hint=f"Did you mean {' or '.join(close)}?" if close else "",
    )
    return _answer(request, body, status=error.status_code, near=close, headers=error.headers)


async def on_bug(request: Request, error: Exception) -> Response:
    """Answer what nobody foresaw; the whole traceback is shown, here and in the server's log."""
    message = f"{type(error).__name__}: {error}"
    body = ErrorBody(
        code="bug",
        message=f"That is a bug in Treadle: {message}",
        hint="The server's output has the traceback; please send it with what you did.",
    )
    lines = "".join(traceback.format_exception(error))
    return _answer(request, body, status=500, lines=lines)


def known_paths(request: Request) -> list[str]:
    """Return the paths of all routes that take no name, for near misses."""
    paths = (getattr(route, "path", "") for route in request.app.routes)
    return [path for path in paths if path and "{" not in path]


def _answer(
    request: Request,
    body: ErrorBody,
    *,
    status: int,
    near: tuple[str, ...] = (),
    lines: str = "",
    headers: Mapping[str, str] | None = None,
) -> Response:
    if request.url.path.startswith(API):
        answer = json_answer({"error": body}, status=status)
    else:
        failure = Failure(
            status=status,
            message=body.message,
            hint=body.hint,
            near=near,
            traceback=lines,
            root=request.scope.get("root_path", ""),
        )
        answer = HTMLResponse(failure_page(failure), status_code=status)
    answer.headers.update(headers or {})
    return answer
