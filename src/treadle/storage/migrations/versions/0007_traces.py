"""Traces.

Revision: 0007
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

HEAD = sa.text("substr(value, 1, 200)")


def upgrade() -> None:
    op.create_table(
        "assessments",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("number", sa.Double(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("source_kind", sa.Text(), nullable=False),
        sa.Column("source_id", sa.Text(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("span_id", sa.Text(), nullable=False),
        sa.Column("rationale", sa.Text(), nullable=True),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("overrides", sa.Text(), nullable=False),
        sa.Column("valid", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_assessments")),
    )
    op.create_index(
        "ix_assessments_name", "assessments", ["kind", "name", "trace_id"], unique=False
    )
    op.create_index("ix_assessments_trace", "assessments", ["trace_id", "created_at"], unique=False)
    op.create_table(
        "spans",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("parent_id", sa.Text(), nullable=True),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("start_ns", sa.BigInteger(), nullable=False),
        sa.Column("end_ns", sa.BigInteger(), nullable=True),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "id", name=op.f("pk_spans")),
    )
    op.create_index("ix_spans_name", "spans", ["name", "trace_id"], unique=False)
    op.create_index("ix_spans_type", "spans", ["type", "trace_id"], unique=False)
    op.create_table(
        "trace_links",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "kind", "target", name=op.f("pk_trace_links")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_trace_links_target", "trace_links", ["kind", "target", "trace_id"], unique=False
    )
    op.create_table(
        "trace_metadata",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "key", name=op.f("pk_trace_metadata")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trace_metadata_key_value", "trace_metadata", ["key", HEAD, "trace_id"])
    op.create_table(
        "trace_tags",
        sa.Column("trace_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("trace_id", "key", name=op.f("pk_trace_tags")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_trace_tags_key_value", "trace_tags", ["key", HEAD, "trace_id"])
    op.create_table(
        "traces",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("started_at", sa.BigInteger(), nullable=False),
        sa.Column("duration_us", sa.BigInteger(), nullable=True),
        sa.Column("client_request_id", sa.Text(), nullable=True),
        sa.Column("request_preview", sa.Text(), nullable=True),
        sa.Column("response_preview", sa.Text(), nullable=True),
        sa.Column("finalized", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_traces")),
    )
    op.create_index(
        "ix_traces_experiment_started",
        "traces",
        ["experiment_id", "started_at", "id"],
        unique=False,
    )
    op.create_index(
        "ix_traces_experiment_status",
        "traces",
        ["experiment_id", "status", "started_at"],
        unique=False,
    )
    op.create_index("ix_traces_started", "traces", ["started_at", "id"], unique=False)
