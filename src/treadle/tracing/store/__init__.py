"""SQL of traces, spans, assessments and links: plain functions that take a transaction."""

from __future__ import annotations

from treadle.tracing.store import search
from treadle.tracing.store.assessment import (
    change_assessment,
    drop_assessment,
    find_assessment,
    put_assessments,
    set_valid,
)
from treadle.tracing.store.removal import ids_to_delete, remove, traces_of_experiments, unlink_runs
from treadle.tracing.store.rows import runs_linked, spans_of, traces_of
from treadle.tracing.store.writing import (
    Known,
    add_links,
    add_missing_metadata,
    begin_traces,
    change_traces,
    drop_tag,
    known_traces,
    put_spans,
    put_tags,
    put_trace,
)

__all__ = [
    "Known",
    "add_links",
    "add_missing_metadata",
    "begin_traces",
    "change_assessment",
    "change_traces",
    "drop_assessment",
    "drop_tag",
    "find_assessment",
    "ids_to_delete",
    "known_traces",
    "put_assessments",
    "put_spans",
    "put_tags",
    "put_trace",
    "remove",
    "runs_linked",
    "search",
    "set_valid",
    "spans_of",
    "traces_of",
    "traces_of_experiments",
    "unlink_runs",
]
