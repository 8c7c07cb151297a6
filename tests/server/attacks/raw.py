"""HTTP by hand: what a client's library would tidy up reaches the server as it is written here."""

from __future__ import annotations

import contextlib
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

LIMIT_S = 20


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 when the server closed without a word."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def text(self) -> str:
        return self.body.decode("utf-8", "replace")


def ask(
    url: str,
    method: str,
    target: bytes | str,
    *,
    headers: Mapping[str, str] | Iterable[tuple[str, str]] = (),
    body: bytes = b"",
) -> Answer:
    """Send one request whose target is not touched, and read the whole answer."""
    pairs = list(headers.items()) if hasattr(headers, "items") else list(headers)
    named = {name.lower() for name, _ in pairs}
    if "host" not in named:
        pairs.insert(0, ("Host", urlsplit(url).netloc))
    if body and not named & {"content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    pairs.append(("Connection", "close"))
    target = target.encode("latin-1") if isinstance(target, str) else target
    head = b"%s %s HTTP/1.1\r\n" % (method.encode(), target)
    lines = [f"{name}: {value}\r\n".encode("latin-1") for name, value in pairs]
    return send(url, head + b"".join(lines) + b"\r\n" + body, is_head=method == "HEAD")


def send(url: str, data: bytes, *, is_head: bool = False) -> Answer:
    """Send bytes and read the answer to its end."""
    parts = urlsplit(url)
    with socket.create_connection((parts.hostname, parts.port), timeout=LIMIT_S) as wire:
        # Refused before all was sent: what it said is still to be read.
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):
            wire.sendall(data)
        return _read(wire, is_head=is_head)


def _read(wire: socket.socket, *, is_head: bool) -> Answer:
    came = b""
    while b"\r\n\r\n" not in came and (block := _block(wire)):
        came += block
    head, _, body = came.partition(b"\r\n\r\n")
    if not head:
        return Answer(0, {}, b"")
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
    }
    length = headers.get("content-length")
    while not is_head and (length is None or len(body) < int(length)) and (block := _block(wire)):
        body += block
    return Answer(int(first.split()[1]), headers, body)


def _block(wire: socket.socket) -> bytes:
    try:
        return wire.recv(1 << 16)
    except ConnectionResetError:
        return b""
