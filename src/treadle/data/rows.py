"""The contract on one row: compiled once, asked per request, without a table engine.

It breaks the same claims as the scan does (`checks`), value by value. What takes many rows to say
(uniqueness, references, order, daily steps, counts, labels) is no claim about one row. A share that
is tolerated in a table cannot be seen in a row: such a claim warns, one that tolerates nothing
fails.
"""

from __future__ import annotations

import datetime as dt
import math
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.data.patterns import LONGEST_VALUE, compiled
from treadle.data.rounding import OFF_GRID

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

    from treadle.data.contracts import ColumnRule, ContractBody, RelationRule
    from treadle.data.entities import Verdict

    Judge = Callable[[Any], str]
    RowCheck = Callable[[Mapping[str, Any]], "tuple[RowFinding, ...]"]

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_MICROSECOND = dt.timedelta(microseconds=1)
_LARGEST_INTEGER = 1 << 63
_KINDS: dict[str, tuple[type, ...]] = {
    "boolean": (bool,),
    "text": (str,),
    "timestamp": (dt.datetime, dt.date),
    "date": (dt.date,),
    "time": (dt.time,),
    "duration": (dt.timedelta,),
}


class RowFinding(NamedTuple):
    """A claim that a row breaks: which check, of which column (or relation), how serious."""

    check: str
    column: str
    verdict: Verdict


def compile_row(body: ContractBody, *, inputs: Collection[str] | None = None) -> RowCheck:
    """Return a function that says which claims a row (a mapping) breaks; nothing when all hold.

    `inputs` are the columns a row has; by default all but the target and what is known only after.
    A column that is not there breaks `columns`; relations are judged where all their columns are.
    """
    after = {*body.with_role("target"), *body.with_role("known_after")}
    asked = {c.name for c in body.columns} - after if inputs is None else set(inputs)
    columns = [(c.name, _judge(c), _verdicts(c)) for c in body.columns if c.name in asked]
    relations = [_relation(r) for r in body.relations if asked.issuperset(r.relation.columns)]
    absent = _absent(body)

    def check(row: Mapping[str, Any]) -> tuple[RowFinding, ...]:
        found: list[RowFinding] = []
        for name, judge, verdicts in columns:
            try:
                value = row[name]
            except KeyError:
                found.append(RowFinding("columns", name, absent))
                continue
            if broken := judge(value):
                found += [RowFinding(c, name, verdicts[c]) for c in broken.split()]
        for name, breaks, verdict in relations:
            if breaks(row):
                found.append(RowFinding("relation", name, verdict))
        return tuple(found)

    return check


def _absent(body: ContractBody) -> Verdict:
    return "warn" if "columns" in body.table.warn else "fail"


def _verdicts(rule: ColumnRule) -> dict[str, Verdict]:
    tolerated = {
        "type": 0.0,
        "nulls": rule.max_null_share,
        "range": rule.max_outside_share,
        "categories": rule.max_new_share,
        "pattern": rule.max_unmatched_share,
        "grid": rule.max_off_grid_share,
    }
    return {c: "warn" if share or c in rule.warn else "fail" for c, share in tolerated.items()}


def _judge(rule: ColumnRule) -> Judge:
    """Return a function that names the checks a value breaks, with a blank between them."""
    if rule.type in {"integer", "number"}:
        return _number(rule)
    if rule.type == "text":
        return _text(rule)
    kinds = _KINDS.get(rule.type, (object,))
    timed = rule.type in {"timestamp", "date"}
    low, high = _ends(rule)

    def judge(value: Any) -> str:
        if value is None:
            return "nulls"
        if timed and isinstance(value, str):
            return "" if _instant(value) is not None else "type"
        if not isinstance(value, kinds) or (rule.type == "date" and isinstance(value, dt.datetime)):
            return "type"
        return "range" if value.__class__ is bool and not low <= value <= high else ""

    return judge


def _number(rule: ColumnRule) -> Judge:
    low, high = _ends(rule)
    whole = rule.type == "integer"
    known = frozenset(rule.categories)

    def judge(value: Any) -> str:
        kind = value.__class__
        if kind is float:
            if value != value:  # noqa: PLR0124 - NaN is no value
                return "nulls"
            if whole and not value.is_integer() and not math.isinf(value):
                return "type"
        elif kind is int:
            if not -_LARGEST_INTEGER <= value < _LARGEST_INTEGER:
                return "type"
            value = float(value)  # as the scan compares it
        else:
            return "nulls" if value is None else "type"
        return "" if low <= value <= high else "range"

    found = judge if rule.grid is None else _with_grid(judge, rule.grid)
    return _with_categories(found, known) if known else found


def _with_grid(inner: Judge, grid: float) -> Judge:
    def judge(value: Any) -> str:
        broken = inner(value)
        if broken in {"nulls", "type"} or math.isinf(value):
            return broken
        steps = value / grid
        return f"{broken} grid" if abs(steps - round(steps)) > OFF_GRID else broken

    return judge


def _with_categories(inner: Judge, known: frozenset[str]) -> Judge:
    def judge(value: Any) -> str:
        broken = inner(value)
        if broken in {"nulls", "type"} or str(value) in known:
            return broken
        return f"{broken} categories"

    return judge


def _text(rule: ColumnRule) -> Judge:
    known = frozenset(rule.categories)
    matches = None if rule.pattern is None else compiled(rule.pattern).fullmatch

    def judge(value: Any) -> str:
        if value.__class__ is not str:
            return "nulls" if value is None else "type"
        broken = "categories" if known and value not in known else ""
        if matches is not None and (len(value) > LONGEST_VALUE or matches(value) is None):
            return f"{broken} pattern"
        return broken

    return judge


def _ends(rule: ColumnRule) -> tuple[float, float]:
    return (
        -math.inf if rule.low is None else rule.low,
        math.inf if rule.high is None else rule.high,
    )


def _relation(rule: RelationRule) -> tuple[str, Callable[[Mapping[str, Any]], bool], Verdict]:
    relation, tolerance = rule.relation, rule.tolerance
    terms, constant = relation.terms, relation.constant
    equal, strict = relation.sign == "=", relation.sign == "<"

    def breaks(row: Mapping[str, Any]) -> bool:
        total = 0.0
        for place, (column, factor) in enumerate(terms):
            value = _as_number(row.get(column))
            if value is None:
                return False
            total = factor * value if not place else total + factor * value
        total += constant
        if equal:
            total = abs(total)
        return not (total < tolerance if strict else total <= tolerance)

    return rule.name, breaks, "warn" if rule.max_broken_share or rule.warn else "fail"


def _as_number(value: Any) -> float | None:
    kind = value.__class__
    if kind is float:
        return None if value != value else value  # noqa: PLR0124 - NaN is no value
    if kind is int:
        return float(value) if -_LARGEST_INTEGER <= value < _LARGEST_INTEGER else None
    if kind is bool:
        return float(value)
    return None if value is None else _instant(value)


def _instant(value: Any) -> float | None:
    """Return a time, or ISO text of one, in seconds; one without a zone counts as UTC."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError:
            return None
    if not isinstance(value, dt.date):
        return None
    if not isinstance(value, dt.datetime):
        value = dt.datetime.combine(value, dt.time())
    if value.tzinfo is None:
        value = value.replace(tzinfo=dt.UTC)
    return float((value - _EPOCH) // _MICROSECOND) / 1e6
