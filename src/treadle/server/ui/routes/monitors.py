"""GET /monitors and a monitor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import MonitorsContext
from treadle.server.ui.monitor_page import monitor_context, monitor_row
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Notice, Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def monitors(request: Request) -> Response:
    """List every monitor and what it says now."""
    app = app_of(request)
    shown, pager = paging.cut(request, app.monitoring.monitors())
    context = MonitorsContext(
        page=Page(
            title="Monitors",
            nav="monitors",
            snippets=snippets(
                app.home, command="status --json", python="monitors = client.monitoring.monitors()"
            ),
            live="monitor. alert.",
        ),
        rows=tuple(monitor_row(app, monitor) for monitor in shown),
        pager=pager,
        notice=None if shown else _nothing(),
    )
    return page(request, "monitors.html", context)


def monitor(request: Request) -> Response:
    """Show a monitor: weekly quality and calibration, findings, alerts."""
    return page(
        request, "monitor.html", monitor_context(app_of(request), request.path_params["name"])
    )


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No monitor yet",
        "An endpoint with a policy has one from its first release on.",
        "treadle run",
    )


ROUTES = (("/monitors", monitors), ("/monitors/{name}", monitor))
