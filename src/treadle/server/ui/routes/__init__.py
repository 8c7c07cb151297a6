"""The routes of the pages: each asks services, fills one context, renders it."""

from __future__ import annotations

from starlette.routing import BaseRoute, Route

from treadle.server.ui.routes import (
    compare,
    data,
    endpoints,
    evaluation,
    events,
    experiments,
    home,
    live,
    models,
    monitors,
    palette,
    runs,
    static,
    traces,
)


def routes() -> list[BaseRoute]:
    """Return every route of the pages."""
    nouns = (
        home,
        runs,
        traces,
        compare,
        experiments,
        data,
        evaluation,
        models,
        endpoints,
        monitors,
        events,
        palette,
        live,
        static,
    )
    shown = [
        Route(path, handler, methods=["GET"]) for noun in nouns for path, handler in noun.ROUTES
    ]
    posted = [
        Route(path, handler, methods=["POST"])
        for path, handler in (*runs.POSTS, *experiments.POSTS, *data.POSTS, *endpoints.POSTS)
    ]
    return [*shown, *posted]
