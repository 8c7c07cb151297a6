"""SQL of searching experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import func, not_, select

from treadle.storage.matching import column_holds, matching, turned, value_holds
from treadle.tracking.store.tables import experiment_tags, experiments

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from treadle.kernel.filters import Condition, Node
    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction


def find_ids(
    tx: Transaction,
    *,
    stages: Sequence[str],
    where: Node,
    orders: Sequence[Order],
    limit: int,
    offset: int,
) -> list[str]:
    """Return the ids of the experiments that match, in order, a page of them."""
    dialect = tx.connection.dialect.name
    query, keys = select(experiments.c.id).where(*_claims(tx, stages=stages, where=where)), []
    for order in orders:
        value: Any = experiments.c.get(order.field)
        if order.key:
            tag = experiment_tags.alias()
            query = query.outerjoin(
                tag, (tag.c.experiment_id == experiments.c.id) & (tag.c.key == order.key)
            )
            value = tag.c.value
        keys += turned(value, order, dialect=dialect)
    query = query.order_by(*keys, experiments.c.id)
    return list(tx.execute(query.limit(limit).offset(offset)).scalars())


def count(tx: Transaction, *, stages: Sequence[str], where: Node) -> int:
    """Return how many experiments match."""
    query = select(func.count()).select_from(experiments)
    return int(tx.execute(query.where(*_claims(tx, stages=stages, where=where))).scalar_one())


def _claims(tx: Transaction, *, stages: Sequence[str], where: Node) -> list[ColumnElement[bool]]:
    dialect = tx.connection.dialect.name

    def holds(condition: Condition) -> ColumnElement[bool]:
        if not condition.key:
            return column_holds(experiments.c[condition.field], condition, dialect=dialect)
        c = experiment_tags.c
        tagged = [c.experiment_id == experiments.c.id, c.key == condition.key]
        if condition.value is not None:
            tagged.append(value_holds(c.value, condition, dialect=dialect))
        found = select(1).where(*tagged).exists()
        return not_(found) if condition.operator == "IS NULL" else found

    return [experiments.c.lifecycle_stage.in_(stages), matching(where, holds)]
