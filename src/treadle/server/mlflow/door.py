"""From a request to its handler and back: the ASGI application before all others.

Paths without a name in them, which are those called thousands of times a second, are found in a
dictionary; the rest by patterns.
"""

from __future__ import annotations

import inspect
import re
import sys
import traceback
from typing import TYPE_CHECKING, Any, TypeAlias

import anyio.to_thread
import msgspec
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from treadle.kernel.errors import TreadleError
from treadle.server.asked import BODY_MOST_BYTES
from treadle.server.mlflow.call import Call
from treadle.server.mlflow.errors import BUG, INVALID, NOWHERE, ErrorBody, WireError, status_of
from treadle.server.mlflow.errors import worded as worded_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from re import Pattern

    from starlette.types import ASGIApp, Receive, Scope, Send

    from treadle.app import App

Handler: TypeAlias = "Callable[[Any], Any]"
Route: TypeAlias = tuple[str, str, Handler]

_ENCODE = msgspec.json.Encoder().encode
_NOTHING = b"{}"
_JSON_HEADERS = ((b"content-type", b"application/json"), (b"cache-control", b"no-store"))


class Door:
    """Answers MLflow's paths; hands every other on."""

    def __init__(
        self,
        otherwise: ASGIApp,
        app: App,
        *,
        routes: Iterable[Route],
        prefixes: tuple[str, ...],
        root_routes: Iterable[Route] = (),
    ) -> None:
        self._otherwise = otherwise
        self._app = app
        self._fixed: dict[tuple[str, str], Handler] = {}
        self._patterns: list[tuple[str, Pattern[str], Handler]] = []
        for method, path, handler in root_routes:
            self._add(method, path, handler)
        for method, path, handler in routes:
            for prefix in prefixes:
                self._add(method, prefix + path, handler)
        self._paths = frozenset(path for _, path in self._fixed)
        # Below these nothing else answers, so that also what is unknown is said in MLflow's words.
        self._realms = tuple(prefix + "/mlflow" for prefix in prefixes)

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Every method and path that is answered here."""
        patterns = [(method, pattern.pattern) for method, pattern, _ in self._patterns]
        return [*self._fixed, *patterns]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or hand it on."""
        if scope["type"] != "http":
            await self._otherwise(scope, receive, send)
            return
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        handler, names = self._find(scope["method"], path)
        if handler is not None:
            await self._answer(handler, names, scope, receive, send)
        elif path in self._paths:
            body = ErrorBody("BAD_REQUEST", f"{scope['method']} is not for {path}.")
            await _send(send, 405, _ENCODE(body))
        elif path.startswith(self._realms):
            await _send(send, 404, _ENCODE(ErrorBody(NOWHERE, f"Nothing is at {path[:200]}.")))
        else:
            await self._otherwise(scope, receive, send)

    def _add(self, method: str, path: str, handler: Handler) -> None:
        if "{" not in path:
            self._fixed[method, path] = handler
            return
        pattern = re.sub(
            r"\{(\w+)(:path)?\}", _group, re.escape(path).replace(r"\{", "{").replace(r"\}", "}")
        )
        self._patterns.append((method, re.compile(pattern), handler))

    def _find(self, method: str, path: str) -> tuple[Handler | None, Mapping[str, str]]:
        handler = self._fixed.get((method, path))
        if handler is not None:
            return handler, {}
        for allowed, pattern, found in self._patterns:
            if allowed == method and (match := pattern.fullmatch(path)):
                return found, match.groupdict()
        return None, {}

    async def _answer(
        self, handler: Handler, names: Mapping[str, str], scope: Scope, receive: Receive, send: Send
    ) -> None:
        app = scope.setdefault("treadle", self._app)
        try:
            if inspect.iscoroutinefunction(handler):
                scope["path_params"] = dict(names)
                found = await handler(Request(scope, receive, send))
            else:
                call = Call(
                    app,
                    method=scope["method"],
                    path=names,
                    query_string=scope["query_string"],
                    media=_header(scope, b"content-type"),
                    raw=await _body(receive),
                    agent=_header(scope, b"user-agent"),
                )
                found = await anyio.to_thread.run_sync(_act, handler, call)
        except (TreadleError, WireError) as error:
            found = said(error)
        except ClientDisconnect:
            return
        except Exception as error:  # noqa: BLE001 - the last resort: it is shown, here and there
            traceback.print_exc(file=sys.stderr)
            found = ErrorBody(BUG, f"That is a bug in Treadle: {type(error).__name__}: {error}")
        if isinstance(found, Response):
            await found(scope, receive, send)
        elif isinstance(found, ErrorBody):
            await _send(send, status_of(found.error_code), _ENCODE(found))
        else:
            await _send(send, 200, found)


def said(error: TreadleError | WireError) -> ErrorBody:
    """Return an error as MLflow's client reads it."""
    if isinstance(error, WireError):
        return ErrorBody(error.code, error.message)
    return worded_error(error)


def _act(handler: Handler, call: Call) -> Response | bytes:
    found = handler(call)
    if found is None:
        return _NOTHING
    return found if isinstance(found, Response) else _ENCODE(found)


def _group(found: re.Match[str]) -> str:
    return f"(?P<{found[1]}>.*)" if found[2] else f"(?P<{found[1]}>[^/]+)"


def _header(scope: Scope, name: bytes) -> bytes | None:
    for key, value in scope["headers"]:
        if key == name:
            found: bytes = value
            return found
    return None


async def _body(receive: Receive) -> bytes:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientDisconnect
    first: bytes = message.get("body", b"")
    if not message.get("more_body", False):
        return first
    parts, size = [first], len(first)
    while message.get("more_body", False):
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > BODY_MOST_BYTES:
            raise WireError(INVALID, f"The body is larger than {BODY_MOST_BYTES >> 20} MB.")
    return b"".join(parts)


async def _send(send: Send, status: int, body: bytes) -> None:
    length = (b"content-length", b"%d" % len(body))
    headers = [*_JSON_HEADERS, length]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
