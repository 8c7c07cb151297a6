"""GET artifacts: what a run or a logged model has at a level, and a file as a browser may show it.

A file is shown by what its name says it is, never as a script: it stands in a sandbox of its own,
reads nothing of this address and loads nothing. What a browser cannot show so is downloaded.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import anyio.to_thread
import msgspec

from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of
from treadle.server.bodies import FileAnswer, media_of, shown_as
from treadle.tracking.artifacts import Entry

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.tracking.artifacts import Artifacts
    from treadle.tracking.artifacts_paths import Place


class Level(msgspec.Struct, frozen=True, kw_only=True):
    """The files and folders right in a folder."""

    items: tuple[Entry, ...]


def of_run(request: Request) -> Response:
    """List what a run has in a folder: path=."""
    artifacts, folder = app_of(request).artifacts, Asked(request, "path").text("path") or ""
    found = artifacts.level(artifacts.of_run(request.path_params["id"], folder))
    return json_answer(Level(items=found))


def of_model(request: Request) -> Response:
    """List what a logged model has in a folder: path=."""
    artifacts, folder = app_of(request).artifacts, Asked(request, "path").text("path") or ""
    found = artifacts.level(artifacts.of_model(request.path_params["id"], folder))
    return json_answer(Level(items=found))


async def file_of_run(request: Request) -> Response:
    """Show a file of a run, or with download=1 hand it over."""
    names = request.path_params
    return await _file(request, lambda artifacts: artifacts.of_run(names["id"], names["path"]))


async def file_of_model(request: Request) -> Response:
    """Show a file of a logged model, or with download=1 hand it over."""
    names = request.path_params
    return await _file(request, lambda artifacts: artifacts.of_model(names["id"], names["path"]))


async def _file(request: Request, where: Callable[[Artifacts], Place]) -> Response:
    downloads = Asked(request, "download").text("download") is not None
    artifacts = app_of(request).artifacts
    file = await anyio.to_thread.run_sync(lambda: artifacts.find(where(artifacts)))
    media, is_shown = (media_of(file.path), False) if downloads else shown_as(file.path)
    answer = FileAnswer(artifacts, file, media=media, is_inline=is_shown)
    return await answer.ready(request)


ROUTES = (
    ("GET", "/runs/{id}/artifacts", of_run),
    ("GET", "/runs/{id}/artifacts/{path:path}", file_of_run),
    ("GET", "/logged-models/{id}/artifacts", of_model),
    ("GET", "/logged-models/{id}/artifacts/{path:path}", file_of_model),
)
