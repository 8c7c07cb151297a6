"""The JSON API under /api/v1: a route decodes, calls one verb, encodes.

Every list answers `{"items": […], "total": …, "next_offset": …}` and takes `limit` and `offset`;
every error answers `{"error": {"code": …, "message": …, "hint": …}}`. Instants are UTC µs.
"""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from treadle.server.api import artifacts, data, endpoints, events, models, monitors, runs, status

PREFIX = "/api/v1"


def routes() -> list[BaseRoute]:
    """Return every route of the API."""
    nouns = (status, runs, artifacts, data, models, endpoints, monitors, events)
    return [
        Route(PREFIX + path, handler, methods=[method])
        for noun in nouns
        for method, path, handler in noun.ROUTES
    ]
