"""GET /traces and a trace."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui.answer import page
from treadle.server.ui.trace_page import trace_context
from treadle.server.ui.traces_page import traces_context

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def traces(request: Request) -> Response:
    """List traces of calls, newest first."""
    return page(request, "traces.html", traces_context(app_of(request), request))


def trace(request: Request) -> Response:
    """Show a trace, span by span."""
    context = trace_context(app_of(request), request.path_params["id"], request=request)
    return page(request, "trace.html", context)


ROUTES = (("/traces", traces), ("/traces/{id}", trace))
