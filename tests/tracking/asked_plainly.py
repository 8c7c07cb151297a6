"""Filters and orders of runs answered in plain Python, to hold the SQL against."""

from __future__ import annotations

import math
import operator
import re
from typing import TYPE_CHECKING, Any

from treadle.kernel.clock import parse_instant
from treadle.kernel.filters import And, Condition, Not

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.kernel.filters import Node
    from treadle.tracking.entities import Run

COMPARE = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
LOWER = str.maketrans("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "abcdefghijklmnopqrstuvwxyz")


def matches(node: Node, run: Run) -> bool:
    """Say whether a filter, as it was read, holds for a run."""
    if isinstance(node, Condition):
        return holds(node, run)
    if isinstance(node, Not):
        return not matches(node.part, run)
    return (all if isinstance(node, And) else any)(matches(part, run) for part in node.parts)


def holds(condition: Condition, run: Run) -> bool:
    """Say whether a condition holds for a run; what is missing satisfies only IS NULL."""
    value, wanted = value_of(run, condition.field, condition.key), condition.value
    if condition.operator == "IS NULL":
        return value is None
    if condition.operator == "IS NOT NULL":
        return value is not None
    if value is None:
        return False
    if condition.field == "status":
        value, wanted = value.upper(), upper(wanted)
    if condition.field in {"start_time", "started_at", "ended_at"} and isinstance(wanted, str):
        wanted = parse_instant(wanted)
    elif condition.field == "start_time":
        value //= 1000
    return compares(value, condition.operator, wanted)


def compares(value: Any, name: str, wanted: Any) -> bool:
    if name.startswith("NOT "):
        return not compares(value, name.removeprefix("NOT "), wanted)
    if name == "IN":
        return value in wanted
    if name == "LIKE":
        return like(value, wanted)
    if name == "ILIKE":
        return like(value.translate(LOWER), wanted.translate(LOWER))
    found: bool = COMPARE[name](value, wanted)
    return found


def like(text: str, pattern: str) -> bool:
    parts = [".*" if c == "%" else "." if c == "_" else re.escape(c) for c in pattern]
    return re.fullmatch("".join(parts), text, re.DOTALL) is not None


def upper(wanted: Any) -> Any:
    return tuple(text.upper() for text in wanted) if isinstance(wanted, tuple) else wanted.upper()


def value_of(run: Run, field: str, key: str) -> Any:
    """Return what a run says of a field as it is written in a filter; None when it is missing."""
    if key:
        return getattr(run, field).get(key)
    if field == "start_time":
        return run.started_at
    if field == "duration":
        return None if run.ended_at is None else (run.ended_at - run.started_at) / 1e6
    return getattr(run, {"run_id": "id", "run_name": "name"}.get(field, field))


def ordered(runs: Iterable[Run], keys: Sequence[tuple[str, str, bool]]) -> list[Run]:
    """Sort by fields, keys and whether to turn round; then the newest first, then the later id."""
    by_start = [descending for field, _key, descending in keys if field == "started_at"]
    rising = by_start == [False]
    found = sorted(runs, key=lambda run: run.id, reverse=not rising)
    if not by_start:
        found.sort(key=lambda run: run.started_at, reverse=True)
    for field, key, descending in reversed(keys):
        known = [run for run in found if place(run, field, key) == 0]
        known.sort(key=lambda run: sortable(run, field, key), reverse=descending)
        known += [run for run in found if place(run, field, key) == 1]
        found = known + [run for run in found if place(run, field, key) == 2]
    return found


def place(run: Run, field: str, key: str) -> int:
    """Return 0 for a value, 1 for no number, 2 for a missing value."""
    value = value_of(run, field, key)
    if value is None:
        return 2
    return int(isinstance(value, float) and math.isnan(value))


def sortable(run: Run, field: str, key: str) -> Any:
    value = value_of(run, field, key)
    return value.encode() if isinstance(value, str) else value
