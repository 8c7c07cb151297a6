"""GET models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.answers import json_answer
from treadle.server.api.paging import cut
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def models(request: Request) -> Response:
    """List models by name, with their newest number and their aliases."""
    asked = Asked(request, "limit", "offset")
    return json_answer(cut(app_of(request).registry.models(), asked))


def versions(request: Request) -> Response:
    """List the versions of a model, newest first."""
    asked = Asked(request, "limit", "offset")
    return json_answer(cut(app_of(request).registry.versions(request.path_params["name"]), asked))


def version(request: Request) -> Response:
    """Show a version by its number, or by an alias."""
    Asked(request)
    name, number = request.path_params["name"], request.path_params["number"]
    return json_answer(app_of(request).registry.version(f"{name}@{number}"))


ROUTES = (
    ("GET", "/models", models),
    ("GET", "/models/{name}/versions", versions),
    ("GET", "/models/{name}/versions/{number}", version),
)
