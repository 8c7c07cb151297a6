"""One POST to an address that is allowed: signed, to the host that was checked, nowhere else.

The name of a host says little: whoever owns it can point it at our own network. So it is looked up
once, every address it has must be public or in an allowed network, and the connection goes to an
address that was looked at, not to whatever the name means a moment later. Redirects are answers
like any other: nobody follows them.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import hashlib
import hmac
import http.client
import io
import ipaddress
import json
import socket
import ssl
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from treadle.kernel.clock import as_datetime
from treadle.kernel.errors import InvalidInput, Refused, TreadleError, Unavailable
from treadle.monitoring.webhooks.entities import Answer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from treadle.monitoring.webhooks.entities import Topic

# For all of it, from the connection to the last byte of the answer.
TIMEOUT_S = 5.0
BODY_SHOWN = 4096
URL_LENGTH = 4000
LOOPBACK_NAME = "localhost"

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network

_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def check_url(url: str, *, allowed: Iterable[str]) -> SplitResult:
    """Return the parts of an address that webhooks may go to. Raises InvalidInput or Refused."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise InvalidInput(f"That is no web address: {error}.", kind="webhook_url") from error
    if len(url) > URL_LENGTH or not url.isprintable() or " " in url:
        raise InvalidInput("That is no web address.", kind="webhook_url")
    if parts.scheme not in {"http", "https"}:
        raise InvalidInput(
            f"Webhooks go by http or https, not by {parts.scheme!r}.",
            kind="webhook_scheme",
            scheme=parts.scheme,
        )
    if not host:
        raise InvalidInput("A web address has a host.", kind="webhook_host")
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            "A web address of a webhook holds no password.",
            hint="Give the webhook a secret: what is sent is then signed.",
            kind="webhook_url",
        )
    if host not in {name.lower().strip("[]") for name in allowed}:
        raise Refused(
            f"Webhooks may not go to {host!r}.",
            hint="Add the host to webhook_hosts in settings.toml.",
            host=host,
        )
    return parts


def addresses_of(host: str, port: int, *, allowed: Iterable[str]) -> tuple[str, ...]:
    """Look a host up; return its addresses. Raises Refused when one of them is not allowed."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise Unavailable(f"{host} cannot be looked up: {error}.") from error
    networks = tuple(_networks(allowed))
    known = tuple(dict.fromkeys(str(entry[4][0]) for entry in found))
    for text in known:
        address = ipaddress.ip_address(text.partition("%")[0])
        loopback = host == LOOPBACK_NAME and address.is_loopback
        if not (loopback or is_public(address) or any(address in net for net in networks)):
            raise Refused(
                f"{host} leads to {address}, inside a network.",
                hint="Add that address or network (10.0.0.0/8) to webhook_hosts in settings.toml.",
                host=host,
            )
    return known


def is_public(address: Address) -> bool:
    """Say whether an address is one of the open internet, also when it is wrapped in another."""
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _NAT64:
            inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        if inner is not None:
            return is_public(inner)
    return address.is_global and not address.is_multicast


def send(
    url: str,
    *,
    topic: Topic,
    data: object,
    at: int,
    delivery_id: str,
    secret: str,
    allowed: tuple[str, ...],
) -> Answer:
    """Tell an address of one thing; what goes wrong is in the answer."""
    noun, _, happened = topic.partition(".")
    told = {
        "entity": noun,
        "action": happened,
        "timestamp": as_datetime(at).isoformat(),
        "data": data,
    }
    body = json.dumps(told)
    moment = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "X-MLflow-Delivery-Id": delivery_id,
        "X-MLflow-Timestamp": moment,
    }
    if secret:
        headers["X-MLflow-Signature"] = signature(
            body, secret=secret, delivery_id=delivery_id, moment=moment
        )
    try:
        parts = check_url(url, allowed=allowed)
        return _post(parts, body.encode(), headers=headers, allowed=allowed)
    except TreadleError as error:
        return Answer(error=error.message)
    except (OSError, http.client.HTTPException) as error:
        return Answer(error=f"{type(error).__name__}: {error}".strip(": "))


def signature(body: str, *, secret: str, delivery_id: str, moment: str) -> str:
    """Return what a receiver that knows the secret computes again."""
    signed = f"{delivery_id}.{moment}.{body}".encode()
    return "v1," + base64.b64encode(hmac.digest(secret.encode(), signed, hashlib.sha256)).decode()


def _post(
    parts: SplitResult, body: bytes, *, headers: dict[str, str], allowed: tuple[str, ...]
) -> Answer:
    host = parts.hostname or ""
    secure = parts.scheme == "https"
    port = parts.port or (http.client.HTTPS_PORT if secure else http.client.HTTP_PORT)
    connection = _Pinned(host, port, to=addresses_of(host, port, allowed=allowed), secure=secure)
    query = f"?{parts.query}" if parts.query else ""
    try:
        connection.request("POST", f"{parts.path or '/'}{query}", body, headers)
        response = connection.getresponse()
        text = response.read(BODY_SHOWN).decode("utf-8", errors="replace")
        return Answer(status=response.status, body=text)
    finally:
        connection.close()


class _Pinned(http.client.HTTPConnection):
    """A connection to an address that was looked at; certificates are checked by the host's name.

    Proxies of the environment are not asked: they would connect wherever they like.
    """

    def __init__(self, host: str, port: int, *, to: tuple[str, ...], secure: bool) -> None:
        super().__init__(host, port)
        self._to = to
        self._secure = secure
        self._ends_at = time.monotonic() + TIMEOUT_S
        # A receiver that answers a byte at a time would else have its time anew with each.
        self.response_class = functools.partial(_Timely, left_s=self._left_s)  # type: ignore[assignment] # only ever called
        if secure:
            self.default_port = http.client.HTTPS_PORT

    def connect(self) -> None:
        """Connect to the first of the addresses that answers."""
        made = self._first_that_answers()
        if self._secure:
            made.settimeout(self._left_s())
            made = ssl.create_default_context().wrap_socket(made, server_hostname=self.host)
        self.sock = made

    def send(self, data: Any) -> None:
        """Send within what time is left."""
        if self.sock is None:
            self.connect()
        self.sock.settimeout(self._left_s())
        super().send(data)

    def _left_s(self) -> float:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError(f"no answer within {TIMEOUT_S:g} s")
        return left

    def _first_that_answers(self) -> socket.socket:
        *others, last = self._to
        for address in others:
            with contextlib.suppress(OSError):
                return socket.create_connection((address, self.port), self._left_s())
        return socket.create_connection((last, self.port), self._left_s())


class _Timely(http.client.HTTPResponse):
    """An answer each read of which has only what is left of the time."""

    def __init__(
        self, sock: socket.socket, *args: Any, left_s: Callable[[], float], **more: Any
    ) -> None:
        super().__init__(sock, *args, **more)
        self.fp = io.BufferedReader(_TimelySocket(sock, self.fp.detach(), left_s=left_s))


class _TimelySocket(io.RawIOBase):
    """Reads a socket with what is left of the time."""

    def __init__(self, sock: socket.socket, inner: Any, *, left_s: Callable[[], float]) -> None:
        self._sock = sock
        self._inner = inner
        self._left_s = left_s

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def readinto(self, buffer: Any) -> int | None:
        """Read what comes in time. Raises TimeoutError."""
        self._sock.settimeout(self._left_s())
        read: int | None = self._inner.readinto(buffer)
        return read

    def close(self) -> None:
        """Let go of the socket."""
        self._inner.close()
        super().close()


def _networks(allowed: Iterable[str]) -> Iterable[Network]:
    for entry in allowed:
        try:
            yield ipaddress.ip_network(entry.strip("[]"), strict=False)
        except ValueError:  # a name
            continue
