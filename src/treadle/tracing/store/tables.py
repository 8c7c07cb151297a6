"""The tables of traces, their spans, and what is said about them."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Double, Index, Table, Text, text

from treadle.storage.schema import Instant, metadata

# Long values do not fit into an index of PostgreSQL; their beginning does.
_HEAD = "substr(value, 1, 200)"

traces = Table(
    "traces",
    metadata,
    Column("id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text),
    Column("status", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("duration_us", BigInteger),
    Column("client_request_id", Text),
    Column("request_preview", Text),
    Column("response_preview", Text),
    Column("finalized", Boolean, nullable=False),
    Index("ix_traces_experiment_started", "experiment_id", "started_at", "id"),
    Index("ix_traces_started", "started_at", "id"),
    Index("ix_traces_experiment_status", "experiment_id", "status", "started_at"),
)

trace_tags = Table(
    "trace_tags",
    metadata,
    Column("trace_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index("ix_trace_tags_key_value", "key", text(_HEAD), "trace_id"),
    sqlite_with_rowid=False,
)

trace_metadata = Table(
    "trace_metadata",
    metadata,
    Column("trace_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    Index("ix_trace_metadata_key_value", "key", text(_HEAD), "trace_id"),
    sqlite_with_rowid=False,
)

# What no search asks for by itself (attributes, events, links) is one JSON text: `content`.
spans = Table(
    "spans",
    metadata,
    Column("trace_id", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("parent_id", Text),
    Column("name", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("start_ns", BigInteger, nullable=False),
    Column("end_ns", BigInteger),
    Column("content", Text, nullable=False),
    Index("ix_spans_name", "name", "trace_id"),
    Index("ix_spans_type", "type", "trace_id"),
)

# `number` is the value where it is one: what `feedback.score > 0.5` asks for.
assessments = Table(
    "assessments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("trace_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("number", Double),
    Column("error", Text),
    Column("source_kind", Text, nullable=False),
    Column("source_id", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("span_id", Text, nullable=False),
    Column("rationale", Text),
    Column("metadata", Text, nullable=False),
    Column("overrides", Text, nullable=False),
    Column("valid", Boolean, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Index("ix_assessments_trace", "trace_id", "created_at"),
    Index("ix_assessments_name", "kind", "name", "trace_id"),
)

# What a trace is linked to: `target` is a run's id, or a prompt's name and version.
trace_links = Table(
    "trace_links",
    metadata,
    Column("trace_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("target", Text, primary_key=True),
    Index("ix_trace_links_target", "kind", "target", "trace_id"),
    sqlite_with_rowid=False,
)
