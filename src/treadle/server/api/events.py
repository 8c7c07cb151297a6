"""GET events, and the lineage of a prediction."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


def events(request: Request) -> Response:
    """List events, newest first: kind=alert.opened, subject=endpoint/late."""
    asked = Asked(request, "kind", "subject", "limit", "offset")
    kind = asked.text("kind")
    found = app_of(request).log.newest(
        kinds=[kind] if kind else (),
        subject=asked.text("subject"),
        limit=asked.limit,
        offset=asked.offset,
    )
    return json_answer(found)


def trace(request: Request) -> Response:
    """Follow a prediction back to the digests of the files it was made from."""
    Asked(request)
    return json_answer(app_of(request).governance.trace(request.path_params["prediction"]))


ROUTES = (("GET", "/events", events), ("GET", "/trace/{prediction}", trace))
