"""What changed between two contracts, and whether who reads the data must look up.

A reader relies on what the old contract refused. A change **breaks** readers when values may now
come that could not before: a column is gone or of a wider type, there may be nulls, repetitions,
other categories, a wider range. It **loosens** when more of what was tolerated already may come,
and **tightens** when less may.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    import msgspec

    from treadle.data.contracts import ColumnRule, ContractBody

Effect = Literal["breaks", "loosens", "tightens", "other"]
_LOWER_IS_LOOSER = frozenset({"low", "min_rows", "min_rows_per_day"})
_BOUNDS = frozenset({"low", "high"})
_NARROWER = frozenset({("number", "integer"), ("timestamp", "date")})
"""A reader of the first can read the second."""
_DATA_TOLD = frozenset({"max_zero_share", "max_constant_days", "max_daily_step", "max_far_days"})


class Change(NamedTuple):
    """One line of a contract that changed: where it stands, what it was and is, what that does."""

    path: str
    before: Any
    after: Any
    effect: Effect


def changes(before: ContractBody, after: ContractBody) -> tuple[Change, ...]:
    """Return what changed, in the order of the contract; () for the same claims."""
    found = [*_fields("table", before.table, after.table)]
    effect: Effect
    if before.label is not None and after.label is not None:
        found += _fields("label", before.label, after.label)
    elif before.label != after.label:
        effect = "breaks" if after.label is None else "tightens"
        found.append(Change("label", _named(before.label), _named(after.label), effect))
    found += _columns(before, after)
    old, new = ({r.name: r for r in body.relations} for body in (before, after))
    for name in dict.fromkeys([*old, *new]):
        path = f"relations.{name}"
        if name in old and name in new:
            found += _fields(path, old[name], new[name])
        else:
            effect = "breaks" if name in old else "tightens"
            found.append(Change(path, _claim(old.get(name)), _claim(new.get(name)), effect))
    return tuple(found)


def _columns(before: ContractBody, after: ContractBody) -> Iterator[Change]:
    for name in dict.fromkeys(c.name for c in (*before.columns, *after.columns)):
        old, new = before.column(name), after.column(name)
        if old is not None and new is not None:
            yield from _fields(f"columns.{name}", old, new)
        else:
            effect: Effect = "breaks" if new is None else "other"
            yield Change(f"columns.{name}", _type(old), _type(new), effect)


def _fields(path: str, old: msgspec.Struct, new: msgspec.Struct) -> Iterator[Change]:
    for field in old.__struct_fields__:
        before, after = getattr(old, field), getattr(new, field)
        if before != after:
            yield Change(f"{path}.{field}", before, after, _effect(field, before, after))


def _effect(field: str, before: Any, after: Any) -> Effect:
    if field == "type":
        return "tightens" if (before, after) in _NARROWER else "breaks"
    if field == "grid":  # values in another unit, or of another device
        return "tightens" if before is None else "breaks"
    if field in {"categories", "unique", "warn"} and isinstance(before, tuple):
        return _of_sets(field, frozenset(before), frozenset(after))
    if isinstance(before, bool):  # unique, ascending: true claims more; a relation's warn less
        claims_less = after if field == "warn" else not after
        return "breaks" if claims_less else "tightens"
    numeric = all(v is None or isinstance(v, (int, float)) for v in (before, after))
    if numeric and field != "above":
        return _of_bounds(field, before, after)
    if field in {"pattern", "references"}:
        return "tightens" if before is None else "breaks"
    return "breaks" if field in {"claim", "positive", "above", "role"} else "other"


def _of_sets(field: str, before: frozenset[Any], after: frozenset[Any]) -> Effect:
    if field == "categories":
        if not before:
            return "tightens"
        return "breaks" if not after or after - before else "tightens"
    claims_less = after - before if field == "warn" else before - after
    return "breaks" if claims_less else "tightens"


def _of_bounds(field: str, before: float | None, after: float | None) -> Effect:
    if before is None:
        return "tightens"
    looser = after is None or (after < before if field in _LOWER_IS_LOOSER else after > before)
    if not looser:
        return "tightens"
    certain = field in _BOUNDS or (before == 0 and field not in _DATA_TOLD)
    return "breaks" if certain else "loosens"


def _named(rule: Any) -> str | None:
    return None if rule is None else str(rule.column)


def _claim(rule: Any) -> str | None:
    return None if rule is None else str(rule.claim)


def _type(rule: ColumnRule | None) -> str | None:
    return None if rule is None else rule.type
