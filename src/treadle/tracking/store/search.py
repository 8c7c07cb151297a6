"""SQL of searching runs: the ids of a page.

How many runs match is not known before, and each way of finding them is slow for some number. So
the ways are tried from the cheapest on, and each says when it is not the right one:

1. Indexes are asked how many runs satisfy a condition. When it is hardly any, these are fetched
   and sorted.
2. A stretch of the runs is walked in the order of the page, and what they logged is looked up one
   after the other. What is common fills the page here.
3. When few satisfy a condition, or have a value that fits a pattern, these are fetched and sorted.
4. Else all runs are walked, until the page is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import func, not_, or_, select

from treadle.kernel.filters import Node, conditions_of
from treadle.tracking.store.run_claims import Claims, Scope, in_scope, ties
from treadle.tracking.store.run_probes import Probes, Sought
from treadle.tracking.store.tables import run_metrics, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Select

    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

__all__ = ["Scope", "count", "find_ids"]

# So few are fetched and sorted sooner than a stretch is walked.
EASY = 300
STRETCH = 3_000
MOST_JOINED = 4


def find_ids(
    tx: Transaction,
    *,
    scope: Scope,
    where: Node,
    orders: Sequence[Order],
    limit: int,
    offset: int,
) -> list[str]:
    """Return the ids of the runs that match, in order, a page of them."""
    _let_work_together(tx, workers=0)
    search = _Search(tx, scope=scope, where=where, orders=orders)
    few, stretch = search.few(), None
    if (few is None or few.runs > EASY) and limit + offset <= STRETCH:
        stretch = search.stretch()
        if stretch is not None:
            found = search.ids(search.walk(stretch), limit=limit, offset=offset)
            if len(found) == limit or (stretch.is_all and not search.by_metric):
                return found
            few = few or search.few_by_pattern()
    if search.by_metric and few is None and not (stretch and stretch.is_all):
        # Runs with the metric come first, and an index has them in order: when they fill the page,
        # the others need not be looked at.
        found = search.ids(search.walk(), limit=limit, offset=offset)
        if len(found) == limit:
            return found
    return search.ids(search.sorted(few), limit=limit, offset=offset)


def count(tx: Transaction, *, scope: Scope, where: Node) -> int:
    """Return how many runs match."""
    _let_work_together(tx, workers=2)
    search = _Search(tx, scope=scope, where=where, orders=())
    query = select(func.count()).select_from(runs)
    query = query.where(*search.claims(search.few() or search.few_by_pattern()))
    return int(tx.execute(query).scalar_one())


def _let_work_together(tx: Transaction, *, workers: int) -> None:
    """Tell PostgreSQL whether more processes may help: a page is found before they have started.

    Nor may it compile the statement, which takes longer than to run it.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.connection.exec_driver_sql(
            f"SET LOCAL max_parallel_workers_per_gather = {workers:d}; SET LOCAL jit = off"
        )


class _Stretch(msgspec.Struct, frozen=True):
    """The first runs in the order of a page: those before an edge, or all when there is none."""

    edge: float | None

    @property
    def is_all(self) -> bool:
        return self.edge is None


class _Search:
    """One search: what is claimed of the runs, and the ways to find them."""

    def __init__(
        self, tx: Transaction, *, scope: Scope, where: Node, orders: Sequence[Order]
    ) -> None:
        self._tx = tx
        self._scope = scope
        self._where = where
        self._orders = orders
        # Each EXISTS is a join to PostgreSQL, and planning many joins can cost it all memory; a
        # count is only ever looked up, run by run.
        keyed = sum(bool(condition.key) for condition in conditions_of(where))
        self._claims = Claims(tx.connection.dialect.name, counts=keyed > MOST_JOINED)
        self._probes = Probes(tx, self._claims)
        self.by_metric = bool(orders) and orders[0].field == "metric"
        self.by_metric &= all(order.field == "started_at" for order in orders[1:])

    def few(self) -> Sought | None:
        return self._probes.few(self._where)

    def few_by_pattern(self) -> Sought | None:
        return self._probes.few_by_pattern(self._where)

    def claims(self, few: Sought | None) -> list[Any]:
        """Return what is claimed of each run, with the few that are looked at."""
        claims = in_scope(self._tx, self._scope, by_id=few is not None)
        if few is None:
            return [*claims, self._claims.of(self._where)]
        rest = self._claims.of(few.rest(self._where))
        return [*claims, runs.c.id.in_(few.query), rest]

    def ids(self, query: Select[Any], *, limit: int, offset: int) -> list[str]:
        return list(self._tx.execute(query.limit(limit).offset(offset)).scalars())

    def sorted(self, few: Sought | None) -> Select[Any]:
        """Return the runs, or the few, in order; by time alone, an index has that order."""
        query = select(runs.c.id).where(*self.claims(few))
        query, keys = self._claims.keys(self._orders, query)
        last = ties(self._orders, started_at=runs.c.started_at, run_id=runs.c.id)
        return query.order_by(*keys, *last)

    def stretch(self) -> _Stretch | None:
        """Return how far a walk goes that may fill the page; None without a filter or an index."""
        if not any(conditions_of(self._where)):
            return None
        first = self._orders[0]
        if self.by_metric:
            column = run_metrics.c.value
            query = select(column).where(run_metrics.c.key == first.key)
        elif first.field == "started_at" and len(self._scope.stages) == 1:
            column = runs.c.started_at
            query = select(column).where(*in_scope(self._tx, self._scope, by_id=False))
        else:
            return None
        ordered = query.order_by(column.desc() if first.descending else column.asc())
        return _Stretch(self._tx.execute(ordered.limit(1).offset(STRETCH)).scalar())

    def walk(self, stretch: _Stretch | None = None) -> Select[Any]:
        """Return the runs in the order of the page by the index that has it, all or a stretch."""
        if not self.by_metric:
            return self.sorted(None).where(*self._within(stretch, runs.c.started_at))
        m, first = run_metrics.alias().c, self._orders[0]
        claims = [
            m.key == first.key,
            self._is_number(m),
            # What was logged is asked of the metric's run, before that run itself is looked up.
            self._claims.of(self._where, run_id=m.run_id),
            runs.c.id == m.run_id,
            *in_scope(self._tx, self._scope, by_id=True),
            *self._within(stretch, m.value),
        ]
        started = runs.c.started_at
        times = [order for order in self._orders[1:] if order.field == "started_at"]
        keys = [m.value.desc() if first.descending else m.value.asc()]
        keys += [started.desc() if order.descending else started.asc() for order in times]
        last = ties(self._orders, started_at=started, run_id=m.run_id)
        return select(m.run_id).where(*claims).order_by(*keys, *last)

    def _is_number(self, m: Any) -> Any:
        if self._tx.connection.dialect.name == "postgresql":
            return not_(m.is_nan)
        # NaN is stored as zero. SQLite reads the row beside the index only when it is one.
        zeros = run_metrics.alias().c
        real = select(1).where(zeros.run_id == m.run_id, zeros.key == m.key, not_(zeros.is_nan))
        return or_(m.value != 0, real.exists())

    def _within(self, stretch: _Stretch | None, column: Any) -> list[Any]:
        if stretch is None or stretch.is_all:
            return []
        # Not at the edge itself: runs that are level there may lie behind it.
        edge = stretch.edge
        return [column > edge if self._orders[0].descending else column < edge]
