"""SQL of searching runs: first the ids of a page, by an index where one helps, then the runs.

A cheap look at the indexes says first whether only few runs can match. Then these are fetched and
sorted. Else the runs are walked in the order of the page, what they logged is looked up for one
after the other (`EXISTS (…)`), and the walk ends as soon as the page is full.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Text, and_, cast, func, literal, literal_column, not_, select, union_all
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from treadle.kernel.filters import And, Condition, Node, Not, Or, conditions_of
from treadle.storage.matching import (
    column_holds,
    matching,
    metric_holds,
    turned,
    value_holds,
)
from treadle.tracking.store.tables import (
    HEAD_LENGTH,
    experiments,
    logged_datasets,
    run_datasets,
    run_metrics,
    run_params,
    run_tags,
    runs,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

# Up to so many runs, fetching them by an index and sorting is faster than any walk.
FEW = 5_000
MOST_PROBES = 10
MOST_JOINED = 4
HEADED = ("=", "IN")
INDEXED: dict[str, tuple[str, ...]] = {
    "metric": ("=", "<", "<=", ">", ">="),
    "param": HEADED,
    "tag": HEADED,
    "id": HEADED,
    "parent_id": HEADED,
}
KEYED: dict[str, Any] = {"metric": run_metrics, "param": run_params, "tag": run_tags}
CONTEXT_TAG = "mlflow.data.context"
OWN_ARTIFACTS = "mlflow-artifacts:/"
RUN_NAME_TAG = "mlflow.runName"
SECOND_US = 1_000_000


class _Sought(msgspec.Struct, frozen=True):
    """A query of run ids, and how many it has."""

    runs: int
    query: Any


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are looked at before any filter; None means all."""

    experiment: str | None = None
    experiment_ids: tuple[str, ...] | None = None
    status: str | None = None
    parent_id: str | None = None
    stages: tuple[str, ...] = ("active",)


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
    first, rest = orders[0], orders[1:]
    by_metric = first.field == "metric" and all(order.field == "started_at" for order in rest)
    search = _Search(tx, scope=scope, where=where, looks=by_metric)
    _let_work_together(tx, workers=0)
    if by_metric and not search.few:
        # Runs with the metric come first, and an index has them in order: when they fill the page,
        # the others need not be looked at.
        found = search.ids(search.measured(orders).limit(limit).offset(offset))
        if len(found) == limit:
            return found
    return search.ids(search.ordered(orders).limit(limit).offset(offset))


def count(tx: Transaction, *, scope: Scope, where: Node) -> int:
    """Return how many runs match."""
    search = _Search(tx, scope=scope, where=where, looks=False)
    _let_work_together(tx, workers=2)
    query = select(func.count()).select_from(runs).where(*search.claims)
    return int(tx.execute(query).scalar_one())


def _let_work_together(tx: Transaction, *, workers: int) -> None:
    """Tell PostgreSQL whether more processes may help: a page is found before they have started.

    Nor may it compile the statement, which takes longer than to run it.
    """
    if tx.connection.dialect.name == "postgresql":
        tx.connection.exec_driver_sql(
            f"SET LOCAL max_parallel_workers_per_gather = {workers:d}; SET LOCAL jit = off"
        )


class _Search:
    """One search: what is claimed of the runs, and whether an index says that few satisfy it."""

    def __init__(self, tx: Transaction, *, scope: Scope, where: Node, looks: bool) -> None:
        self._tx = tx
        self._dialect = tx.connection.dialect.name
        self._probes = 0
        self._alone = _keyed(where) > MOST_JOINED
        # PostgreSQL knows how often values occur, but not that all sides of an “or” are few.
        looks = looks or self._dialect == "sqlite" or self._alone or _has_choice(where)
        sought = self._seek(where) if looks else None
        self.few = sought is not None
        by_value = sought is not None and self._dialect == "sqlite"
        self.claims = [*_in_scope(tx, scope, by_value=by_value), matching(where, self._holds)]
        if sought is not None:
            self.claims.append(runs.c.id.in_(sought.query))

    def ids(self, query: Select[Any]) -> list[str]:
        return list(self._tx.execute(query).scalars())

    def ordered(self, orders: Sequence[Order]) -> Select[Any]:
        query, keys = select(runs.c.id).where(*self.claims), []
        for order in orders:
            if order.key:
                table = KEYED[order.field].alias()
                same = and_(table.c.run_id == runs.c.id, table.c.key == order.key)
                query = query.outerjoin(table, same)
                is_nan = table.c.is_nan if order.field == "metric" else None
                keys += turned(table.c.value, order, dialect=self._dialect, is_nan=is_nan)
            else:
                column = self._attribute(order.field)
                keys += turned(column, order, dialect=self._dialect)
        return query.order_by(*keys, *_ties(orders, runs.c.started_at, runs.c.id))

    def measured(self, orders: Sequence[Order]) -> Select[Any]:
        """Return the runs whose metric is a number, by the metric's index."""
        c, first = run_metrics.alias().c, orders[0]
        run = and_(runs.c.id == c.run_id, *self.claims)
        started = select(runs.c.started_at).where(runs.c.id == c.run_id).scalar_subquery()
        query = select(c.run_id).where(
            c.key == first.key, not_(c.is_nan), select(1).where(run).exists()
        )
        keys = [order for order in orders if order.field == "started_at"]
        then = [started.desc() if order.descending else started.asc() for order in keys]
        value = c.value.desc() if first.descending else c.value.asc()
        return query.order_by(value, *then, *_ties(orders, started, c.run_id))

    def _seek(self, where: Node) -> _Sought | None:
        """Return the few runs among which all that match are, if indexes have them together."""
        if isinstance(where, Condition):
            return self._counted(_by_index(where, dialect=self._dialect))
        if isinstance(where, Not) or not where.parts:
            return None
        found = [self._seek(part) for part in where.parts]
        few = [sought for sought in found if sought is not None]
        if isinstance(where, And):
            return min(few, key=lambda sought: sought.runs, default=None)
        together = sum(sought.runs for sought in few)
        if len(few) < len(found) or together > FEW:
            return None
        return _Sought(runs=together, query=union_all(*(sought.query for sought in few)))

    def _counted(self, query: Select[Any] | None) -> _Sought | None:
        if query is None or self._probes == MOST_PROBES:
            return None
        self._probes += 1
        some = select(func.count()).select_from(query.limit(FEW + 1).subquery())
        number = int(self._tx.execute(some).scalar_one())
        return _Sought(runs=number, query=query) if number <= FEW else None

    def _holds(self, condition: Condition) -> ColumnElement[bool]:
        if not condition.key or _is_run_name(condition):
            return self._attribute_holds(condition)
        c = KEYED[condition.field].alias().c
        logged = [c.run_id == runs.c.id, *_logged(c, condition, dialect=self._dialect)]
        # Each EXISTS is a join to PostgreSQL, and planning many joins can cost it all memory; a
        # count is only ever looked up, run by run.
        found: ColumnElement[bool] = (
            select(func.count()).where(*logged).scalar_subquery() > 0
            if self._alone
            else select(1).where(*logged).exists()
        )
        return not_(found) if condition.operator == "IS NULL" else found

    def _attribute_holds(self, condition: Condition) -> ColumnElement[bool]:
        if condition.field == "experiment":
            named = column_holds(experiments.c.name, condition, dialect=self._dialect)
            return runs.c.experiment_id.in_(select(experiments.c.id).where(named))
        if condition.field.startswith("dataset_"):
            return _used_dataset(condition, dialect=self._dialect)
        if condition.field == "duration":
            span = float(condition.value or 0) * SECOND_US  # type: ignore[arg-type] # a number, as checked
            condition = msgspec.structs.replace(condition, value=span)
        name = "name" if condition.key else condition.field
        return column_holds(self._attribute(name), condition, dialect=self._dialect)

    def _attribute(self, field: str) -> Any:
        if field == "experiment":
            named = select(experiments.c.name).where(experiments.c.id == runs.c.experiment_id)
            return named.scalar_subquery()
        if field == "duration":
            return runs.c.ended_at - runs.c.started_at
        if field == "artifact_uri":
            return _artifact_uri()
        return runs.c[field]


def _keyed(where: Node) -> int:
    return sum(bool(condition.key) for condition in conditions_of(where))


def _has_choice(where: Node) -> bool:
    return isinstance(where, Or) or (
        isinstance(where, And) and any(_has_choice(part) for part in where.parts)
    )


def _in_scope(tx: Transaction, scope: Scope, *, by_value: bool) -> list[ColumnElement[bool]]:
    claims: list[ColumnElement[bool]] = []
    stage, experiment = runs.c.lifecycle_stage, runs.c.experiment_id
    if by_value:
        stage, experiment = _unindexed(stage), _unindexed(experiment)
    if len(scope.stages) == 1:
        claims.append(stage == scope.stages[0])
    if scope.experiment is not None:
        named = select(experiments.c.id).where(experiments.c.name == scope.experiment)
        claims.append(experiment == (tx.execute(named).scalar() or ""))
    if scope.experiment_ids is not None:
        ids = scope.experiment_ids
        claims.append(experiment == ids[0] if len(ids) == 1 else experiment.in_(ids))
    if scope.status is not None:
        claims.append(runs.c.status == scope.status)
    if scope.parent_id is not None:
        claims.append(runs.c.parent_id == scope.parent_id)
    return claims


def _by_index(condition: Condition, *, dialect: str) -> Select[Any] | None:
    """Return the ids of the runs that satisfy a condition, if an index has them together."""
    if condition.operator not in INDEXED.get(condition.field, ()) or _is_run_name(condition):
        return None
    if not condition.key:
        column = runs.c[condition.field]
        return select(runs.c.id).where(column_holds(column, condition, dialect=dialect))
    c = KEYED[condition.field].alias().c
    claims = _logged(c, condition, dialect=dialect)
    if condition.field != "metric":
        claims = [c.key == condition.key, _by_head(c.value, condition, dialect=dialect)]
    return select(c.run_id).where(*claims)


def _by_head(column: Any, condition: Condition, *, dialect: str) -> ColumnElement[bool]:
    """Compare a text so that the index of the beginnings of texts finds it."""
    head = func.substr(column, literal_column("1"), literal_column(str(HEAD_LENGTH)))
    values = _values(condition)
    heads = [value[:HEAD_LENGTH] for value in values]
    found: ColumnElement[bool] = head == heads[0] if len(heads) == 1 else head.in_(heads)
    if all(len(value) < HEAD_LENGTH for value in values):
        return found
    # SQLite would put a value in the place of the column if it saw both, and then not know the
    # index any more.
    whole = _unindexed(column) if dialect == "sqlite" else column
    return and_(found, whole.in_(values))


def _values(condition: Condition) -> tuple[str, ...]:
    value = condition.value
    return value if isinstance(value, tuple) else (str(value),)


def _unindexed(column: Any) -> Any:
    # SQLite, which does not know that few runs are sought, would rather walk all by this column.
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def _logged(c: Any, condition: Condition, *, dialect: str) -> list[ColumnElement[bool]]:
    """Return what is claimed of the row that a run logged under the condition's key."""
    keyed = [c.key == condition.key]
    if condition.value is None:
        return keyed
    if condition.field == "metric":
        return [*keyed, metric_holds(c.value, c.is_nan, condition)]
    if condition.operator == "=" and dialect == "postgresql":
        return [*keyed, _by_head(c.value, condition, dialect=dialect)]
    return [*keyed, value_holds(c.value, condition, dialect=dialect)]


def _is_run_name(condition: Condition) -> bool:
    return condition.field == "tag" and condition.key == RUN_NAME_TAG


def _used_dataset(condition: Condition, *, dialect: str) -> ColumnElement[bool]:
    used, data = run_datasets, logged_datasets
    value: Any
    if condition.field != "dataset_context":
        value = data.c[condition.field.removeprefix("dataset_")]
    elif dialect == "postgresql":
        value = cast(cast(used.c.tags, Text), JSONB)[CONTEXT_TAG].astext
    else:
        value = func.json_extract(used.c.tags, f'$."{CONTEXT_TAG}"')
    same = and_(used.c.run_id == runs.c.id, data.c.id == used.c.dataset_id)
    return select(1).where(same, column_holds(value, condition, dialect=dialect)).exists()


def _artifact_uri() -> Any:
    """Return where the files of a run are, as MLflow's clients are told."""
    own = literal(OWN_ARTIFACTS).concat(runs.c.experiment_id)
    chosen = select(experiments.c.artifact_location).where(experiments.c.id == runs.c.experiment_id)
    root = func.coalesce(func.nullif(chosen.scalar_subquery(), ""), own)
    return root.concat("/").concat(runs.c.id).concat("/artifacts")


def _ties(orders: Sequence[Order], started_at: Any, run_id: Any) -> list[Any]:
    """Return the last keys: newest first, and of one instant the later id, unless turned round."""
    by_start = next((order for order in orders if order.field == "started_at"), None)
    turned = by_start is not None and not by_start.descending
    last = run_id.asc() if turned else run_id.desc()
    return [last] if by_start is not None else [started_at.desc(), last]
