"""Where versions come from, and how datasets grow.

Revision: 0019
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("dataset_versions", sa.Column("source", sa.Text(), nullable=True))
    op.create_table(
        "ingestions",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("removed_at", sa.BigInteger(), nullable=True),
        sa.ForeignKeyConstraint(["dataset"], ["datasets.name"], name=op.f("fk_ingestions_dataset")),
        sa.PrimaryKeyConstraint("dataset", "number", name=op.f("pk_ingestions")),
    )
    op.create_table(
        "ingestion_marks",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("watermark", sa.Text(), nullable=False),
        sa.Column("source_mark", sa.Text(), nullable=False),
        sa.Column("counts", sa.Text(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.name"], name=op.f("fk_ingestion_marks_dataset")
        ),
        sa.PrimaryKeyConstraint("dataset", name=op.f("pk_ingestion_marks")),
    )
