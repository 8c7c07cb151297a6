"""Requests to a server of ours: connections that are kept, errors as ours, retries where safe."""

from __future__ import annotations

import contextlib
import http.client
import os
import time
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias
from urllib.parse import urlencode, urlsplit

import msgspec

from treadle.kernel.errors import (
    Conflict,
    InvalidInput,
    NotFound,
    Refused,
    TreadleError,
    Unavailable,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from contextlib import AbstractContextManager

TIMEOUT_S = 60.0
FRESH_S = 1.0
"""A connection idle for longer may have been closed by the server while we were about to send."""
PAUSES_S = (0.1, 0.5)
PASSING = frozenset({429, 502, 503, 504})
AGENT = "treadle"
CODES: Mapping[str, type[TreadleError]] = {
    "INVALID_PARAMETER_VALUE": InvalidInput,
    "BAD_REQUEST": InvalidInput,
    "RESOURCE_ALREADY_EXISTS": Conflict,
    "RESOURCE_CONFLICT": Conflict,
    "INVALID_STATE": Conflict,
    "PERMISSION_DENIED": Refused,
}


class Readable(Protocol):
    """A body that is sent piece by piece."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next piece."""
        ...


Body: TypeAlias = "bytes | Readable"


class ErrorBody(msgspec.Struct):
    """MLflow's form of an error, or ours under `error`."""

    error_code: str = ""
    message: str = ""
    error: dict[str, str] = {}


class Wire:
    """A server at a URL. May be shared by threads and by forked children."""

    def __init__(self, url: str, *, timeout_s: float = TIMEOUT_S) -> None:
        parts = urlsplit(url)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise InvalidInput(f"{url!r} is no address of a server.", hint="http://HOST:PORT")
        self.url = url.rstrip("/")
        self._parts = parts
        self._prefix = parts.path.rstrip("/")
        self._timeout_s = timeout_s
        self._idle: list[tuple[http.client.HTTPConnection, float]] = []
        self._process = os.getpid()

    def get(self, path: str, **query: object) -> bytes:
        """Read something."""
        asked = f"{path}?{urlencode({k: v for k, v in query.items() if v})}" if query else path
        return self._repeated("GET", asked)

    def post(self, path: str, body: Any, *, is_repeatable: bool) -> bytes:
        """Tell the server something; it is told again on a failure only when that is harmless."""
        data = body if isinstance(body, bytes) else msgspec.json.encode(body)
        if is_repeatable:
            return self._repeated("POST", path, data)
        with _reached(self.url):
            return self._once("POST", path, data, length=len(data), is_repeatable=False)

    def put(
        self, path: str, opened: Callable[[], AbstractContextManager[Readable]], *, length: int
    ) -> None:
        """Send a body as a stream; it is opened again for every try."""

        def attempt() -> bytes:
            with opened() as stream:
                return self._once("PUT", path, stream, length=length)

        self._tried(attempt)

    def close(self) -> None:
        """Let go of every connection that is not in use."""
        for connection, _ in self._taken_all():
            connection.close()

    def _repeated(self, method: str, path: str, data: bytes = b"") -> bytes:
        return self._tried(lambda: self._once(method, path, data, length=len(data)))

    def _tried(self, attempt: Callable[[], bytes]) -> bytes:
        for pause_s in PAUSES_S:
            try:
                with _reached(self.url):
                    return attempt()
            except Unavailable:
                time.sleep(pause_s)
        with _reached(self.url):
            return attempt()

    def _once(
        self, method: str, path: str, body: Body, *, length: int, is_repeatable: bool = True
    ) -> bytes:
        connection = self._connection(must_be_fresh=not is_repeatable)
        headers = {"User-Agent": AGENT, "Content-Length": str(length)}
        if method == "POST":
            headers["Content-Type"] = "application/json"
        try:
            connection.request(method, self._prefix + path, body=body or None, headers=headers)
            answer = connection.getresponse()
            said = answer.read()
        except BaseException:  # whatever it was, what comes next on this connection is not known
            connection.close()
            raise
        self._idle.append((connection, time.monotonic()))
        if answer.status >= http.client.BAD_REQUEST:
            raise _error(answer.status, said, what=f"{method} {self.url}{path}")
        return said

    def _connection(self, *, must_be_fresh: bool) -> http.client.HTTPConnection:
        if os.getpid() != self._process:  # a forked child: these are its parent's
            self._taken_all()
            self._process = os.getpid()
        # Taking from and adding to a list are each one step: threads need no lock.
        with contextlib.suppress(IndexError):
            connection, at = self._idle.pop()
            if must_be_fresh and time.monotonic() - at > FRESH_S:
                connection.close()
            return connection
        return self._made()

    def _taken_all(self) -> list[tuple[http.client.HTTPConnection, float]]:
        idle, self._idle = self._idle, []
        return idle

    def _made(self) -> http.client.HTTPConnection:
        is_open = self._parts.scheme == "http"
        kind = http.client.HTTPConnection if is_open else http.client.HTTPSConnection
        return kind(str(self._parts.hostname), self._parts.port, timeout=self._timeout_s)


@contextlib.contextmanager
def _reached(url: str) -> Iterator[None]:
    try:
        yield
    except (OSError, http.client.HTTPException) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        raise Unavailable(
            f"{url} cannot be reached: {reason}.", hint="Is it up? treadle up"
        ) from error


def _error(status: int, said: bytes, *, what: str) -> TreadleError:
    try:
        body = msgspec.json.decode(said, type=ErrorBody)
    except (msgspec.DecodeError, msgspec.ValidationError):
        body = ErrorBody(message=said[:200].decode(errors="replace"))
    message = body.message or body.error.get("message", "") or f"{what} answered {status}."
    if status in PASSING:
        return Unavailable(message, hint=body.error.get("hint", ""))
    if status == http.client.NOT_FOUND:
        missing = NotFound("thing", what)
        missing.message = message
        return missing
    kind = CODES.get(body.error_code, InvalidInput if status < 500 else TreadleError)  # noqa: PLR2004 - HTTP: from here on the server's fault
    return kind(message, hint=body.error.get("hint", ""), status=status)
