"""A rendered page as an HTTP answer, and where an answer sends its reader on to."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse, RedirectResponse

from treadle.server.ui.render import render

if TYPE_CHECKING:
    from _typeshed import DataclassInstance
    from starlette.requests import Request


def page(request: Request, name: str, context: DataclassInstance) -> HTMLResponse:
    """Render a page; a browser may keep it, but must ask whether it still holds."""
    html = render(name, context, root=root_of(request))
    return HTMLResponse(html, headers={"Cache-Control": "no-cache"})


def sent_on(request: Request, place: str) -> RedirectResponse:
    """Send the reader on to a page after something was done, so that going back repeats nothing."""
    return RedirectResponse(root_of(request) + place, status_code=303)


def root_of(request: Request) -> str:
    """Return what stands before every address here: empty, or the prefix of a tenant."""
    root: str = request.scope.get("root_path", "")
    return root.rstrip("/")


def path_of(request: Request) -> str:
    """Return the path that was asked for, without the prefix of a tenant."""
    path: str = request.scope["path"]
    root = root_of(request)
    return path[len(root) :] if root and path.startswith(f"{root}/") else path
