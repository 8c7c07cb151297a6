"""Upload places.

Uploads that were under way are forgotten: their clients begin again, and `gc` finds their parts.

Revision: 0012
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.execute("DELETE FROM artifact_uploads")
    op.add_column("artifact_uploads", sa.Column("part_bytes", sa.BigInteger(), nullable=True))
    op.drop_table("artifact_parts")
    op.create_table(
        "artifact_parts",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("token", sa.Text(), nullable=True),
        sa.Column("start", sa.BigInteger(), nullable=True),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("upload_id", "number", name=op.f("pk_artifact_parts")),
    )
