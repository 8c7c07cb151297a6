"""Between which values the columns of parts lie, by which an ingestion leaves most parts unread.

Revision: 0024
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("ingestion_marks", sa.Column("ranges", sa.Text(), nullable=True))
