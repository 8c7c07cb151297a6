"""What names a database, and whether a remote may hold plain what is encrypted here.

Revision: 0022
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from treadle.kernel.ids import new_id

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    made = op.create_table(
        "database_identity",
        sa.Column("id", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_database_identity")),
    )
    op.bulk_insert(made, [{"id": new_id()}])
    op.add_column(
        "remotes",
        sa.Column("is_plain", sa.Boolean(), server_default=sa.false(), nullable=False),
    )
