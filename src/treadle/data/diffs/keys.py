"""Which columns say that two rows are the same row: given, claimed by the contract, or found."""

from __future__ import annotations

from itertools import combinations, islice
from math import prod
from typing import TYPE_CHECKING

from treadle.data.column_types import kind_of
from treadle.data.diffs.entities import Key, name_of_key
from treadle.data.diffs.tables import compared
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from duckdb import DuckDBPyConnection

    from treadle.data.contracts import ContractBody
    from treadle.data.diffs.schemas import Columns, Pairing
    from treadle.data.diffs.tables import Table

SAMPLE = 20_000
MOST_COLUMNS = 8
MOST_TOGETHER = 3
MOST_TRIED = 3
"""So many keys that a sample speaks for are tried on all rows."""
_KEYS = frozenset({"integer", "text", "timestamp", "date"})
_ENDINGS = ("id", "key", "uuid")


def given_key(names: Sequence[str], columns: Columns) -> Key:
    """Return the key a caller named. Raises unless both tables have its columns."""
    known = [pairing.name for pairing in columns.both]
    if len(set(names)) < len(names) or not names:
        raise InvalidInput(f"{name_of_key(names)!r} is no key: name each column once.")
    for name in names:
        if name in columns.added or name in columns.removed:
            where = "after" if name in columns.added else "before"
            raise InvalidInput(
                f"Column {name!r} of the key is only in the table {where}.",
                hint=f"Both have: {', '.join(known)}.",
            )
        if name not in known:
            raise NotFound("column", name, known=known)
    return Key(columns=tuple(names), source="given")


def claimed_key(body: ContractBody | None, columns: Columns) -> Key | None:
    """Return the key a contract names: its ids, a set of unique columns, or a unique column."""
    if body is None:
        return None
    claims = [body.with_role("id"), *body.table.unique]
    claims += [(column.name,) for column in body.columns if column.unique]
    for claim in claims:
        if claim and all(columns.pairing(name) for name in claim):
            return Key(columns=claim, source="contract")
    return None


def find_key(
    connection: DuckDBPyConnection, before: Table, after: Table, columns: Columns
) -> Key | None:
    """Return columns that repeat in no row of either table, the fewest and likeliest first."""
    for claim in islice(_sampled(connection, before, after, columns), MOST_TRIED):
        if all(_is_unique(connection, t, side, claim) for t, side in _sides(before, after)):
            return Key(columns=tuple(p.name for p in claim), source="found")
    return None


def _sides(before: Table, after: Table) -> tuple[tuple[Table, str], tuple[Table, str]]:
    return (before, "before"), (after, "after")


def _sampled(
    connection: DuckDBPyConnection, before: Table, after: Table, columns: Columns
) -> Iterator[tuple[Pairing, ...]]:
    """Yield keys that repeat in no row of a sample of either table."""
    usable = [p for p in columns.both if kind_of(after.schema.field(p.after).type) in _KEYS]
    usable.sort(key=lambda p: not p.name.lower().endswith(_ENDINGS))
    usable = usable[:MOST_COLUMNS]
    if not usable:
        return
    for table, side in _sides(before, after):
        cells = ", ".join(f"{compared(p, side)} AS {_place(columns, p)}" for p in usable)
        connection.execute(
            f"CREATE OR REPLACE TEMP TABLE sample_{side} AS "
            f"SELECT {cells} FROM ({table.select([0])}) AS {side} LIMIT {SAMPLE}"
        )
    counts = {
        side: [_distinct(connection, side, [_place(columns, p)]) for p in usable]
        for _, side in _sides(before, after)
    }
    rows = {
        side: connection.sql(f"SELECT count(*) FROM sample_{side}").fetchall()[0][0]
        for side in counts
    }
    for together in range(1, MOST_TOGETHER + 1):
        for places in combinations(range(len(usable)), together):
            names = [_place(columns, usable[place]) for place in places]
            if all(
                prod(counts[side][place] for place in places) >= rows[side]
                and _distinct(connection, side, names) == rows[side]
                for side in counts
            ):
                yield tuple(usable[place] for place in places)


def _place(columns: Columns, pairing: Pairing) -> str:
    return f"s{columns.both.index(pairing)}"


def _distinct(connection: DuckDBPyConnection, side: str, names: Sequence[str]) -> int:
    sql = f"SELECT count(*) FROM (SELECT DISTINCT {', '.join(names)} FROM sample_{side})"
    return int(connection.sql(sql).fetchall()[0][0])


def _is_unique(
    connection: DuckDBPyConnection, table: Table, side: str, claim: Sequence[Pairing]
) -> bool:
    names = ", ".join(compared(pairing, side) for pairing in claim)
    sql = (
        f"SELECT 1 FROM ({table.select()}) AS {side} GROUP BY hash({names}) "
        "HAVING count(*) > 1 LIMIT 1"
    )
    return not connection.sql(sql).fetchall()
