"""The routes of the pages: each asks services, fills one context, renders it."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from treadle.server.ui.routes import (
    data,
    endpoints,
    events,
    home,
    live,
    models,
    monitors,
    palette,
    runs,
    static,
)


def routes() -> list[BaseRoute]:
    """Return every route of the pages."""
    nouns = (home, runs, data, models, endpoints, monitors, events, palette, live, static)
    return [
        Route(path, handler, methods=["GET"]) for noun in nouns for path, handler in noun.ROUTES
    ]
