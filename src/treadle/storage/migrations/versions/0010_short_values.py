"""Short values of params and tags are indexed whole, so that an index alone can answer a search.

Revision: 0010
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0008"
branch_labels = None
depends_on = None

SHORT, LONG = sa.text("(length(value) > 200) IS NOT TRUE"), sa.text("length(value) > 200")


def upgrade() -> None:
    for table in ("run_params", "run_tags"):
        op.drop_index(f"ix_{table}_key_value", table)
        op.create_index(
            f"ix_{table}_key_value",
            table,
            ["key", "value", "run_id"],
            sqlite_where=SHORT,
            postgresql_where=SHORT,
        )
        op.create_index(
            f"ix_{table}_key_long",
            table,
            ["key", "run_id"],
            sqlite_where=LONG,
            postgresql_where=LONG,
        )
