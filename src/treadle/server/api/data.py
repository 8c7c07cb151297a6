"""GET datasets."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data.diffs.entities import DiffSummary, RowChange
from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import page_of
from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


# What an answer compares while one waits: a few hundred ms.
CELLS_MOST = 4_000_000


class VersionDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What two versions of a table differ in, and the first rows of each kind."""

    summary: DiffSummary
    changes: tuple[RowChange, ...]


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


def diff(request: Request) -> Response:
    """Say what two versions differ in: from=, to=, key=A,B; at most `limit` rows of each kind."""
    asked = Asked(request, "from", "to", "key", "limit")
    data, name = app_of(request).data, request.path_params["name"]
    before, after = (
        data.version(f"{name}@{asked.text(side) or 'latest'}") for side in ("from", "to")
    )
    if not before.is_table and not after.is_table:
        return json_answer(data.diff_files(before.ref, after.ref))
    work = data.diff_work(before.ref, after.ref)
    if work > CELLS_MOST:
        raise InvalidInput(
            f"{before.ref} and {after.ref} differ in parts of {work:,} cells; an answer compares "
            f"{CELLS_MOST:,}.",
            hint=f"Compare them by the command: treadle data diff {before.ref} {after.ref} --json",
        )
    key = asked.text("key")
    with data.diff(before.ref, after.ref, key=key.split(",") if key else None) as found:
        changes = tuple(found.changes(limit=asked.limit))
        return json_answer(VersionDiff(summary=found.summary, changes=changes))


ROUTES = (
    ("GET", "/datasets", datasets),
    ("GET", "/datasets/{name}/versions", versions),
    ("GET", "/datasets/{name}/versions/{version}", version),
    ("GET", "/datasets/{name}/versions/{version}/log", log),
    ("GET", "/datasets/{name}/branches", branches),
    ("GET", "/datasets/{name}/diff", diff),
)
