"""Branches, tags and removed versions of datasets.

What was committed before lies on `main`, each version after the one before it.

Revision: 0016
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0013"
branch_labels = None
depends_on = None

NEWEST = "SELECT coalesce(max(number), 0) FROM dataset_versions v WHERE v.dataset = datasets.name"


def upgrade() -> None:
    op.create_table(
        "dataset_refs",
        sa.Column("dataset", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("made_at", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["dataset"], ["datasets.name"], name=op.f("fk_dataset_refs_dataset")
        ),
        sa.PrimaryKeyConstraint("dataset", "name", name=op.f("pk_dataset_refs")),
    )
    op.add_column(
        "datasets", sa.Column("last_number", sa.Integer(), server_default="0", nullable=False)
    )
    op.execute(f"UPDATE datasets SET last_number = ({NEWEST})")  # noqa: S608 - no value is in it
    op.add_column(
        "dataset_versions", sa.Column("branch", sa.Text(), server_default="main", nullable=False)
    )
    op.add_column(
        "dataset_versions", sa.Column("parents", sa.Text(), server_default="[]", nullable=False)
    )
    op.execute("UPDATE dataset_versions SET parents = '[' || (number - 1) || ']' WHERE number > 1")
    op.add_column("dataset_versions", sa.Column("removed_at", sa.BigInteger(), nullable=True))
    op.add_column(
        "dataset_versions", sa.Column("removed_by", sa.Text(), server_default="", nullable=False)
    )
    op.execute(
        "INSERT INTO dataset_refs (dataset, name, kind, number, made_at, moved_at, actor) "
        "SELECT v.dataset, 'main', 'branch', v.number, d.created_at, v.created_at, v.actor "
        "FROM dataset_versions v JOIN datasets d ON d.name = v.dataset "
        "WHERE v.number = d.last_number"
    )
