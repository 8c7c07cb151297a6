"""Chunks.

Revision: 0013
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "packs",
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("chunks", sa.Integer(), nullable=False),
        sa.Column("created_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_packs")),
        sa.UniqueConstraint("digest", name=op.f("uq_packs_digest")),
    )
    op.create_table(
        "chunks",
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("pack", sa.Integer(), nullable=False),
        sa.Column("offset", sa.Integer(), nullable=False),
        sa.Column("length", sa.Integer(), nullable=False),
        sa.Column("raw_length", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["pack"], ["packs.number"], name=op.f("fk_chunks_pack")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_chunks")),
    )
    op.create_index("ix_chunks_pack", "chunks", ["pack"], unique=False)
    op.add_column(
        "dataset_versions", sa.Column("tree", sa.Text(), server_default="", nullable=False)
    )
    op.add_column(
        "dataset_versions",
        sa.Column("file_count", sa.Integer(), server_default="1", nullable=False),
    )
    op.add_column("dataset_versions", sa.Column("stored_bytes", sa.BigInteger(), nullable=True))
