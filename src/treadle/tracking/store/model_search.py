"""SQL of searching logged models."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import and_, func, not_, or_, select

from treadle.kernel.filters import Condition, Node, conditions_of
from treadle.storage.matching import column_holds, matching, metric_holds, turned, value_holds
from treadle.tracking.store.tables import (
    logged_model_metrics,
    logged_model_params,
    logged_model_tags,
    logged_models,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement, Select

    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

_TEXTS: dict[str, Any] = {"param": logged_model_params, "tag": logged_model_tags}


class Scope(msgspec.Struct, frozen=True, kw_only=True):
    """Which logged models are looked at before any filter.

    `datasets` are names with a digest or with an empty one, which means any: metrics count only
    when they were measured on one of them.
    """

    experiment_ids: tuple[str, ...] | None = None
    datasets: tuple[tuple[str, str], ...] = ()


def find_ids(
    tx: Transaction,
    *,
    scope: Scope,
    where: Node,
    orders: Sequence[Order],
    limit: int,
    offset: int,
) -> list[str]:
    """Return the ids of the logged models that match, in order, a page of them."""
    c, dialect, keys = logged_models.c, tx.connection.dialect.name, []
    query = select(c.id).where(*_claims(tx, scope=scope, where=where))
    for order in orders:
        if order.field == "metric":
            latest = _latest(order.key)
            query = query.outerjoin(latest, and_(latest.c.model_id == c.id, latest.c.place == 1))
            keys += turned(latest.c.value, order, dialect=dialect, is_nan=latest.c.is_nan)
        elif order.key:
            table = _TEXTS[order.field].alias()
            same = and_(table.c.model_id == c.id, table.c.key == order.key)
            query = query.outerjoin(table, same)
            keys += turned(table.c.value, order, dialect=dialect)
        else:
            keys += turned(c[order.field], order, dialect=dialect)
    query = query.order_by(*keys, *_ties(orders))
    return list(tx.execute(query.limit(limit).offset(offset)).scalars())


def count(tx: Transaction, *, scope: Scope, where: Node) -> int:
    """Return how many logged models match."""
    query = select(func.count()).select_from(logged_models)
    return int(tx.execute(query.where(*_claims(tx, scope=scope, where=where))).scalar_one())


def _claims(tx: Transaction, *, scope: Scope, where: Node) -> list[ColumnElement[bool]]:
    dialect = tx.connection.dialect.name

    def holds(condition: Condition) -> ColumnElement[bool]:
        if not condition.key:
            return column_holds(logged_models.c[condition.field], condition, dialect=dialect)
        return _logged(condition, scope=scope, dialect=dialect)

    claims = [logged_models.c.lifecycle_stage == "active", matching(where, holds)]
    if scope.experiment_ids is not None:
        claims.append(logged_models.c.experiment_id.in_(scope.experiment_ids))
    if scope.datasets and all(found.field != "metric" for found in conditions_of(where)):
        c = logged_model_metrics.c
        measured = select(1).where(c.model_id == logged_models.c.id, _on(scope.datasets))
        claims.append(measured.exists())
    return claims


def _logged(condition: Condition, *, scope: Scope, dialect: str) -> ColumnElement[bool]:
    table = _TEXTS.get(condition.field, logged_model_metrics)
    c = table.c
    claims = [c.model_id == logged_models.c.id, c.key == condition.key]
    if table is logged_model_metrics and scope.datasets:
        claims.append(_on(scope.datasets))
    if condition.value is not None and table is logged_model_metrics:
        claims.append(metric_holds(c.value, c.is_nan, condition))
    elif condition.value is not None:
        claims.append(value_holds(c.value, condition, dialect=dialect))
    found = select(1).where(*claims).exists()
    return not_(found) if condition.operator == "IS NULL" else found


def _on(datasets: Sequence[tuple[str, str]]) -> ColumnElement[bool]:
    c = logged_model_metrics.c
    return or_(
        *(
            and_(c.dataset_name == name, c.dataset_digest == digest)
            if digest
            else c.dataset_name == name
            for name, digest in datasets
        )
    )


def _latest(key: str) -> Any:
    """Return the values of a metric, numbered from the latest of each model."""
    c = logged_model_metrics.c
    place = func.row_number().over(
        partition_by=c.model_id, order_by=(c.at.desc(), c.step.desc(), c.run_id)
    )
    numbered: Select[Any] = select(c.model_id, c.value, c.is_nan, place.label("place"))
    return numbered.where(c.key == key).subquery()


def _ties(orders: Sequence[Order]) -> list[Any]:
    by_time = any(order.field == "created_at" for order in orders)
    last = [] if by_time else [logged_models.c.created_at.desc()]
    return [*last, logged_models.c.id.asc()]
