"""GET windows of monitors, and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.server.answers import json_answer
from treadle.server.api.paging import cut
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

WINDOWS_MOST = 10_000
STATES = ("open", "closed")


def monitors(request: Request) -> Response:
    """List monitors by name, with their rules."""
    asked = Asked(request, "limit", "offset")
    return json_answer(cut(app_of(request).monitoring.monitors(), asked))


def windows(request: Request) -> Response:
    """List the judged windows of a monitor, newest first."""
    asked = Asked(request, "limit", "offset")
    name = request.path_params["name"]
    found = app_of(request).monitoring.windows(name, limit=WINDOWS_MOST)
    return json_answer(cut(found[::-1], asked))


def alerts(request: Request) -> Response:
    """List alerts, newest first: state=open, endpoint=late."""
    asked = Asked(request, "state", "endpoint", "limit", "offset")
    state = asked.text("state")
    if state is not None and state not in STATES:
        raise InvalidInput(f"state is {state!r}.", hint=f"It is one of: {', '.join(STATES)}.")
    found = app_of(request).monitoring.alerts(
        endpoint=asked.text("endpoint"), state=state, limit=asked.limit, offset=asked.offset
    )
    return json_answer(found)


ROUTES = (
    ("GET", "/monitors", monitors),
    ("GET", "/monitors/{name}/windows", windows),
    ("GET", "/alerts", alerts),
)
