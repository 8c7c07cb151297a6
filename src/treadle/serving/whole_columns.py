"""Columns of a request that keep their rules whole, seen at once instead of value by value.

Most requests break nothing: then the smallest and the largest of a column say as much as each of
its values. What cannot be said so, or is not so, is judged row by row (`data.rows`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from treadle.data.contracts import ColumnRule, ContractBody

    Keeps = Callable[[Sequence[Any]], bool]

_INT64 = 1 << 63


def whole_columns(body: ContractBody, *, inputs: Collection[str]) -> Mapping[str, Keeps]:
    """Return for those columns of which it can be said whether all of their values keep the rule.

    `inputs` are the columns that the rows have. False means that it is not known.
    """
    related = {
        name
        for r in body.relations
        if set(inputs).issuperset(r.relation.columns)
        for name in r.relation.columns
    }
    found = {c.name: _keeps(c) for c in body.columns if c.name in inputs and c.name not in related}
    return {name: keeps for name, keeps in found.items() if keeps is not None}


def _keeps(rule: ColumnRule) -> Keeps | None:
    if rule.type in {"integer", "number"}:
        return None if rule.grid is not None or rule.categories else _numbers(rule)
    if rule.type == "text" and rule.pattern is None:
        known = frozenset(rule.categories)
        return known.issuperset if known else _texts
    return None


def _texts(cells: Sequence[Any]) -> bool:
    return set(map(type, cells)) == {str}


def _numbers(rule: ColumnRule) -> Keeps:
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    is_whole = rule.type == "integer"

    def keeps(cells: Sequence[Any]) -> bool:
        kinds = set(map(type, cells))
        if kinds == {float}:
            total = sum(cells)  # NaN when one of them is, which smallest and largest may not show
            known = total == total and (not is_whole or all(map(float.is_integer, cells)))  # noqa: PLR0124 - NaN
        else:
            known = kinds == {int} and min(cells) >= -_INT64 and max(cells) < _INT64
        return known and low <= float(min(cells)) and float(max(cells)) <= high

    return keeps
