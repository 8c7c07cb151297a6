"""GET runs."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of
from treadle.tracking.entities import Artifact, MetricSummary, Run

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


class WholeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with the course of its metrics and its files."""

    run: Run
    metrics: tuple[MetricSummary, ...]
    artifacts: tuple[Artifact, ...]


def runs(request: Request) -> Response:
    """List runs, newest first: experiment=, status=, parent=, filter=, order=metric.log_loss."""
    names = ("experiment", "status", "parent", "filter", "order", "limit", "offset")
    asked = Asked(request, *names)
    found = app_of(request).tracking.search_runs(
        experiment=asked.text("experiment"),
        status=asked.text("status"),
        parent_id=asked.text("parent"),
        where=asked.text("filter") or "",
        order_by=asked.text("order") or "started_at desc",
        limit=asked.limit,
        offset=asked.offset,
    )
    return json_answer(found)


def run(request: Request) -> Response:
    """Show a run by its id or the beginning of it."""
    Asked(request)
    tracking = app_of(request).tracking
    found = tracking.run(request.path_params["id"])
    whole = WholeRun(
        run=found,
        metrics=tracking.metric_summaries(found.id),
        artifacts=tracking.artifacts(found.id),
    )
    return json_answer(whole)


ROUTES = (("GET", "/runs", runs), ("GET", "/runs/{id}", run))
