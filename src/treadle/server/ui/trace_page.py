"""The page of a trace: its spans as a tree over time."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import NotFound
from treadle.server.ui.contexts import AssessmentRow, SpanEventRow, SpanRow, TraceContext
from treadle.server.ui.places import asking, run_place
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pair
from treadle.tracing.tree import tree_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from starlette.requests import Request

    from treadle.app import App
    from treadle.tracing.entities import Assessment, Span, SpanEvent, Trace
    from treadle.tracing.tree import Branch

SPANS_MOST = 500
DEEPEST = 12
"""Beyond it the tree is indented no further."""
TEXT = 20_000
VALUE = 2000
STACK = "exception.stacktrace"
SHOWN_APART = ("mlflow.spanInputs", "mlflow.spanOutputs", "mlflow.traceRequestId")
SOURCE_RUN = "mlflow.sourceRun"
UNKNOWN = "UNKNOWN"
WHOLE, THINNEST = 1000, 3
NS = 1000


def trace_context(app: App, trace_id: str, *, request: Request) -> TraceContext:
    """Return all that is known of a trace. Raises NotFound."""
    trace = app.tracing.trace(trace_id)
    branches = tree_of(app.tracing.spans(trace.id))
    shown = branches[:SPANS_MOST]
    begin = min((b.span.start_ns for b in branches), default=0)
    end = max((b.span.end_ns or b.span.start_ns for b in branches), default=0)
    return TraceContext(
        page=_page(app, trace, request=request),
        id=trace.id,
        status=trace.status,
        experiment=_experiment(app, trace),
        runs=_runs(app, trace),
        started_us=trace.started_at,
        duration_us=trace.duration_us,
        spans=tuple(_row(branch, begin=begin, whole=max(end - begin, 1)) for branch in shown),
        hidden=len(branches) - len(shown),
        tags=_pairs(trace.tags),
        metadata=_pairs(trace.metadata),
        assessments=tuple(map(_said, trace.assessments)),
        notice=None if branches else _nothing(),
    )


def _page(app: App, trace: Trace, *, request: Request) -> Page:
    return Page(
        title=trace.name or trace.id,
        nav="runs",
        crumbs=(Link("Runs", "/runs"), Link("Traces", "/traces")),
        snippets=(
            *snippets(
                app.home,
                command=f"traces show {trace.id}",
                python=f"trace = client.tracing.trace({trace.id!r})\n"
                f"spans = client.tracing.spans({trace.id!r})",
            ),
            mlflow_snippet(request, f"trace = mlflow.get_trace({trace.id!r})"),
        ),
        live="assessment.",
    )


def _experiment(app: App, trace: Trace) -> Link | None:
    try:
        name = app.tracking.experiment_by_id(trace.experiment_id).name
    except NotFound:  # removed for good between two questions
        return None
    return Link(name, asking("/traces", {"experiment": trace.experiment_id}))


def _runs(app: App, trace: Trace) -> tuple[Link, ...]:
    made_by = trace.metadata.get(SOURCE_RUN)
    ids = dict.fromkeys([*([made_by] if made_by else []), *app.tracing.runs_of(trace.id)])
    return tuple(Link(run_id[:12], run_place(run_id)) for run_id in ids)


def _row(branch: Branch, *, begin: int, whole: int) -> SpanRow:
    span = branch.span
    start = WHOLE * (span.start_ns - begin) / whole
    width = WHOLE * (span.duration_ns or 0) / whole
    start = min(start, WHOLE - THINNEST)
    return SpanRow(
        id=span.id,
        name=span.name or span.id,
        type="" if span.type == UNKNOWN else span.type,
        status=span.status,
        message=span.message,
        depth=min(branch.depth, DEEPEST),
        start=round(start, 1),
        width=round(max(THINNEST, min(width, WHOLE - start)), 1),
        after_us=(span.start_ns - begin) // NS,
        duration_us=None if span.duration_ns is None else span.duration_ns // NS,
        inputs=_text(span.inputs),
        outputs=_text(span.outputs),
        attributes=_attributes(span),
        events=tuple(map(_event, span.events)),
    )


def _attributes(span: Span) -> tuple[Pair, ...]:
    return _pairs({k: v for k, v in span.attributes.items() if k not in SHOWN_APART})


def _event(event: SpanEvent) -> SpanEventRow:
    return SpanEventRow(
        name=event.name,
        at_us=event.at_ns // NS,
        attributes=_pairs({k: v for k, v in event.attributes.items() if k != STACK}),
        stack=_text(event.attributes.get(STACK)),
    )


def _said(said: Assessment) -> AssessmentRow:
    value = said.error.message or said.error.code if said.error else _text(said.value)
    return AssessmentRow(
        kind=said.kind,
        name=said.name,
        value=value,
        source=" ".join(part for part in (said.source_kind, said.source_id) if part),
        rationale=said.rationale or "",
        span=Link(said.span_id, f"#span-{said.span_id}") if said.span_id else None,
        at_us=said.updated_at,
        is_valid=said.valid,
    )


def _pairs(values: Mapping[str, Any]) -> tuple[Pair, ...]:
    return tuple(Pair(key, _text(values[key])[:VALUE]) for key in _sorted(values))


def _sorted(values: Iterable[str]) -> list[str]:
    return sorted(values, key=lambda key: (key.startswith("mlflow."), key))


def _text(value: Any) -> str:
    if value is None:
        return ""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=1)
    return text if len(text) <= TEXT else text[:TEXT] + "…"


def _nothing() -> Notice:
    return Notice(
        "empty", "No span has come yet", "They come when they end, or when their program is asked."
    )
