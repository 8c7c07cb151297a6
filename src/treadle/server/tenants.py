"""`/t/NAME/…`: a home of its own for a team or a test, behind the same address.

What stands behind the prefix answers as it does without it, for the tenant's home: who asks for the
services of a request (`asked.app_of`) is given the tenant's.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec
from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from treadle.kernel.errors import TreadleError
from treadle.server.errors import error_answer
from treadle.server.mlflow.errors import status_of, worded

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from treadle.app import App

PREFIX = "/t/"
MOST_OPEN = 32


class Tenant:
    """An open home, and how many requests are under way in it."""

    def __init__(self, app: App) -> None:
        self.app = app
        self.guests = 0


class Tenants:
    """Sends requests below `/t/NAME` on with that tenant's home; keeps the last few open."""

    def __init__(self, otherwise: ASGIApp, app: App, *, most_open: int = MOST_OPEN) -> None:
        self._otherwise = otherwise
        self._app = app
        self._most_open = most_open
        # Touched by the event loop's thread alone; the least lately used comes first.
        self._open: dict[str, Tenant] = {}
        self._opening: dict[str, asyncio.Lock] = {}

    @property
    def open_names(self) -> tuple[str, ...]:
        """The tenants that are open, the least lately used first."""
        return tuple(self._open)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] == "lifespan":
            await self._otherwise(scope, receive, send)
            # At once and here: when this returns to the server, the loop ends.
            for tenant in self._open.values():
                tenant.app.close()
            return
        path: str = scope.get("path", "")
        if scope["type"] != "http" or not path.startswith(PREFIX):
            await self._otherwise(scope, receive, send)
            return
        name = path.removeprefix(PREFIX).partition("/")[0]
        root = f"{scope.get('root_path', '')}{PREFIX}{name}"
        inner = {**scope, "root_path": root, "path": path if path != root else f"{root}/"}
        try:
            tenant = await self._enter(name, may_make=not is_foreign(Headers(scope=scope)))
        except TreadleError as error:
            await _refusal(Request(inner), error)(inner, receive, send)
            return
        try:
            await self._otherwise({**inner, "treadle": tenant.app}, receive, send)
        finally:
            tenant.guests -= 1
            await self._make_room()

    async def _enter(self, name: str, *, may_make: bool) -> Tenant:
        if name not in self._open:
            await self._open_one(name, may_make=may_make)
        tenant = self._open[name] = self._open.pop(name)
        tenant.guests += 1
        return tenant

    async def _open_one(self, name: str, *, may_make: bool) -> None:
        try:
            async with self._opening.setdefault(name, asyncio.Lock()):
                if name not in self._open:  # whoever came first may have opened it meanwhile
                    app = await anyio.to_thread.run_sync(_opened, self._app, name, may_make)
                    self._open[name] = Tenant(app)
        finally:
            self._opening.pop(name, None)

    async def _make_room(self) -> None:
        excess = len(self._open) - self._most_open
        if excess <= 0:
            return
        idle = [name for name, tenant in self._open.items() if not tenant.guests]
        # All are taken out before the first wait, in which a request for one may come.
        closing = [self._open.pop(name) for name in idle[:excess]]
        for tenant in closing:
            await anyio.to_thread.run_sync(tenant.app.close)


def is_foreign(headers: Headers) -> bool:
    """Whether a page of another site sent a request: it may ask, but fill no disk with tenants."""
    return headers.get("sec-fetch-site", "none") not in {"same-origin", "none"}


def _opened(app: App, name: str, may_make: bool) -> App:  # noqa: FBT001 - run_sync passes no names
    tenant = app.tenant(name, may_make=may_make)
    tenant.store  # noqa: B018 - opened, and migrated, once, before many threads ask for it
    return tenant


def _refusal(request: Request, error: TreadleError) -> Response:
    if "/mlflow" not in request.url.path:
        return error_answer(request, error)
    body = worded(error)
    return Response(
        msgspec.json.encode(body),
        status_code=status_of(body.error_code),
        media_type="application/json",
    )
