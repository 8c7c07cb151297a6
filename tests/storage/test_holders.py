"""No object is lost because a noun forgot to say that it needs it."""

from __future__ import annotations

import re

import pytest
from sqlalchemy import LargeBinary, Text

from treadle.storage.fresh import declare_all
from treadle.storage.holders import holders
from treadle.storage.schema import OBJECTS, Json, metadata

declare_all()

# Names that columns of digests bear, or would.
SMELLS = re.compile(r"digest|object|files|^table$|tree|profile$|outputs|result$|reference$|blob")
HOLD_NONE = {
    # Words and numbers, no bytes of their own.
    "evaluation_records.outputs": "JSON of the record itself",
    "logged_datasets.profile": "JSON of the profile itself",
    "studies.objective": "a metric's name",
    "chunks.digest": "a chunk's, bytewise",
}


def smelling() -> list[str]:
    return [
        f"{table.name}.{column.name}"
        for table in metadata.sorted_tables
        for column in table.c
        if isinstance(column.type, (Text, Json, LargeBinary)) and SMELLS.search(column.name)
    ]


@pytest.mark.parametrize("name", smelling())
def test_a_column_that_may_hold_digests_says_whether_it_needs_objects(name: str) -> None:
    table, _, column = name.partition(".")

    info = metadata.tables[table].c[column].info

    assert name in HOLD_NONE or OBJECTS in info or "mentions" in info, (
        f"Declare {name}: info=needs_objects('what its row is called'), or MENTIONS if the "
        "digests in it keep no object."
    )


def test_what_a_row_is_called_is_made_of_its_own_columns() -> None:
    for holder in holders():
        row = {column.name: "x" for column in holder.column.table.c}
        assert holder.owner.format(**row)
