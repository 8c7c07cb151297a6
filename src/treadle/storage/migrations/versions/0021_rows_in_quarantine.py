"""Rows in quarantine, and what endpoints do with requests that break a contract.

Revision: 0021
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for column in (
        sa.Column("kind", sa.Text(), server_default="version", nullable=False),
        sa.Column("table", sa.Text(), server_default="", nullable=False),
        sa.Column("checks", sa.Text(), server_default="{}", nullable=False),
        sa.Column("clean_number", sa.Integer(), nullable=True),
        sa.Column("released_number", sa.Integer(), nullable=True),
        sa.Column("part_of", sa.Text(), server_default="", nullable=False),
    ):
        op.add_column("quarantines", column)
    op.add_column(
        "endpoints", sa.Column("contract", sa.Text(), server_default="warn", nullable=False)
    )
