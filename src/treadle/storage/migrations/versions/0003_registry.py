"""Registry: descriptions, tags, stages and sources of models and their versions.

Revision: 0003
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_tags",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "key", name=op.f("pk_model_tags")),
    )
    op.create_table(
        "model_version_tags",
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("model", "number", "key", name=op.f("pk_model_version_tags")),
    )
    op.add_column("models", sa.Column("description", sa.Text(), server_default="", nullable=False))
    # What is there was signed with its description: it keeps the first form of the manifest.
    for column in (
        sa.Column("sealing", sa.Integer(), server_default="1", nullable=False),
        sa.Column("source", sa.Text(), server_default="", nullable=False),
        sa.Column("run_link", sa.Text(), server_default="", nullable=False),
        sa.Column("logged_model_id", sa.Text(), nullable=True),
        sa.Column("status", sa.Text(), server_default="ready", nullable=False),
        sa.Column("status_message", sa.Text(), server_default="", nullable=False),
        sa.Column("stage", sa.Text(), server_default="none", nullable=False),
        sa.Column("updated_at", sa.BigInteger(), server_default="0", nullable=False),
    ):
        op.add_column("model_versions", column)
    op.execute("UPDATE model_versions SET updated_at = created_at")
    op.create_index(
        op.f("ix_model_versions_logged_model_id"),
        "model_versions",
        ["logged_model_id"],
        unique=False,
    )
    op.create_index(
        "ix_model_versions_updated",
        "model_versions",
        ["updated_at", "model", "number"],
        unique=False,
    )
