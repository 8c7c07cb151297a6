"""Who may talk to the control process: this machine's own programs and its own pages.

No login is asked for on loopback, so two doors must be shut by other means: a page of another site
that makes the reader's browser send requests here (its Origin tells), and one whose name was made
to point at this machine (its Host tells).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request

from treadle.kernel.errors import Refused
from treadle.server.errors import error_answer
from treadle.server.ui.render import CONTENT_SECURITY_POLICY

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK_NAMES = frozenset({"127.0.0.1", "localhost", "::1"})
_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Refuses requests that are not of this machine's own making, and names what pages may do."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or refuse it."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = complaint(scope["method"], Headers(scope=scope))
        answer = error_answer(Request(scope), refusal) if refusal else self._app
        await answer(scope, receive, send_guarded)


def complaint(method: str, headers: Mapping[str, str]) -> Refused | None:
    """Say why a request is refused, or None."""
    host = headers.get("host", "").lower()
    if host_name(host) not in LOOPBACK_NAMES:
        return Refused(
            f"This address answers to this machine's own name, not to {host[:100]!r}.",
            hint="Open it as http://127.0.0.1 or http://localhost.",
        )
    origin = headers.get("origin")
    if origin is not None and origin.lower() not in {f"http://{host}", f"https://{host}"}:
        return _refused_site()
    if headers.get("sec-fetch-site", "same-origin") in {"same-origin", "none"}:
        return None
    # Another site may lead its reader here, which sends no Origin; it may embed or fetch nothing.
    leads_here = method in SAFE_METHODS and headers.get("sec-fetch-mode") == "navigate"
    return None if leads_here else _refused_site()


def host_name(host: str) -> str:
    """Return the name in a Host header, without port and brackets; empty when it is none."""
    # Answers name addresses by this header: nothing but a name and a port may be in it.
    found = _HOST.fullmatch(host)
    return found[1].strip("[]") if found else ""


def _refused_site() -> Refused:
    return Refused(
        "A page of another site may neither read nor change anything here.",
        hint="Send the request from a program, or from a page of this address.",
    )
