"""The list of traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import Condition, write_filter
from treadle.kernel.paging import Page as Found
from treadle.server.ui import paging
from treadle.server.ui.contexts import TraceRow, TracesContext
from treadle.server.ui.places import run_place, trace_place
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Option, Page, Pair

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.app import App
    from treadle.tracing.entities import Trace

STATUSES = ("ok", "error", "in_progress")
TIMES = {"hour": ("Last hour", 3600), "day": ("Last day", 86_400), "week": ("Last week", 604_800)}
EXPERIMENTS, TAGS, SAID, TEXT = 100, 4, 4, 120
US = 1_000_000
HIDDEN = "mlflow."


def traces_context(app: App, request: Request) -> TracesContext:
    """Return the list that an address asks for."""
    asked = {
        name: request.query_params.get(name, "").strip()
        for name in ("filter", "experiment", "status", "time", "run")
    }
    offset = paging.offset_of(request)
    found, problem = _found(app, asked, offset=offset)
    groups = app.tracking.search_experiments(limit=EXPERIMENTS).items
    run = asked["run"]
    return TracesContext(
        page=_page(app, request, asked),
        filter=asked["filter"],
        experiments=tuple(
            Option(each.id, each.name, None, each.id == asked["experiment"]) for each in groups
        ),
        statuses=tuple(
            Option(each, each.replace("_", " "), None, each == asked["status"]) for each in STATUSES
        ),
        times=tuple(
            Option(key, label, None, key == asked["time"]) for key, (label, _) in TIMES.items()
        ),
        run=Link(run[:12], run_place(run)) if run else None,
        rows=tuple(_row(trace) for trace in found.items),
        pager=paging.pager_of(request, found, offset=offset, keep=asked),
        notice=problem
        or (None if found.items else _nothing(is_narrowed=any(asked.values()), offset=offset)),
    )


def _found(app: App, asked: dict[str, str], *, offset: int) -> tuple[Found[Trace], Notice | None]:
    conditions = [f"({asked['filter']})"] if asked["filter"] else []
    for field, name in (("status", "status"), ("run_id", "run")):
        if asked[name]:
            said = Condition(field=field, operator="=", value=asked[name])
            conditions.append(write_filter(said))
    if asked["time"] in TIMES:
        since = app.clock.now() // 1000 - TIMES[asked["time"]][1] * 1000
        conditions.append(f"timestamp_ms > {since}")
    try:
        found = app.tracing.search_traces(
            experiment_ids=[asked["experiment"]] if asked["experiment"] else None,
            where=" and ".join(conditions),
            limit=paging.ROWS,
            offset=offset,
        )
    except InvalidInput as error:
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return found, None


def _row(trace: Trace) -> TraceRow:
    own = ((key, value) for key, value in trace.tags.items() if not key.startswith(HIDDEN))
    valid = (said for said in trace.assessments if said.valid)
    return TraceRow(
        id=trace.id,
        name=trace.name or trace.id[:12],
        href=trace_place(trace.id),
        status=trace.status,
        started_us=trace.started_at,
        duration_us=trace.duration_us,
        request=(trace.request_preview or "")[:TEXT],
        response=(trace.response_preview or "")[:TEXT],
        tags=tuple(Pair(key, value[:60]) for key, value in own)[:TAGS],
        said=tuple(Pair(said.name, str(said.value)[:60]) for said in valid)[:SAID],
    )


def _page(app: App, request: Request, asked: dict[str, str]) -> Page:
    where = asked["filter"]
    given = f"where={where!r}" if where else ""
    theirs = f"filter_string={where!r}" if where else ""
    return Page(
        title="Traces",
        nav="runs",
        crumbs=(Link("Runs", "/runs"),),
        snippets=(
            *snippets(
                app.home,
                command="traces --json",
                python=f"traces = client.tracing.search_traces({given})",
            ),
            mlflow_snippet(request, f"traces = mlflow.search_traces({theirs})"),
        ),
        live="traces. assessment.",
    )


def _nothing(*, is_narrowed: bool, offset: int) -> Notice:
    if is_narrowed:
        return Notice("empty", "No trace matches", "Take a condition away to see more.")
    if offset:
        return Notice("empty", "The list ends before here", "Go back to its first page.")
    return Notice(
        "empty",
        "No trace yet",
        "Set MLFLOW_TRACKING_URI, or the endpoint of an OpenTelemetry exporter, to this address.",
        "treadle traces --help",
    )
