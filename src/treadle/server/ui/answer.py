"""A rendered page as an HTTP answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import HTMLResponse

from treadle.server.ui.render import render

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def page(name: str, context: DataclassInstance) -> HTMLResponse:
    """Render a page; a browser may keep it, but must ask whether it still holds."""
    return HTMLResponse(render(name, context), headers={"Cache-Control": "no-cache"})
