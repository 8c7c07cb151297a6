"""GET /runs, what narrows it, its views, and a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui.answer import page, sent_on
from treadle.server.ui.places import run_place
from treadle.server.ui.posted import posted
from treadle.server.ui.run_page import run_context
from treadle.server.ui.runs_asked import asked_of
from treadle.server.ui.runs_facets import facets_context
from treadle.server.ui.runs_page import runs_context

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def runs(request: Request) -> Response:
    """List runs with their metrics and params on screen."""
    context = runs_context(app_of(request), asked_of(request), request=request)
    return page(request, "runs.html", context)


def facets(request: Request) -> Response:
    """Count what the runs can be narrowed by."""
    return page(request, "runs_facets.html", facets_context(app_of(request), asked_of(request)))


def save_view(request: Request, fields: dict[str, str]) -> Response:
    """Save the query on screen under a name."""
    saved = app_of(request).views.save(fields.get("name", ""), query=fields.get("query", ""))
    return sent_on(request, f"/runs?{saved.query}" if saved.query else "/runs")


def remove_view(request: Request, fields: dict[str, str]) -> Response:
    """Remove a saved view; the list stays what it is."""
    app_of(request).views.remove(fields.get("name", ""))
    query = fields.get("query", "")
    return sent_on(request, f"/runs?{query}" if query else "/runs")


def run(request: Request) -> Response:
    """Show everything one execution logged."""
    context = run_context(app_of(request), request.path_params["id"], request=request)
    return page(request, "run.html", context)


def delete_run(request: Request, _fields: dict[str, str]) -> Response:
    """Put a run away; its page stays, and says how to bring it back."""
    app = app_of(request)
    found = app.tracking.run(request.path_params["id"])
    app.tracking.delete_run(found.id)
    return sent_on(request, run_place(found.id))


def restore_run(request: Request, _fields: dict[str, str]) -> Response:
    """Bring a run back that was put away."""
    app = app_of(request)
    found = app.tracking.run(request.path_params["id"])
    app.tracking.restore_run(found.id)
    return sent_on(request, run_place(found.id))


ROUTES = (
    ("/runs", runs),
    ("/runs/facets", facets),
    ("/runs/{id}", run),
)

POSTS = (
    ("/runs/views", posted(save_view)),
    ("/runs/views/remove", posted(remove_view)),
    ("/runs/{id}/delete", posted(delete_run)),
    ("/runs/{id}/restore", posted(restore_run)),
)
