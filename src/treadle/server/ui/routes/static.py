"""Files that are served as they are; those asked for by their digest never change."""

from __future__ import annotations

import mimetypes
from functools import cache
from typing import TYPE_CHECKING

from starlette.responses import Response

from treadle.kernel.errors import NotFound
from treadle.server.ui.answer import path_of
from treadle.server.ui.render import STATIC, STATIC_URL, static_url

if TYPE_CHECKING:
    from starlette.requests import Request

FOR_EVER = "public, max-age=31536000, immutable"
SERVED = frozenset({".css", ".js", ".svg", ".woff2"})
TYPES = {".js": "text/javascript", ".woff2": "font/woff2"}


def static(request: Request) -> Response:
    """Answer with a static file."""
    path = request.path_params["path"]
    if path not in files():
        raise NotFound("static file", path, known=files())
    is_exact = f"{path_of(request)}?{request.url.query}" == static_url(path)
    body, media = content(path)
    return Response(
        body,
        media_type=media,
        headers={"Cache-Control": FOR_EVER if is_exact else "no-cache"},
    )


@cache
def files() -> frozenset[str]:
    """Return the paths of all static files; nothing else of the disk can be asked for."""
    found = (path for path in STATIC.rglob("*") if path.suffix in SERVED)
    return frozenset(path.relative_to(STATIC).as_posix() for path in found)


@cache
def content(path: str) -> tuple[bytes, str]:
    """Return the bytes of a static file and what they are."""
    file = STATIC / path
    media = TYPES.get(file.suffix) or mimetypes.guess_type(path)[0] or "application/octet-stream"
    return file.read_bytes(), media


ROUTES = ((STATIC_URL + "/{path:path}", static),)
