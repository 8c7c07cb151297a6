"""Learning a contract from a reference version: what it showed, with room to breathe.

Margins, and why they are so wide: a contract must not fail on next month's weather. Finer changes
are a monitor's business; a contract finds what is broken. Days are the clusters: a batch may be
one bad day, so the worst day of the reference sets what a share may be, not the average.

- nulls: the odds of a null on the worst day may double, and 2 % is always allowed; none in an id or
  the time if there were none.
- range: the 1 % to 99 % quantiles, widened by twice their span on each side, but not beyond a 0
  that the reference touched and did not cross; none for a column that follows the calendar (daily
  median and day correlate by 0.8 or more). Outside: the odds of the worst day doubled, and 1 %
  always.
- categories (text with at most 200 values): new ones may make up 5 %, or ten times the share of
  values the reference saw once (Good-Turing's estimate of the unseen).
- zeros: as for nulls, of the rows with a value; 0.5 % where the reference had none.
- pattern (other texts): the kinds of character seen (A-Z, a-z, 0-9, the rest one by one), from half
  the shortest length to twice the longest; 1 % may be otherwise.
- unique: an id that was unique. For a table with a time, a key that `keys` finds: 1 % of rows may
  repeat it, since a key of the reference may be one by chance.
- relations: the orders and identities that `pairs` finds.
- grid (numbers, and whole numbers in steps of 2 or more): the step of which 99.9 % of the distinct
  values are multiples, if the spread of the values has at most 5,000 of them; off it may be 1 %, or
  the worst day doubled. A converted unit leaves the grid where the range would not tell.
- hours (a time that is no date, over 30 days or more): the share of rows in each hour of the day; a
  day is far when it is farther from that than any day of the reference, and twice Laplace's
  estimate of days may be far. An hour early or late is not far: clocks change.
- constant days: twice Laplace's estimate, where all values were equal on none of 30 days or more.
- daily step (measured levels: numbers with decimals whose daily median persists, lag-1 correlation
  ≥ 0.5 over 30 days or more): 1.4 times the largest change from one day to the next.
- rows: half the 5 % quantile of rows a day to twice the 95 % quantile; without a time from half of
  the reference's rows to ten times as many.
- age (only of a reference that was fresh itself when it was learned from): twice the longest wait
  for a row, at least a day; it warns, for a pause is not always a fault.

The table is read where it lies. The profile says what it knows, the engine counts the rest by day,
and only what is tried out (grids, relations, parts of keys, characters) is tried on a sample: what
it suggests is counted on all rows before it is claimed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.data.checks.claims import Compiled
from treadle.data.checks.days import Days, rows_by_hour
from treadle.data.checks.labelled import labels_by_day, rarer_text
from treadle.data.checks.scan import rows_of, scan_rows
from treadle.data.contracts import ContractBody, LabelRule, TableRule
from treadle.data.hours import learn_grid, learn_hours
from treadle.data.inference.columns import (
    FEWEST_ROWS_A_DAY,
    FIGURES,
    LEAST_OUTSIDE_SHARE,
    NUMERIC,
    ask_column,
    learn_column,
)
from treadle.data.inference.keys import find_key
from treadle.data.inference.roles import checked_roles
from treadle.data.inference.sample import Sample
from treadle.data.inference.texts import learn_texts
from treadle.data.labels import learn_from
from treadle.data.pairs import MOST_COLUMNS, learn_relations, varies
from treadle.data.rounding import downward, upward
from treadle.kernel.clock import HOUR_US
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from treadle.analysis.profiles import TableProfile
    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ColumnRule, RelationRule, Role
    from treadle.data.inference.columns import Learned
    from treadle.data.tables.files import AnyTable

    Floats = NDArray[np.float64]

MEMORY = "256MB"
"""What the engine may hold; the rest waits in temporary files."""
LEAST_AGE_HOURS, FRESH_WAITS = 24, 2
MOST_TIMES_AS_MANY = 10
FEWEST_KEYED, MOST_KEYED = 1_000, 2_000_000
"""Fewer rows name themselves by chance; of more every check of the key would be dear."""
_KEYED = frozenset({"text", "integer", "timestamp", "date"})


def infer_body(
    table: AnyTable,
    profile: TableProfile,
    *,
    roles: Mapping[str, Role] | None = None,
    above: float | None = None,
    now: int | None = None,
) -> ContractBody:
    """Learn a contract from a reference table and its profile; the table itself keeps it.

    `roles` names what the data cannot say: ids, the time, the target, sensitive columns, columns
    known only afterwards. A table with a single timestamp or date column needs no role for it.
    `above` makes a numeric target a yes/no: a yes is a value above it. `now` (µs UTC) tells whether
    the reference is fresh; without it nothing is claimed of the age.
    """
    with rows_of(table, others={}, memory=MEMORY) as (rows, _):
        return _Learning(rows, profile, checked_roles(rows, roles or {})).body(above, now=now)


class _Learning:
    """One table of which a contract is learned."""

    def __init__(self, rows: Rows, profile: TableProfile, roles: Mapping[str, Role]) -> None:
        self._rows = rows
        self._profiles = {p.name: p for p in profile.columns}
        self._roles = roles
        self._time = self._with_role("time")
        self._days = Days(rows, self._time)
        self._total = profile.rows
        self._sample = Sample(rows, self._days)
        self._varied: dict[str, Floats] = {}

    def body(self, above: float | None, *, now: int | None) -> ContractBody:
        learned = {rule.rule.name: rule for rule in self._columns()}
        rules = tuple(learned[name].rule for name in self._rows.schema.names)
        return ContractBody(
            table=self._table_rule(self._key(rules), now=now),
            columns=rules,
            relations=self._relations({n for n, found in learned.items() if found.is_level}),
            label=self._label(above),
        )

    def _columns(self) -> Iterator[Learned]:
        names = self._rows.schema.names
        for some in self._days.turns(names, figures=FIGURES):
            grids = self._grids(some)
            asked = {
                n: ask_column(
                    self._rows, self._profiles[n], role=self._role(n), days=self._days,
                    grid=grids.get(n),
                )
                for n in some
            }  # fmt: skip
            figures = {(n, f): sql for n, a in asked.items() for f, sql in a.figures.items()}
            found = self._days.asked(figures)
            for name in some:
                yield learn_column(
                    asked[name],
                    {f: found[name, f] for f in asked[name].figures},
                    self._profiles[name],
                    kind=self._rows.kind(name),
                    role=self._role(name),
                    days=self._days,
                    texts=self._texts(name),
                )

    def _texts(self, name: str) -> dict[str, Any]:
        if self._rows.kind(name) != "text" or self._role(name) == "id":
            return {}
        return learn_texts(self._rows, self._profiles[name])

    def _grids(self, names: Sequence[str]) -> dict[str, float]:
        """Learn the steps of numbers, and keep those that vary for what they say of each other."""
        numbers = [n for n in names if self._is_number(n) and (self._profiles[n].distinct or 0) > 1]
        grids = {}
        for name, values in self._sample.numbers(numbers):
            step = learn_grid(values, whole=self._rows.kind(name) == "integer")
            if step is not None:
                grids[name] = step
            if len(self._varied) < MOST_COLUMNS and varies(values):
                self._varied[name] = values
        return grids

    def _relations(self, levels: set[str]) -> tuple[RelationRule, ...]:
        found = learn_relations(self._varied, levels=levels)
        if self._sample.is_whole or not found:
            return found
        compiled = Compiled(self._rows, ContractBody(relations=found))
        scanned = scan_rows(
            self._rows, compiled.conditions, figures=compiled.figures, values=compiled.values
        )
        judged = compiled.relation_results(scanned)
        return tuple(r for r, j in zip(found, judged, strict=True) if j.verdict == "pass")

    def _key(self, rules: tuple[ColumnRule, ...]) -> tuple[str, ...]:
        if self._time is None or not FEWEST_KEYED <= self._total <= MOST_KEYED:
            return ()
        free = {"", "id", "time", "sensitive"}
        named = [c.name for c in rules if c.type in _KEYED and c.role in free]
        names = [n for n in dict.fromkeys([self._time, *named]) if not self._profiles[n].nulls]
        return find_key(self._rows, names, total=self._total) if self._time in names else ()

    def _label(self, above: float | None) -> LabelRule | None:
        target = self._with_role("target")
        if target is None:
            return None
        bound = None if above is None else float(above)
        rule = LabelRule(column=target, above=bound, positive=rarer_text(self._rows, target))
        return learn_from(labels_by_day(self._rows, rule, days=self._days), rule=rule)

    def _table_rule(self, key: tuple[str, ...], *, now: int | None) -> TableRule:
        days, rows = self._days, self._total
        counts = days.rows[days.dated]
        if not len(counts):
            return TableRule(min_rows=rows // 2, max_rows=max(1, MOST_TIMES_AS_MANY * rows))
        dated = days.day[days.dated]
        spanned = float(counts.sum() / (dated[-1] - dated[0] + 1))
        typical = min(float(np.quantile(counts, 0.05)), spanned)
        return TableRule(
            min_rows=1,
            min_rows_per_day=downward(typical / 2.0),
            max_rows_per_day=upward(max(1.0, 2.0 * float(np.quantile(counts, 0.95)))),
            unique=(key,) if key else (),
            max_repeated_share=LEAST_OUTSIDE_SHARE if key else 0.0,
            **self._hours(),
            **_age(days, now=now),
        )

    def _hours(self) -> dict[str, Any]:
        if self._time is None or self._rows.kind(self._time) != "timestamp":
            return {}
        return learn_hours(*rows_by_hour(self._rows, self._time))

    def _is_number(self, name: str) -> bool:
        return self._rows.kind(name) in NUMERIC and self._role(name) != "id"

    def _role(self, name: str) -> Role:
        return self._roles.get(name, "")

    def _with_role(self, role: Role) -> str | None:
        return next((name for name, given in self._roles.items() if given == role), None)


def _age(days: Days, *, now: int | None) -> dict[str, Any]:
    """Learn how long the longest wait for a row is, of a reference that is fresh."""
    counts = days.rows[days.dated]
    if now is None or counts.sum() < FEWEST_ROWS_A_DAY:
        return {}
    first, last = days.first[days.dated], days.last[days.dated]
    # A wait within a day is shorter than the least that counts.
    wait = max([LEAST_AGE_HOURS * HOUR_US, *(first[1:] - last[:-1]).tolist()])
    if not 0 <= now - int(last[-1]) <= FRESH_WAITS * wait:
        return {}
    return {"max_age_hours": upward(FRESH_WAITS * wait / HOUR_US), "warn": ("age",)}
