"""Which columns hold the digests of objects: what they name is needed, the rest can go.

A noun's store says so where it declares the column (`needs_objects`). Every table is known here,
also of nouns above, since `fresh` imports whatever declares one.
"""

from __future__ import annotations

import re
from string import Formatter
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import Text, select, type_coerce

from treadle.storage.fresh import declare_all
from treadle.storage.schema import OBJECTS, PERHAPS, metadata

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Column

    from treadle.storage.transaction import Transaction

# In JSON the digests are where they are; a text that only looks like one keeps an object too long.
_DIGEST = re.compile(r"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")


class Holder(NamedTuple):
    """A column that holds digests, and what its rows are called: `run {run_id}`."""

    column: Column[Any]
    owner: str


def holders() -> list[Holder]:
    """Return every column that is declared to hold the digests of objects."""
    declare_all()
    return [
        Holder(column, column.info[OBJECTS])
        for table in metadata.sorted_tables
        for column in table.c
        if OBJECTS in column.info
    ]


def needed_objects(tx: Transaction, *, surely: bool = False) -> set[str]:
    """Return the digest of every object that a row names; `surely` without what may be none."""
    found: set[str] = set()
    for holder in holders():
        if surely and PERHAPS in holder.column.info:
            continue
        query = select(type_coerce(holder.column, Text)).where(holder.column.is_not(None))
        for value in tx.execute(query).scalars():
            found.update(_DIGEST.findall(value))
    return found


def owners_of(tx: Transaction, digests: Collection[str]) -> dict[str, list[str]]:
    """Return what needs each object, as it is called: `run 01a1fb8f…`, `model late@3`."""
    asked = set(digests)
    found: dict[str, list[str]] = {digest: [] for digest in asked}
    for holder in holders():
        names = [name for _, name, _, _ in Formatter().parse(holder.owner) if name]
        columns = [holder.column.table.c[name].label(f"c{n}") for n, name in enumerate(names)]
        query = select(type_coerce(holder.column, Text).label("held"), *columns)
        for row in tx.execute(query.where(holder.column.is_not(None))):
            for digest in asked.intersection(_DIGEST.findall(row.held)):
                found[digest].append(holder.owner.format(**dict(zip(names, row[1:], strict=True))))
    return {digest: sorted(set(names)) for digest, names in found.items()}
