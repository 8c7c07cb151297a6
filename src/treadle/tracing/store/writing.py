"""SQL of writing traces, their spans, tags and links."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.tracing.entities import TraceStatus
from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracing.entities import Span, Trace

_KNOWN = """
    SELECT id, experiment_id, name, status, started_at, duration_us, request_preview,
        response_preview, finalized
    FROM traces WHERE id IN (??)
"""
_BEGIN_TRACE = """
    INSERT INTO traces (id, experiment_id, status, started_at, finalized) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""
_PUT_TRACE = """
    INSERT INTO traces (
        id, experiment_id, name, status, started_at, duration_us, client_request_id,
        request_preview, response_preview, finalized
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (id) DO UPDATE SET
        experiment_id = excluded.experiment_id,
        name = coalesce(excluded.name, traces.name),
        status = excluded.status,
        started_at = excluded.started_at,
        duration_us = excluded.duration_us,
        client_request_id = excluded.client_request_id,
        request_preview = coalesce(excluded.request_preview, traces.request_preview),
        response_preview = coalesce(excluded.response_preview, traces.response_preview),
        finalized = excluded.finalized
"""
_CHANGE_TRACE = """
    UPDATE traces SET name = ?, status = ?, started_at = ?, duration_us = ?, request_preview = ?,
        response_preview = ?
    WHERE id = ?
"""
_PUT_TAG = """
    INSERT INTO trace_tags (trace_id, key, value) VALUES (?, ?, ?)
    ON CONFLICT (trace_id, key) DO UPDATE SET value = excluded.value
"""
_PUT_METADATA = """
    INSERT INTO trace_metadata (trace_id, key, value) VALUES (?, ?, ?)
    ON CONFLICT (trace_id, key) DO UPDATE SET value = excluded.value
"""
_ADD_METADATA = """
    INSERT INTO trace_metadata (trace_id, key, value) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""
_PUT_SPAN = """
    INSERT INTO spans (
        trace_id, id, parent_id, name, type, status, start_ns, end_ns, content
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
    ON CONFLICT (trace_id, id) DO UPDATE SET
        parent_id = excluded.parent_id, name = excluded.name, type = excluded.type,
        status = excluded.status, start_ns = excluded.start_ns, end_ns = excluded.end_ns,
        content = excluded.content
"""
_ADD_LINK = """
    INSERT INTO trace_links (trace_id, kind, target) VALUES (?, ?, ?) ON CONFLICT DO NOTHING
"""


class Known(msgspec.Struct, kw_only=True):
    """What is known of a trace when more of its spans come."""

    id: str
    experiment_id: str
    name: str | None
    status: TraceStatus
    started_at: int
    duration_us: int | None
    request_preview: str | None
    response_preview: str | None
    finalized: bool


def known_traces(tx: Transaction, ids: Iterable[str], *, lock: bool = False) -> dict[str, Known]:
    """Return what is known of those traces that are there."""
    query = _KNOWN + (" ORDER BY id FOR UPDATE" if lock and driver.is_postgres(tx) else "")
    fields = Known.__struct_fields__
    rows = (
        Known(**dict(zip(fields, row, strict=True))) for row in fetch(tx, query, sorted(set(ids)))
    )
    return {found.id: found for found in rows}


def begin_traces(tx: Transaction, begun: Iterable[Trace]) -> None:
    """Insert traces that spans begin; who came first to the same one may be another process."""
    rows = sorted((t.id, t.experiment_id, t.status, t.started_at, t.finalized) for t in begun)
    driver.run(tx, _BEGIN_TRACE, rows)


def put_trace(tx: Transaction, trace: Trace) -> None:
    """Insert a trace as its program says it, or complete the one that spans have begun."""
    row = (
        trace.id, trace.experiment_id, trace.name, trace.status, trace.started_at,
        trace.duration_us, trace.client_request_id, trace.request_preview, trace.response_preview,
        trace.finalized,
    )  # fmt: skip
    driver.run(tx, _PUT_TRACE, [row])
    put_tags(tx, [(trace.id, key, value) for key, value in trace.tags.items()])
    rows = [(trace.id, key, value) for key, value in sorted(trace.metadata.items())]
    if rows:
        driver.run(tx, _PUT_METADATA, rows)


def change_traces(tx: Transaction, traces: Iterable[Known]) -> None:
    """Write what became of traces when more of their spans came."""
    rows = [
        (t.name, t.status, t.started_at, t.duration_us, t.request_preview, t.response_preview, t.id)
        for t in sorted(traces, key=lambda found: found.id)
    ]
    if rows:
        driver.run(tx, _CHANGE_TRACE, rows)


def put_tags(tx: Transaction, rows: Sequence[tuple[str, str, str]]) -> None:
    """Insert tags (trace, key, value) or move those that are there."""
    if rows:
        driver.run(tx, _PUT_TAG, sorted(rows))


def add_missing_metadata(tx: Transaction, rows: Sequence[tuple[str, str, str]]) -> None:
    """Insert metadata (trace, key, value); what is there stays."""
    if rows:
        driver.run(tx, _ADD_METADATA, sorted(rows))


def drop_tag(tx: Transaction, trace_id: str, key: str) -> bool:
    """Delete a tag of a trace; say whether it was there."""
    gone = "DELETE FROM trace_tags WHERE trace_id = ? AND key = ?"
    return driver.run(tx, gone, (trace_id, key)).rowcount > 0


def put_spans(tx: Transaction, spans: Iterable[Span]) -> None:
    """Insert spans; one that is there already is replaced."""
    rows = sorted(
        (
            (s.trace_id, s.id, s.parent_id, s.name, s.type, s.status, s.start_ns, s.end_ns, content)
            for s in spans
            for content in (_content_of(s),)
        ),
        key=lambda row: row[:2],
    )
    if rows:
        driver.run(tx, _PUT_SPAN, rows)


def add_links(
    tx: Transaction, *, kind: str, trace_ids: Iterable[str], targets: Iterable[str]
) -> int:
    """Link traces to runs or prompts; say how many links are new."""
    ids = sorted(set(trace_ids))
    rows = [(trace_id, kind, target) for trace_id in ids for target in sorted(set(targets))]
    return driver.run(tx, _ADD_LINK, rows).rowcount if rows else 0


def _content_of(span: Span) -> str:
    content: Mapping[str, object] = {
        "attributes": span.attributes,
        "events": span.events,
        "links": span.links,
        "message": span.message,
    }
    return msgspec.json.encode({k: v for k, v in content.items() if v}).decode()
