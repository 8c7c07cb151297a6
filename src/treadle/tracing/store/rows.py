"""SQL of reading whole traces and spans: the same few queries however many there are."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.tracing.entities import Assessment, AssessmentError, Span, SpanEvent, SpanLink, Trace
from treadle.tracking.store.driver import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction

_TRACES = """
    SELECT id, experiment_id, name, status, started_at, duration_us, client_request_id,
        request_preview, response_preview, finalized
    FROM traces WHERE id IN (??)
"""
_TRACE_FIELDS = (
    "id", "experiment_id", "name", "status", "started_at", "duration_us", "client_request_id",
    "request_preview", "response_preview", "finalized",
)  # fmt: skip
_TAGS = "SELECT trace_id, key, value FROM trace_tags WHERE trace_id IN (??) ORDER BY trace_id, key"
_METADATA = """
    SELECT trace_id, key, value FROM trace_metadata WHERE trace_id IN (??) ORDER BY trace_id, key
"""
_SPANS = """
    SELECT trace_id, id, parent_id, name, type, status, start_ns, end_ns, content
    FROM spans WHERE trace_id IN (??)
"""
_ASSESSMENTS = """
    SELECT id, trace_id, name, kind, value, error, source_kind, source_id, run_id, span_id,
        rationale, metadata, overrides, valid, created_at, updated_at
    FROM assessments WHERE {column} IN (??) ORDER BY created_at, id
"""


class _Content(msgspec.Struct):
    attributes: dict[str, Any] = {}
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()
    message: str = ""


_CONTENT = msgspec.json.Decoder(_Content)


def traces_of(tx: Transaction, ids: Sequence[str]) -> tuple[Trace, ...]:
    """Return traces with tags, metadata and assessments, in the order of their ids."""
    if not ids:
        return ()
    found = {row[0]: row for row in fetch(tx, _TRACES, list(ids))}
    tags, told = _texts_of(tx, _TAGS, ids), _texts_of(tx, _METADATA, ids)
    said: dict[str, list[Assessment]] = defaultdict(list)
    for assessment in assessments_by(tx, "trace_id", ids):
        said[assessment.trace_id].append(assessment)
    return tuple(
        Trace(
            **{**dict(zip(_TRACE_FIELDS, found[i], strict=True)), "finalized": bool(found[i][-1])},
            tags=tags[i],
            metadata=told[i],
            assessments=tuple(said[i]),
        )
        for i in ids
        if i in found
    )


def spans_of(tx: Transaction, ids: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    """Return the spans of some traces: those without a parent first, then as they began."""
    found: dict[str, list[Span]] = {trace_id: [] for trace_id in ids}
    for trace_id, span_id, parent_id, name, kind, status, start, end, text in fetch(
        tx, _SPANS, list(ids)
    ):
        content = _CONTENT.decode(text)
        found[trace_id].append(
            Span(
                id=span_id,
                trace_id=trace_id,
                parent_id=parent_id,
                name=name,
                type=kind,
                status=status,
                start_ns=start,
                end_ns=end,
                message=content.message,
                attributes=content.attributes,
                events=content.events,
                links=content.links,
            )
        )
    return {
        trace_id: tuple(sorted(spans, key=lambda s: (s.parent_id is not None, s.start_ns, s.id)))
        for trace_id, spans in found.items()
    }


def assessments_by(tx: Transaction, column: str, ids: Sequence[str]) -> list[Assessment]:
    """Return assessments by their own ids or by those of their traces, the oldest first."""
    rows = fetch(tx, _ASSESSMENTS.format(column=column), list(ids))
    return [
        Assessment(
            id=row[0],
            trace_id=row[1],
            name=row[2],
            kind=row[3],
            value=msgspec.json.decode(row[4]),
            error=None if row[5] is None else msgspec.json.decode(row[5], type=AssessmentError),
            source_kind=row[6],
            source_id=row[7],
            run_id=row[8],
            span_id=row[9],
            rationale=row[10],
            metadata=msgspec.json.decode(row[11]),
            overrides=row[12],
            valid=bool(row[13]),
            created_at=row[14],
            updated_at=row[15],
        )
        for row in rows
    ]


def runs_linked(tx: Transaction, trace_id: str) -> list[str]:
    """Return the runs that a trace is linked to."""
    query = "SELECT target FROM trace_links WHERE trace_id = ? AND kind = 'run' ORDER BY target"
    return [row[0] for row in fetch(tx, query, trace_id)]


def _texts_of(tx: Transaction, query: str, ids: Sequence[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for trace_id, key, value in fetch(tx, query, list(ids)):
        found[trace_id][key] = value
    return found
