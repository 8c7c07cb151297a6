"""SQL of looking at indexes before a search: whether only few runs can match, and which.

An index that holds all that is asked for is read alone, without a look at any run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import ARRAY, Text, func, literal, literal_column, select, union_all

from treadle.kernel.filters import And, Condition, Node, Not
from treadle.storage.matching import column_holds, value_holds
from treadle.tracking.store.run_claims import (
    EQUAL,
    KEYED,
    Claims,
    is_long,
    is_run_name,
    is_short,
    lengths,
)
from treadle.tracking.store.tables import runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select

    from treadle.storage.transaction import Transaction

# Up to so many runs, fetching them by their ids and sorting is faster than walking all.
FEW = 5_000
MOST_PROBES = 10
# A pattern reads all values of its key, which are many more.
MOST_SCANS = 2
PATTERNS = ("LIKE", "ILIKE")
INDEXED: dict[str, tuple[str, ...]] = {
    "metric": ("=", "<", "<=", ">", ">="),
    "param": EQUAL,
    "tag": EQUAL,
    "id": EQUAL,
    "parent_id": EQUAL,
}


class Sought(msgspec.Struct, frozen=True):
    """A query of the ids of few runs, how many they are, and the claim that just these satisfy."""

    runs: int
    query: Any
    node: Node

    def rest(self, where: Node) -> Node:
        """Return what is still to be claimed of them."""
        if where is self.node:
            return And(())
        if isinstance(where, And):
            return And(tuple(part for part in where.parts if part is not self.node))
        return where


class Probes:
    """Looks at the indexes for one search."""

    def __init__(self, tx: Transaction, claims: Claims) -> None:
        self._tx = tx
        self._dialect = tx.connection.dialect.name
        self._claims = claims
        self._probes = 0

    def few(self, where: Node) -> Sought | None:
        """Return the few runs among which all that match are, if indexes have them together."""
        if isinstance(where, Condition):
            return self._counted(where)
        if isinstance(where, Not) or not where.parts:
            return None
        found = [self.few(part) for part in where.parts]
        few = [sought for sought in found if sought is not None]
        if isinstance(where, And):
            return min(few, key=lambda sought: sought.runs, default=None)
        together = sum(sought.runs for sought in few)
        if len(few) < len(found) or together > FEW:
            return None
        is_exact = all(s.node is part for s, part in zip(few, where.parts, strict=True))
        query = union_all(*(sought.query for sought in few))
        return Sought(together, query, where if is_exact else And(()))

    def few_by_pattern(self, where: Node) -> Sought | None:
        """Return the runs whose value fits a pattern, if they are few, by reading all values."""
        parts = where.parts if isinstance(where, And) else (where,)
        patterns = [part for part in parts if isinstance(part, Condition) and _is_pattern(part)]
        for condition in patterns[:MOST_SCANS]:
            query = self._fitting(condition).limit(FEW + 1)
            ids = list(self._tx.execute(query).scalars())
            if len(ids) <= FEW:
                return Sought(len(ids), listed(ids, dialect=self._dialect), condition)
        return None

    def _counted(self, condition: Condition) -> Sought | None:
        query = self._by_index(condition)
        if query is None or self._probes == MOST_PROBES:
            return None
        self._probes += 1
        some = select(func.count()).select_from(query.limit(FEW + 1).subquery())
        number = int(self._tx.execute(some).scalar_one())
        return Sought(number, query, condition) if number <= FEW else None

    def _by_index(self, condition: Condition) -> Select[Any] | None:
        """Return the ids of the runs that satisfy a condition, if an index has them together."""
        if condition.operator not in INDEXED.get(condition.field, ()) or is_run_name(condition):
            return None
        if not condition.key:
            column = runs.c[condition.field]
            return select(runs.c.id).where(column_holds(column, condition, dialect=self._dialect))
        c = KEYED[condition.field].alias().c
        claims = self._claims.logged(c, condition)
        if condition.field != "metric":
            # Short and long values are in two indexes, and no index has both.
            kinds = lengths(condition)
            if len(kinds) > 1:
                return None
            claims += [is_long(c.value)] if kinds == {False} else []
        return select(c.run_id).where(*claims)

    def _fitting(self, condition: Condition) -> Any:
        """Return the ids of the runs whose value fits a pattern: the short ones, then the long."""
        c = KEYED[condition.field].c
        fits = (c.key == condition.key, value_holds(c.value, condition, dialect=self._dialect))
        return union_all(
            select(c.run_id).where(*fits, is_short(c.value)),
            select(c.run_id).where(*fits, is_long(c.value)),
        )


def _is_pattern(condition: Condition) -> bool:
    kept = condition.field in {"param", "tag"} and not is_run_name(condition)
    return kept and condition.operator in PATTERNS


def listed(ids: Sequence[str], *, dialect: str) -> Select[Any]:
    """Return a query of ids that are known, bound as one value however many there are."""
    if dialect == "postgresql":
        return select(func.unnest(literal(list(ids), ARRAY(Text))))
    text = msgspec.json.encode(ids).decode()
    return select(literal_column("value")).select_from(func.json_each(text))
