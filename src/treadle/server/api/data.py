"""GET datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.paging import page_of
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


def version(request: Request) -> Response:
    """Show a version: by its number, its digest, a branch, a tag, or `latest`."""
    Asked(request)
    name, wanted = request.path_params["name"], request.path_params["version"]
    return json_answer(app_of(request).data.version(f"{name}@{wanted}"))


def branches(request: Request) -> Response:
    """List the branches and tags of a dataset: `main`, the other branches, the tags."""
    asked = Asked(request, "limit", "offset")
    found = app_of(request).data.pointers(request.path_params["name"])
    page = found[asked.offset : asked.offset + asked.limit]
    return json_answer(page_of(page, total=len(found), offset=asked.offset))


def log(request: Request) -> Response:
    """List a version and all it descends from, newest first, with branches and tags."""
    asked = Asked(request, "limit", "offset")
    name, wanted = request.path_params["name"], request.path_params["version"]
    found = app_of(request).data.log(f"{name}@{wanted}", limit=asked.limit, offset=asked.offset)
    return json_answer(found)


ROUTES = (
    ("GET", "/datasets", datasets),
    ("GET", "/datasets/{name}/versions", versions),
    ("GET", "/datasets/{name}/versions/{version}", version),
    ("GET", "/datasets/{name}/versions/{version}/log", log),
    ("GET", "/datasets/{name}/branches", branches),
)
