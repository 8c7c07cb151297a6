"""SQL of what a filter claims of runs, and of the keys by which they are ordered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Text, and_, cast, func, literal, literal_column, not_, select
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.sql.elements import UnaryExpression
from sqlalchemy.sql.operators import custom_op

from treadle.storage.matching import column_holds, matching, metric_holds, turned, value_holds
from treadle.tracking.store.tables import (
    SHORT_LENGTH,
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

    from treadle.kernel.filters import Condition, Node
    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

KEYED: dict[str, Any] = {"metric": run_metrics, "param": run_params, "tag": run_tags}
EQUAL = ("=", "IN")
CONTEXT_TAG = "mlflow.data.context"
OWN_ARTIFACTS = "mlflow-artifacts:/"
RUN_NAME_TAG = "mlflow.runName"
SECOND_US = 1_000_000


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which runs are looked at before any filter; None means all."""

    experiment: str | None = None
    experiment_ids: tuple[str, ...] | None = None
    status: str | None = None
    parent_id: str | None = None
    stages: tuple[str, ...] = ("active",)


class Claims:
    """A filter as SQL. With `counts`, what runs logged is counted one run after the other."""

    def __init__(self, dialect: str, *, counts: bool) -> None:
        self._dialect = dialect
        self._counts = counts

    def of(self, where: Node, *, run_id: Any = runs.c.id) -> ColumnElement[bool]:
        """Return a filter as SQL; `run_id` is the column that names the run."""
        return matching(where, lambda condition: self._holds(condition, run_id=run_id))

    def logged(self, c: Any, condition: Condition) -> list[ColumnElement[bool]]:
        """Return what is claimed of the row that a run logged under the condition's key."""
        keyed = [c.key == condition.key]
        if condition.value is None:
            return keyed
        if condition.field == "metric":
            return [*keyed, metric_holds(c.value, c.is_nan, condition)]
        keyed.append(value_holds(c.value, condition, dialect=self._dialect))
        if condition.operator in EQUAL and lengths(condition) == {True}:
            # What is equal to a short value is short: said, so that the index of those can be used.
            keyed.append(is_short(c.value))
        return keyed

    def keys(self, orders: Sequence[Order], query: Select[Any]) -> tuple[Select[Any], list[Any]]:
        """Return a query with what it is ordered by joined to it, and the sort keys."""
        keys: list[Any] = []
        for order in orders:
            if order.key:
                table = KEYED[order.field].alias()
                same = and_(table.c.run_id == runs.c.id, table.c.key == order.key)
                query = query.outerjoin(table, same)
                is_nan = table.c.is_nan if order.field == "metric" else None
                keys += turned(table.c.value, order, dialect=self._dialect, is_nan=is_nan)
            else:
                keys += turned(_attribute(order.field), order, dialect=self._dialect)
        return query, keys

    def attribute(self, condition: Condition) -> ColumnElement[bool]:
        """Return what is claimed of what every run has."""
        if condition.field == "experiment":
            named = column_holds(experiments.c.name, condition, dialect=self._dialect)
            return runs.c.experiment_id.in_(select(experiments.c.id).where(named))
        if condition.field.startswith("dataset_"):
            return _used_dataset(condition, dialect=self._dialect)
        if condition.field == "duration":
            span = float(condition.value or 0) * SECOND_US  # type: ignore[arg-type] # a number, as checked
            condition = msgspec.structs.replace(condition, value=span)
        name = "name" if condition.key else condition.field
        return column_holds(_attribute(name), condition, dialect=self._dialect)

    def _holds(self, condition: Condition, *, run_id: Any) -> ColumnElement[bool]:
        if not condition.key or is_run_name(condition):
            return self.attribute(condition)
        c = KEYED[condition.field].alias().c
        logged = [c.run_id == run_id, *self.logged(c, condition)]
        found: ColumnElement[bool] = (
            select(func.count()).where(*logged).scalar_subquery() > 0
            if self._counts
            else select(1).where(*logged).exists()
        )
        return not_(found) if condition.operator == "IS NULL" else found


def is_run_name(condition: Condition) -> bool:
    """Say whether a tag is asked for that is what every run has: its name."""
    return condition.field == "tag" and condition.key == RUN_NAME_TAG


def is_short(column: Any) -> ColumnElement[bool]:
    """Say that a value is short, in the words of the index of short values."""
    return is_long(column).bool_op("IS NOT")(literal_column("TRUE"))


def is_long(column: Any) -> ColumnElement[bool]:
    """Say that a value is too long for the index of values."""
    found: ColumnElement[bool] = func.length(column) > literal_column(str(SHORT_LENGTH))
    return found


def lengths(condition: Condition) -> set[bool]:
    """Return whether the texts that are asked for are short: all, none, or some of them."""
    values = condition.value if isinstance(condition.value, tuple) else (str(condition.value),)
    return {len(value) <= SHORT_LENGTH for value in values}


def in_scope(tx: Transaction, scope: Scope, *, by_id: bool) -> list[ColumnElement[bool]]:
    """Return what is claimed of runs before any filter; `by_id` when their ids lead to them."""
    claims: list[ColumnElement[bool]] = []
    stage, experiment = runs.c.lifecycle_stage, runs.c.experiment_id
    if by_id and tx.connection.dialect.name == "sqlite":
        stage, experiment = unindexed(stage), unindexed(experiment)
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


def unindexed(column: Any) -> Any:
    """Hide from SQLite, which does not know that few runs are sought, that a column is indexed."""
    return UnaryExpression(column, operator=custom_op("+"), type_=column.type)


def ties(orders: Sequence[Order], *, started_at: Any, run_id: Any) -> list[Any]:
    """Return the last keys: newest first, and of one instant the later id, unless turned round."""
    by_start = next((order for order in orders if order.field == "started_at"), None)
    turned = by_start is not None and not by_start.descending
    last = run_id.asc() if turned else run_id.desc()
    return [last] if by_start is not None else [started_at.desc(), last]


def _attribute(field: str) -> Any:
    if field == "experiment":
        named = select(experiments.c.name).where(experiments.c.id == runs.c.experiment_id)
        return named.scalar_subquery()
    if field == "duration":
        return runs.c.ended_at - runs.c.started_at
    if field == "artifact_uri":
        return _artifact_uri()
    return runs.c[field]


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
