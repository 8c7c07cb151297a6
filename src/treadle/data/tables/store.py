"""The SQL of tables. Functions take a transaction first."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import select

from treadle.data.entities import DatasetVersion
from treadle.data.store import dataset_versions

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction


def version_with_table(tx: Transaction, table: str) -> DatasetVersion | None:
    """Return a version whose rows a digest names; of several the oldest, their rows are equal."""
    query = (
        select(dataset_versions)
        .where(dataset_versions.c.table == table)
        .order_by(dataset_versions.c.id)
        .limit(1)
    )
    row = tx.execute(query).first()
    if row is None:
        return None
    fields = {name: getattr(row, name) for name in DatasetVersion.__struct_fields__}
    return msgspec.convert(fields, DatasetVersion)
