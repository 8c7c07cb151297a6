"""GET runs; POST beats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, cast, get_args

import msgspec
from starlette.concurrency import run_in_threadpool

from treadle.kernel.errors import InvalidInput
from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of, body_of, read_body
from treadle.tracking.entities import Artifact, MetricSummary, Run

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


View = Literal["active", "deleted", "all"]


class WholeRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run with the course of its metrics and its files."""

    run: Run
    metrics: tuple[MetricSummary, ...]
    artifacts: tuple[Artifact, ...]


class Beats(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Runs whose process lives."""

    runs: tuple[str, ...]


class Beaten(msgspec.Struct, frozen=True, kw_only=True):
    """Those of the runs that are running, and whose next beat is missed when it stays away."""

    running: tuple[str, ...]


def runs(request: Request) -> Response:
    """List runs, newest first: experiment=, status=, parent=, filter=, order=, view=deleted."""
    names = ("experiment", "status", "parent", "filter", "order", "view", "limit", "offset")
    asked = Asked(request, *names)
    found = app_of(request).tracking.search_runs(
        experiment=asked.text("experiment"),
        status=asked.text("status"),
        parent_id=asked.text("parent"),
        where=asked.text("filter") or "",
        order_by=asked.text("order") or "started_at desc",
        view=_view(asked),
        limit=asked.limit,
        offset=asked.offset,
    )
    return json_answer(found)


def _view(asked: Asked) -> View:
    view = asked.text("view") or "active"
    if view not in get_args(View):
        raise InvalidInput(f"view is {view[:100]!r}.", hint=f"Use {' or '.join(get_args(View))}.")
    return cast("View", view)


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


async def beats(request: Request) -> Response:
    """Say that the process of runs lives: {"runs": ["…"]}; a run that stops to beat fails."""
    raw = await read_body(request)
    return json_answer(await run_in_threadpool(_beat, request, raw))


def _beat(request: Request, raw: bytes) -> Beaten:
    Asked(request)
    body = body_of(request, raw, Beats)
    return Beaten(running=app_of(request).tracking.beat(body.runs))


ROUTES = (
    ("GET", "/runs", runs),
    ("POST", "/runs/beats", beats),
    ("GET", "/runs/{id}", run),
)
