"""Evaluation datasets.

Revision: 0008
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "evaluation_datasets",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("schema", sa.Text(), nullable=True),
        sa.Column("records", sa.Integer(), nullable=True),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_datasets")),
    )
    op.create_index(
        "ix_evaluation_datasets_created", "evaluation_datasets", ["created_at", "id"], unique=False
    )
    op.create_index(
        op.f("ix_evaluation_datasets_name"), "evaluation_datasets", ["name"], unique=False
    )
    op.create_table(
        "evaluation_experiments",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("experiment_id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "dataset_id", "experiment_id", name=op.f("pk_evaluation_experiments")
        ),
    )
    op.create_index(
        op.f("ix_evaluation_experiments_experiment_id"),
        "evaluation_experiments",
        ["experiment_id"],
        unique=False,
    )
    op.create_table(
        "evaluation_freezes",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("records", sa.Integer(), nullable=False),
        sa.Column("at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("version", "dataset_id", name=op.f("pk_evaluation_freezes")),
    )
    op.create_index(
        op.f("ix_evaluation_freezes_dataset_id"), "evaluation_freezes", ["dataset_id"], unique=False
    )
    op.create_table(
        "evaluation_records",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("input_hash", sa.Text(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("outputs", sa.Text(), nullable=True),
        sa.Column("expectations", sa.Text(), nullable=True),
        sa.Column("tags", sa.Text(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("source_type", sa.Text(), nullable=True),
        sa.Column("source_id", sa.Text(), nullable=True),
        sa.Column("size_bytes", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.Column("updated_at", sa.BigInteger(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=True),
        sa.Column("updated_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_records")),
        sa.UniqueConstraint(
            "dataset_id", "input_hash", name=op.f("uq_evaluation_records_dataset_id_input_hash")
        ),
    )
    op.create_index(
        "ix_evaluation_records_order",
        "evaluation_records",
        ["dataset_id", "created_at", "id"],
        unique=False,
    )
    op.create_index(
        op.f("ix_evaluation_records_source_id"), "evaluation_records", ["source_id"], unique=False
    )
    op.create_table(
        "evaluation_tags",
        sa.Column("dataset_id", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dataset_id", "key", name=op.f("pk_evaluation_tags")),
    )
