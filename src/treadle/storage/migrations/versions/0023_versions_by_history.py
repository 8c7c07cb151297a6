"""Several versions of a dataset may have the same content: an older state that came again.

What names a version is from now on its content and what it was made on; a version from before is
named by its content alone, as it was.

Revision: 0023
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column(
        "dataset_versions", sa.Column("identity", sa.Text(), server_default="", nullable=False)
    )
    op.add_column("dataset_versions", sa.Column("same_as", sa.Integer(), nullable=True))
    op.execute("UPDATE dataset_versions SET identity = digest")
    # SQLite takes no constraint away from a table: there it is written anew.
    with op.batch_alter_table("dataset_versions") as table:
        table.drop_constraint(op.f("uq_dataset_versions_dataset_digest"), type_="unique")
        table.create_unique_constraint(
            op.f("uq_dataset_versions_dataset_identity"), ["dataset", "identity"]
        )
    op.create_index(
        "ix_dataset_versions_dataset_digest",
        "dataset_versions",
        ["dataset", "digest"],
        unique=False,
    )
