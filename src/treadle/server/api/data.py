"""GET datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def datasets(request: Request) -> Response:
    """List datasets by name, each with its newest version."""
    asked = Asked(request, "limit", "offset")
    return json_answer(app_of(request).data.datasets(limit=asked.limit, offset=asked.offset))


def versions(request: Request) -> Response:
    """List the versions of a dataset, newest first."""
    asked = Asked(request, "limit", "offset")
    name = request.path_params["name"]
    return json_answer(app_of(request).data.versions(name, limit=asked.limit, offset=asked.offset))


ROUTES = (("GET", "/datasets", datasets), ("GET", "/datasets/{name}/versions", versions))
