"""SQL of searching traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import JSON, Text, and_, cast, false, func, not_, or_, select, true

from treadle.kernel.filters import And, Condition, Node, Not
from treadle.storage.matching import column_holds, turned, value_holds
from treadle.tracing.store.tables import (
    assessments,
    spans,
    trace_links,
    trace_metadata,
    trace_tags,
    traces,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

_TEXTS: dict[str, Any] = {"tag": trace_tags, "metadata": trace_metadata}
_ATTRIBUTES = "attributes."
_NAME, _SESSION, _SOURCE_RUN = "mlflow.traceName", "mlflow.trace.session", "mlflow.sourceRun"
_PER_SECOND = 1_000_000.0


def find_ids(
    tx: Transaction,
    *,
    experiment_ids: Sequence[str] | None,
    where: Node,
    orders: Sequence[Order],
    limit: int,
    offset: int,
) -> list[str]:
    """Return the ids of the traces that match, in order, a page of them."""
    dialect, keys = tx.connection.dialect.name, []
    claims = _claims(tx, experiment_ids=experiment_ids, where=where)
    query = select(traces.c.id).where(*claims)
    for order in orders:
        if order.key and (order.field, order.key) != ("tag", _NAME):
            table = _TEXTS[order.field].alias()
            same = and_(table.c.trace_id == traces.c.id, table.c.key == order.key)
            query = query.outerjoin(table, same)
            keys += turned(table.c.value, order, dialect=dialect)
        else:
            column = traces.c.name if order.key else _column(order.field)
            keys += turned(column, order, dialect=dialect)
    query = query.order_by(*keys, *_ties(orders)).limit(limit).offset(offset)
    return list(tx.execute(query).scalars())


def count(tx: Transaction, *, experiment_ids: Sequence[str] | None, where: Node) -> int:
    """Return how many traces match."""
    claims = _claims(tx, experiment_ids=experiment_ids, where=where)
    return int(tx.execute(select(func.count()).select_from(traces).where(*claims)).scalar_one())


def _claims(
    tx: Transaction, *, experiment_ids: Sequence[str] | None, where: Node
) -> list[ColumnElement[bool]]:
    claims = [_matching(where, tx.connection.dialect.name)]
    if experiment_ids is not None:
        claims.append(traces.c.experiment_id.in_(list(experiment_ids)))
    return claims


def _ties(orders: Sequence[Order]) -> list[Any]:
    named = {order.field for order in orders}
    latest = [] if "started_at" in named else [traces.c.started_at.desc()]
    return [*latest, *([] if "id" in named else [traces.c.id.asc()])]


def _matching(node: Node, dialect: str) -> ColumnElement[bool]:
    """Return a filter as SQL; what is asked together of spans must hold of one and the same."""
    if isinstance(node, Condition):
        return _of_spans([node], dialect) if node.field == "span" else _holds(node, dialect)
    if isinstance(node, Not):
        return (
            _matching(node.part.part, dialect)
            if isinstance(node.part, Not)
            else not_(_matching(node.part, dialect))
        )
    if not isinstance(node, And):
        return or_(false(), *(_matching(part, dialect) for part in node.parts))
    together = [p for p in node.parts if isinstance(p, Condition) and p.field == "span"]
    rest = [_matching(part, dialect) for part in node.parts if part not in together]
    return and_(true(), *rest, *([_of_spans(together, dialect)] if together else []))


def _holds(condition: Condition, dialect: str) -> ColumnElement[bool]:
    field = condition.field
    if condition.key == _NAME and field == "tag":
        return column_holds(traces.c.name, condition, dialect=dialect)
    if field in _TEXTS:
        return _text_holds(_TEXTS[field], condition, dialect)
    if field in {"feedback", "expectation"}:
        return _said(condition, dialect)
    if field == "issue":
        return _issue(condition, dialect)
    if field == "text":
        return _of_spans([condition], dialect)
    if field == "run_id":
        return _of_run(condition, dialect)
    if field == "prompt":
        return _linked("prompt", condition, dialect)
    return column_holds(_column(field), condition, dialect=dialect)


def _column(field: str) -> Any:
    if field == "ended_at":
        return traces.c.started_at + func.coalesce(traces.c.duration_us, 0)
    return traces.c.duration_us / _PER_SECOND if field == "duration" else traces.c[field]


def _text_holds(table: Any, condition: Condition, dialect: str) -> ColumnElement[bool]:
    c = table.c
    claims = [c.trace_id == traces.c.id, c.key == condition.key]
    if condition.value is not None:
        claims.append(value_holds(c.value, condition, dialect=dialect))
    there: ColumnElement[bool] = select(1).where(*claims).exists()
    return not_(there) if condition.operator == "IS NULL" else there


def _of_run(condition: Condition, dialect: str) -> ColumnElement[bool]:
    """A trace is a run's when it was made within it, or linked to it later."""
    told = Condition(
        field="metadata", key=_SOURCE_RUN, operator=condition.operator, value=condition.value
    )
    return or_(
        _text_holds(trace_metadata, told, dialect),
        _linked("run", condition, dialect),
    )


def _linked(kind: str, condition: Condition, dialect: str) -> ColumnElement[bool]:
    c = trace_links.c
    claims = [c.trace_id == traces.c.id, c.kind == kind]
    found: ColumnElement[bool] = (
        select(1).where(*claims, value_holds(c.target, condition, dialect=dialect)).exists()
    )
    return found


def _issue(condition: Condition, dialect: str) -> ColumnElement[bool]:
    c = assessments.c
    claims = [c.trace_id == traces.c.id, c.kind == "issue"]
    found: ColumnElement[bool] = (
        select(1).where(*claims, value_holds(c.name, condition, dialect=dialect)).exists()
    )
    return found


def _said(condition: Condition, dialect: str) -> ColumnElement[bool]:
    c = assessments.c
    claims = [
        c.trace_id == traces.c.id,
        c.kind == condition.field,
        c.name == condition.key,
        c.valid,
    ]
    if isinstance(condition.value, (int, float)):
        claims.append(column_holds(c.number, condition, dialect=dialect))
    elif condition.value is not None:
        # A value is stored as JSON: a text is asked for without its quotes.
        plain = func.trim(c.value, '"')
        claims.append(value_holds(plain, condition, dialect=dialect))
    there: ColumnElement[bool] = select(1).where(*claims).exists()
    return not_(there) if condition.operator == "IS NULL" else there


def _of_spans(conditions: Sequence[Condition], dialect: str) -> ColumnElement[bool]:
    claims = [spans.c.trace_id == traces.c.id]
    claims += [_span_holds(condition, dialect) for condition in conditions]
    found: ColumnElement[bool] = select(1).where(*claims).exists()
    return found


def _span_holds(condition: Condition, dialect: str) -> ColumnElement[bool]:
    key = condition.key
    if key.startswith(_ATTRIBUTES):
        value = _attribute(key.removeprefix(_ATTRIBUTES).strip("`"), dialect)
        return column_holds(value, condition, dialect=dialect)
    if key == "status" and isinstance(condition.value, str):
        condition = msgspec.structs.replace(condition, value=condition.value.lower())
    column: Any = spans.c.content if key in {"", "content"} else spans.c[key]
    return column_holds(column, condition, dialect=dialect)


def _attribute(name: str, dialect: str) -> Any:
    if dialect == "postgresql":
        return func.json_extract_path_text(cast(spans.c.content, JSON), "attributes", name)
    # A label of SQLite's paths has no escape for a quote: what holds one is found by no path.
    label = name.replace('"', "")
    return cast(func.json_extract(spans.c.content, f'$.attributes."{label}"'), Text)
