"""From a checked filter to SQL with bound values, the same answers on both dialects.

Texts are compared byte by byte, whatever the database's collation. LIKE heeds case and has no
escape character; ILIKE is blind to the case of ASCII letters. Every condition is true or false:
what is missing satisfies none but IS NULL.
"""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, and_, collate, false, func, not_, or_, true
from sqlalchemy.sql import operators

from treadle.kernel.filters import And, Condition, Node, Not

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import ColumnElement

    from treadle.kernel.list_fields import Order

_COMPARE: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
# SQLite's own LIKE is blind to case; its GLOB is not, and spells the wildcards differently.
_GLOB = str.maketrans({"%": "*", "_": "?", "*": "[*]", "?": "[?]", "[": "[[]"})
_UPPER = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_LOWER = str.maketrans(_UPPER, _UPPER.lower())


def matching(node: Node, holds: Callable[[Condition], ColumnElement[bool]]) -> ColumnElement[bool]:
    """Return a filter as SQL, each condition as `holds` says it."""
    if isinstance(node, Condition):
        return holds(node)
    if isinstance(node, Not):
        # Twice not is nothing, and a database's parser can only go so deep.
        if isinstance(node.part, Not):
            return matching(node.part.part, holds)
        return not_(matching(node.part, holds))
    parts = [matching(part, holds) for part in node.parts]
    return and_(true(), *parts) if isinstance(node, And) else or_(false(), *parts)


def column_holds(column: Any, condition: Condition, *, dialect: str) -> ColumnElement[bool]:
    """Compare a column as a condition says; a missing value satisfies only IS NULL."""
    there: ColumnElement[bool] = column.is_not(None)
    if condition.value is None:
        return there if condition.operator == "IS NOT NULL" else not_(there)
    claim = value_holds(column, condition, dialect=dialect)
    return and_(there, claim) if getattr(column, "nullable", True) else claim


def value_holds(column: Any, condition: Condition, *, dialect: str) -> ColumnElement[bool]:
    """Compare a value that is there as a condition says."""
    value: Any = condition.value
    name = condition.operator
    found: ColumnElement[bool]
    if name in _COMPARE:
        found = _COMPARE[name](column, value)
        return found
    if name.endswith("IN"):
        found = column.in_(value)
    elif name.endswith("ILIKE"):
        found = _like(
            func.lower(bytewise(column, dialect=dialect)), value.translate(_LOWER), dialect
        )
    elif dialect == "sqlite":
        found = column.op("GLOB", is_comparison=True)(value.translate(_GLOB))
    else:
        found = _like(bytewise(column, dialect=dialect), value, dialect)
    return not_(found) if name.startswith("NOT") else found


def metric_holds(value: Any, is_nan: Any, condition: Condition) -> ColumnElement[bool]:
    """Compare a number beside which NaN is marked; NaN is stored as zero and satisfies != alone."""
    wanted = float(condition.value)  # type: ignore[arg-type] # a metric is compared with a number
    holds = _COMPARE[condition.operator](value, wanted)
    if condition.operator == "!=":
        return or_(holds, is_nan)
    # Only where the zero would do must the mark be looked at, which no index has.
    return and_(holds, not_(is_nan)) if _COMPARE[condition.operator](0, wanted) else holds


def turned(column: Any, order: Order, *, dialect: str, is_nan: Any = None) -> list[Any]:
    """Return the sort keys of a column: values, then NaN, then missing ones, either way round."""
    value = bytewise(column, dialect=dialect) if isinstance(column.type, Text) else column
    value = value.desc() if order.descending else value.asc()
    # What is never missing is ordered by its column alone: an index has that order already.
    may_miss = bool(order.key) or getattr(column, "nullable", True)
    return [
        *([column.is_(None)] if may_miss else []),
        *([] if is_nan is None else [is_nan]),
        value,
    ]


def bytewise(column: Any, *, dialect: str) -> Any:
    """Return a text column so that it orders by its bytes, as SQLite's always do."""
    return collate(column, "C") if dialect == "postgresql" else column


def _like(column: Any, pattern: str, dialect: str) -> ColumnElement[bool]:
    # PostgreSQL takes a backslash for an escape unless it is told that there is none.
    literal = pattern.replace("\\", "\\\\") if dialect == "postgresql" else pattern
    found: ColumnElement[bool] = column.operate(operators.like_op, literal)
    return found
