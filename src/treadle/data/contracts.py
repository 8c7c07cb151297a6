"""A contract: what every version of a dataset is expected to be, as data a person can read.

A field left out claims nothing. `contract_text` writes and reads it as TOML.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from treadle.kernel.digests import digest_json
from treadle.kernel.errors import InvalidInput

ColumnType = Literal[
    "integer", "number", "boolean", "text", "timestamp", "date", "time", "duration", "other"
]
Role = Literal["", "id", "time", "target", "sensitive", "known_after"]


class _Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How every rule is written: nothing it does not know."""


class TableRule(_Rule, frozen=True, kw_only=True):
    """What is expected of the table as a whole.

    `min_rows_per_day` and `max_age_hours` (age of the newest row) need a column with role `time`.
    """

    min_rows: int = 0
    min_rows_per_day: float | None = None
    max_age_hours: float | None = None

    def __post_init__(self) -> None:
        _require_positive(self, "min_rows_per_day", "max_age_hours")


class ColumnRule(_Rule, frozen=True, kw_only=True):
    """What is expected of one column.

    Shares are of all rows for nulls, of the rows with a value for the rest. `low` and `high` bound
    numbers; `categories` are the known texts, of which new ones may make up `max_new_share`;
    `max_daily_step` bounds the change of the median from one day to the next, in the column's unit.
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

    def __post_init__(self) -> None:
        where = f"columns.{self.name}"
        for field in ("max_null_share", "max_outside_share", "max_new_share"):
            _require_share(getattr(self, field), where=f"{where}.{field}")
        _require_order(self.low, high=self.high, where=where)
        _require_positive(self, "max_daily_step", where=where)


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
    def time(self) -> str | None:
        """Return the column by which days are counted, if there is one."""
        return next(iter(self.with_role("time")), None)

    @property
    def digest(self) -> str:
        """Return the digest that names this content; 1 and 1.0 are the same bound."""
        return digest_json(msgspec.convert(msgspec.to_builtins(self), ContractBody))


class Contract(msgspec.Struct, frozen=True, kw_only=True):
    """A contract of a dataset; setting another one makes a new number."""

    dataset: str
    number: int
    body: ContractBody
    digest: str
    created_at: int


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
