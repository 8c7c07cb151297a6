"""Every route of the control process, from the tables it is built of: none can be forgotten."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from starlette.routing import Mount, Route

from treadle.server import api, openapi
from treadle.server.mlflow import PREFIXES, ROOT_ROUTES, ROUTES
from treadle.server.ui import routes as pages

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.routing import BaseRoute

STREAMS = "/ui/live"
"""Never ends: of its answer only the head is read."""


def all_routes() -> list[tuple[str, str]]:
    """Return every method and path, names in braces."""
    found = [
        *((method, prefix + path) for method, path, _ in ROUTES for prefix in PREFIXES),
        *((method, path) for method, path, _ in ROOT_ROUTES),
        *_plain([*api.routes(), openapi.ROUTE, *pages.routes()]),
    ]
    return sorted(set(found))


def filled(path: str, value: str) -> str:
    """Return a path with a value in place of every name."""
    return re.sub(r"\{[^}]+\}", lambda _: value, path)


def _plain(routes: Iterable[BaseRoute], start: str = "") -> Iterable[tuple[str, str]]:
    for route in routes:
        if isinstance(route, Route):
            yield from ((method, start + route.path) for method in route.methods or ())
        elif isinstance(route, Mount):
            yield ("GET", f"{start}{route.path}/{{path:path}}")
            yield from _plain(route.routes, start + route.path)
