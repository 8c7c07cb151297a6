"""What a contract claims, in words a reader who never saw its TOML understands."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.contracts import ColumnRule, ContractBody, LabelRule, TableRule

SHOWN = 6
ROLES = {
    "id": "names the row",
    "time": "is the time by which days are counted",
    "target": "is what is predicted",
    "sensitive": "is sensitive",
    "known_after": "is known only after the time of the row",
}


class Said(NamedTuple):
    """One claim: of which part of the contract, by which check it is judged, what it says."""

    of: str
    check: str
    text: str
    warns: bool = False


def in_words(body: ContractBody) -> tuple[Said, ...]:
    """Return every claim of a contract, in its order."""
    found = [Said("whole table", *said) for said in _table(body.table)]
    if body.label is not None:
        found.append(Said(body.label.column, "label", _label(body.label)))
    for rule in body.columns:
        found += [Said(rule.name, check, text, check in rule.warn) for check, text in _column(rule)]
    for relation in body.relations:
        off = f", within {relation.tolerance:g}" if relation.tolerance else ""
        some = _but(relation.max_broken_share)
        found.append(Said(relation.name, "relation", f"{relation.claim}{off}{some}", relation.warn))
    return tuple(found)


def _table(rule: TableRule) -> Iterator[tuple[str, str, bool]]:
    for check, text in _of_table(rule):
        yield check, text, check in rule.warn


def _of_table(rule: TableRule) -> Iterator[tuple[str, str]]:
    if rule.min_rows or rule.max_rows is not None:
        yield "rows", f"has {_between(rule.min_rows, rule.max_rows)} rows"
    if rule.min_rows_per_day is not None or rule.max_rows_per_day is not None:
        yield "rows_per_day", f"has {_between(rule.min_rows_per_day, rule.max_rows_per_day)} a day"
    if rule.max_age_hours is not None:
        yield "age", f"its newest row is at most {rule.max_age_hours:,g} hours old"
    for names in rule.unique:
        yield "unique", f"{', '.join(names)} name a row{_but(rule.max_repeated_share)}"
    if rule.hours:
        text = f"no day has more than {rule.max_hours_distance:.1%} of its rows in unusual hours"
        yield "hours", f"{text}{_but(rule.max_far_days, of='days')}"


def _column(rule: ColumnRule) -> Iterator[tuple[str, str]]:
    role = f", {ROLES[rule.role]}" if rule.role else ""
    yield "type", f"is {rule.type}{role}"
    if rule.max_null_share < 1.0:
        some = f"at most {rule.max_null_share:.2%}" if rule.max_null_share else "none"
        yield "nulls", f"{some} may be missing"
    if rule.low is not None or rule.high is not None:
        bounds = _between(rule.low, rule.high)
        yield "range", f"is {bounds}{_but(rule.max_outside_share)}"
    if rule.max_zero_share < 1.0:
        yield "zeros", f"at most {rule.max_zero_share:.2%} are 0"
    if rule.grid is not None:
        yield "grid", f"comes in steps of {rule.grid:g}{_but(rule.max_off_grid_share)}"
    if rule.categories:
        more = len(rule.categories) - SHOWN
        known = ", ".join(rule.categories[:SHOWN]) + (f" and {more} more" if more > 0 else "")
        yield "categories", f"is one of {known}{_but(rule.max_new_share)}"
    if rule.pattern is not None:
        yield "pattern", f"matches {rule.pattern}{_but(rule.max_unmatched_share)}"
    yield from _beyond(rule)


def _beyond(rule: ColumnRule) -> Iterator[tuple[str, str]]:
    if rule.unique:
        yield "unique", "no value repeats another"
    if rule.references is not None:
        named = rule.references_column or rule.name
        text = f"each value is in {named} of {rule.references}"
        yield "references", f"{text}{_but(rule.max_orphan_share)}"
    if rule.ascending:
        yield "order", "never falls from row to row"
    if rule.max_constant_days < 1.0:
        yield "constant_days", f"varies on each day{_but(rule.max_constant_days, of='days')}"
    if rule.max_daily_step is not None:
        yield (
            "daily_step",
            f"its median moves at most {rule.max_daily_step:g} from one day to the next",
        )


def _label(rule: LabelRule) -> str:
    yes = f" (a yes is {rule.positive})" if rule.positive is not None else ""
    yes = f" (a yes is above {rule.above:g})" if rule.above is not None else yes
    if rule.low is None and rule.high is None:
        return f"is the label{yes}"
    return f"is the label{yes}: a day shows {_between(rule.low, rule.high)}"


def _between(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"at most {high:,g}" if low is None else f"{low:,g} or more"
    return f"{low:,g} to {high:,g}"


def _but(share: float, *, of: str = "rows") -> str:
    return f", but for {share:.2%} of {of}" if share else ""
