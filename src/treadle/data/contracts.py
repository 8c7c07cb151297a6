"""A contract: what every version of a dataset is expected to be, as data a person can read.

A field left out claims nothing. `contract_text` writes and reads it as TOML. A check that a rule
names in `warn` only warns.
"""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle.data.patterns import require_pattern
from treadle.data.relations import Relation, parse_relation
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import InvalidInput, near_misses

ColumnType = Literal[
    "integer", "number", "boolean", "text", "timestamp", "date", "time", "duration", "other"
]
Role = Literal["", "id", "time", "target", "sensitive", "known_after"]
TABLE_CHECKS = ("rows", "rows_per_day", "age", "columns", "unique", "hours")
COLUMN_CHECKS = (
    "type",
    "nulls",
    "range",
    "categories",
    "pattern",
    "unique",
    "references",
    "order",
    "zeros",
    "grid",
    "constant_days",
    "daily_step",
)


HOURS = 24
ROUNDED = 0.02
"""What shares may miss of 1 for being rounded."""


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How every rule is written: nothing it does not know."""


class TableRule(_Rule, frozen=True, kw_only=True):
    """What is expected of the table as a whole.

    Rows per day and `max_age_hours` (age of the newest row) need a column with role `time`. Each of
    `unique` is a set of columns that together name a row; a share of rows may repeat another.
    `hours` is the share of rows in each hour (UTC) of a day: a day is far when `max_hours_distance`
    of its rows would have to move to another hour to look like it. Days may all be an hour early or
    late (daylight saving), and `max_far_days` of them may be far; one day is always let through.
    """

    min_rows: int = 0
    min_rows_per_day: float | None = None
    max_age_hours: float | None = None
    max_rows: int | None = None
    max_rows_per_day: float | None = None
    unique: tuple[tuple[str, ...], ...] = ()
    max_repeated_share: float = 0.0
    hours: tuple[float, ...] = ()
    max_hours_distance: float = 1.0
    max_far_days: float = 0.0
    warn: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require_positive(self, "min_rows_per_day", "max_age_hours", "max_rows", "max_rows_per_day")
        _require_share(self.max_hours_distance, where="table.max_hours_distance")
        _require_share(self.max_far_days, where="table.max_far_days")
        if self.hours and (len(self.hours) != HOURS or abs(sum(self.hours) - 1.0) > ROUNDED):
            raise InvalidInput(
                f"table.hours has {len(self.hours)} shares that add up to {sum(self.hours):g}.",
                hint="Give 24, of the hours from 0 to 23 UTC, that add up to 1.",
            )
        _require_share(self.max_repeated_share, where="table.max_repeated_share")
        _require_order(self.min_rows, high=self.max_rows, where="table.rows")
        _require_order(
            self.min_rows_per_day, high=self.max_rows_per_day, where="table.rows_per_day"
        )
        _require_checks(self.warn, known=TABLE_CHECKS, where="table")


class ColumnRule(_Rule, frozen=True, kw_only=True):
    """What is expected of one column.

    Shares are of all rows for nulls, of the rows with a value for the rest. `low` and `high` bound
    numbers; `categories` are the known texts, of which new ones may make up `max_new_share`;
    `max_daily_step` bounds the change of the median from one day to the next, in the column's unit.
    `pattern` is matched by the whole text (`patterns` says what it may hold). `references` is a
    dataset (`planes`, `planes@2`) among whose `references_column` (the same name when left out)
    each value must be. `ascending`: no value is below one of an earlier row. `max_zero_share` sees
    missing values written as 0, `max_constant_days` (the share of days on which all values are
    equal) a sensor that is stuck; one day is always let through. `grid` is the step in which a
    device measures: values are whole multiples of it. Another unit leaves the grid.
    """

    name: str
    type: ColumnType
    role: Role = ""
    max_null_share: float = 1.0
    low: float | None = None
    high: float | None = None
    max_outside_share: float = 0.0
    categories: tuple[str, ...] = ()
    max_new_share: float = 0.0
    unique: bool = False
    max_daily_step: float | None = None
    pattern: str | None = None
    max_unmatched_share: float = 0.0
    references: str | None = None
    references_column: str | None = None
    max_orphan_share: float = 0.0
    ascending: bool = False
    max_zero_share: float = 1.0
    max_constant_days: float = 1.0
    grid: float | None = None
    max_off_grid_share: float = 0.0
    warn: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        where = f"columns.{self.name}"
        for field in _SHARES:
            _require_share(getattr(self, field), where=f"{where}.{field}")
        _require_order(self.low, high=self.high, where=where)
        _require_positive(self, "max_daily_step", "grid", where=where)
        _require_checks(self.warn, known=COLUMN_CHECKS, where=where)
        if self.pattern is not None:
            require_pattern(self.pattern, where=where)


class RelationRule(_Rule, frozen=True, kw_only=True):
    """What the columns of each row are to each other; rows where one has no value are left out.

    `claim` is linear: `arr_delay = dep_delay + air_time - 3`, `sold_at <= shipped_at` (times in
    seconds). It may be off by `tolerance`, and be broken by a share of rows.
    """

    name: str
    claim: str
    tolerance: float = 0.0
    max_broken_share: float = 0.0
    warn: bool = False

    def __post_init__(self) -> None:
        where = f"relations.{self.name}"
        parse_relation(self.claim)
        _require_share(self.max_broken_share, where=f"{where}.max_broken_share")
        if not self.tolerance >= 0:
            raise InvalidInput(f"{where}.tolerance = {self.tolerance}: it must not be below 0.")

    @property
    def relation(self) -> Relation:
        """Return the claim, read."""
        return parse_relation(self.claim)


class LabelRule(_Rule, frozen=True, kw_only=True):
    """What is expected of the labels, learned from reference days.

    A label is a yes when it is `positive` (a text) or above `above` (a number); without either it
    is taken as a number (0/1 and booleans are rates). `low` and `high` bound what one day may show:
    the share of yes, or the mean. `constant_days` is the share of days on which all labels were
    equal.
    """

    column: str
    positive: str | None = None
    above: float | None = None
    low: float | None = None
    high: float | None = None
    constant_days: float = 0.0

    def __post_init__(self) -> None:
        _require_order(self.low, high=self.high, where="label")
        _require_share(self.constant_days, where="label.constant_days")
        if self.positive is not None and self.above is not None:
            raise InvalidInput(
                "label.positive and label.above are both set.",
                hint="Use positive for texts, above for numbers.",
            )


class ContractBody(_Rule, frozen=True, kw_only=True):
    """All expectations of a dataset."""

    table: TableRule = msgspec.field(default_factory=TableRule)
    columns: tuple[ColumnRule, ...] = ()
    label: LabelRule | None = None
    relations: tuple[RelationRule, ...] = ()

    def __post_init__(self) -> None:
        names = [c.name for c in self.columns]
        twice = sorted({n for n in names if names.count(n) > 1})
        if twice:
            raise InvalidInput(f"Column {twice[0]!r} has two rules.", hint="Keep one of them.")
        times = [c.name for c in self.columns if c.role == "time"]
        if len(times) > 1:
            raise InvalidInput(
                f"Columns {' and '.join(times)} both have the role 'time'.",
                hint="Days are counted by one column.",
            )

    def column(self, name: str) -> ColumnRule | None:
        """Return the rule of a column, or None when the contract says nothing of it."""
        return next((c for c in self.columns if c.name == name), None)

    def with_role(self, role: Role) -> tuple[str, ...]:
        """Return the names of the columns that play a role."""
        return tuple(c.name for c in self.columns if c.role == role)

    @property
    def references(self) -> tuple[str, ...]:
        """Return the other datasets that columns refer to."""
        return tuple(dict.fromkeys(c.references for c in self.columns if c.references))

    @property
    def time(self) -> str | None:
        """Return the column by which days are counted, if there is one."""
        return next(iter(self.with_role("time")), None)

    @property
    def digest(self) -> str:
        """Return the digest that names this content; 1 and 1.0 are the same bound.

        Fields that the first contracts did not have count only when they claim something, so that
        an old contract keeps its digest.
        """
        plain = msgspec.to_builtins(msgspec.convert(msgspec.to_builtins(self), ContractBody))
        for rule, kind in (
            (plain["table"], TableRule),
            *((c, ColumnRule) for c in plain["columns"]),
        ):
            _drop_unclaimed(rule, kind)
        if not plain["relations"]:
            del plain["relations"]
        # Fields in their own order, as a struct was always encoded.
        return digest_bytes(msgspec.json.encode(plain))


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract of a dataset; setting another one makes a new number."""

    dataset: str
    number: int
    body: ContractBody
    digest: str
    created_at: int


_SHARES = (
    "max_null_share",
    "max_outside_share",
    "max_new_share",
    "max_unmatched_share",
    "max_orphan_share",
    "max_zero_share",
    "max_constant_days",
    "max_off_grid_share",
)
_LATER = frozenset(
    {
        "max_rows",
        "max_rows_per_day",
        "max_repeated_share",
        "pattern",
        "max_unmatched_share",
        "references",
        "references_column",
        "max_orphan_share",
        "ascending",
        "max_zero_share",
        "max_constant_days",
        "hours",
        "max_hours_distance",
        "max_far_days",
        "grid",
        "max_off_grid_share",
        "warn",
    }
)
"""Fields that came after the first contracts were kept; with `unique` of the table."""


def _drop_unclaimed(rule: dict[str, Any], kind: Any) -> None:
    later = _LATER | {"unique"} if kind is TableRule else _LATER
    for field in msgspec.structs.fields(kind):
        value = rule.get(field.name)
        if field.name in later and (value == field.default or value in ([], ())):
            del rule[field.name]


def _require_checks(named: tuple[str, ...], *, known: tuple[str, ...], where: str) -> None:
    for name in named:
        if name not in known:
            close = near_misses(name, known)
            hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(known)}."
            raise InvalidInput(f"{where}.warn: no check {name!r}.", hint=hint)


def _require_share(value: float, *, where: str) -> None:
    if not 0.0 <= value <= 1.0:
        raise InvalidInput(f"{where} = {value}: a share lies between 0 and 1.")


def _require_order(low: float | None, *, high: float | None, where: str) -> None:
    if low is not None and high is not None and low > high:
        raise InvalidInput(f"{where}: low = {low} is above high = {high}.", hint="Swap them.")


def _require_positive(rule: _Rule, *fields: str, where: str = "table") -> None:
    for field in fields:
        value = getattr(rule, field)
        if value is not None and not value > 0:
            raise InvalidInput(f"{where}.{field} = {value}: it must be above 0.")
