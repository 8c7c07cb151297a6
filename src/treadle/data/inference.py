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
- unique: an id that was unique. For a table with a time, a key that `pairs` finds: 1 % of rows may
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
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treadle.analysis.medians import median_by
from treadle.data.column_types import NO_DAY, days_of, instants_of, kind_of, null_mask, plain
from treadle.data.contracts import ColumnRule, ColumnType, ContractBody, Role, TableRule
from treadle.data.hours import learn_grid, learn_hours, on_grid
from treadle.data.labels import FEWEST_DAYS, learn_label
from treadle.data.pairs import learn_key, learn_relations
from treadle.data.rounding import downward, upward
from treadle.kernel.clock import HOUR_US
from treadle.kernel.errors import InvalidInput, NotFound, near_misses
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from treadle.analysis.profiles import ColumnProfile, TableProfile
    from treadle.data.labels import Days

LEAST_NULL_SHARE = 0.02
LEAST_UNSEEN_SHARE = 0.005
RANGE_SPANS = 2.0
LEAST_OUTSIDE_SHARE = 0.01
MOST_CATEGORIES = 200
LEAST_NEW_SHARE = 0.05
UNSEEN_FACTOR = 10.0
STEP_FACTOR = 1.4
STEP_FEWEST_DAYS = 30
STEP_PERSISTENCE = 0.5
STEP_FEWEST_VALUES = 20
CALENDAR_CORRELATION = 0.8
LEAST_AGE_HOURS, FRESH_WAITS = 24, 2
MOST_TIMES_AS_MANY = 10
FEWEST_ROWS_A_DAY = 30
"""A share of fewer rows than this is no share of a day."""
MOST_SPANNED_DAYS = 1_000_000
LONGEST_SHAPE = 100
SHAPED_TEXTS = 100_000
MOST_OTHER_CHARACTERS = 12
FEWEST_KEYED, MOST_KEYED = 1_000, 2_000_000
"""Fewer rows name themselves by chance; of more the search would take minutes."""
_CLASSES = ("[A-Z]", "[a-z]", "[0-9]")
_SPECIAL = frozenset("[]^\\|&~")
ROLES: tuple[Role, ...] = ("id", "time", "target", "sensitive", "known_after")
_DATED: tuple[ColumnType, ...] = ("timestamp", "date")
_NUMERIC: tuple[ColumnType, ...] = ("integer", "number")


def infer_body(
    table: pa.Table,
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
    given = _with_time(table, dict(roles or {}))
    _check_roles(table, given)
    time = next((name for name, role in given.items() if role == "time"), None)
    days = None if time is None else days_of(table.column(time))
    rules = tuple(
        _column_rule(
            table.column(name), profile=profile.column(name), role=given.get(name, ""), days=days
        )
        for name in table.column_names
    )
    target = next((name for name, role in given.items() if role == "target"), None)
    numbers = [c.name for c in rules if c.type in _NUMERIC and c.role != "id"]
    order = slice(None) if days is None else np.argsort(days, kind="stable")
    return ContractBody(
        table=_table_rule(
            table.num_rows,
            days=days,
            key=_key(table, rules, time=time),
            of_time={} if time is None else _time_claims(table.column(time), now=now),
        ),
        columns=rules,
        relations=learn_relations(
            {n: as_numbers(plain(table.column(n)))[order] for n in numbers},
            levels={c.name for c in rules if _is_level(table.column(c.name), rule=c, days=days)},
        ),
        label=None
        if target is None
        else learn_label(table.column(target), column=target, days=days, above=above),
    )


def outside_range(
    column: pa.ChunkedArray, *, low: float | None, high: float | None
) -> NDArray[np.bool_]:
    """Return which values lie outside a range; nulls do not."""
    values = as_numbers(column)
    outside = np.zeros(len(values), dtype=np.bool_)
    if low is not None:
        outside |= values < low
    if high is not None:
        outside |= values > high
    return outside


def as_numbers(column: pa.ChunkedArray) -> NDArray[np.float64]:
    """Return a numeric column as float64, NaN for null."""
    return np.asarray(pc.cast(column, pa.float64(), safe=False).to_numpy(), dtype=np.float64)


def largest_step(column: pa.ChunkedArray, *, days: Days) -> tuple[float, int]:
    """Return the largest change of the median from one day to the very next, and on which day."""
    medians, present = _daily_medians(column, days=days)
    changes = np.abs(np.diff(medians))
    changes[np.diff(present) != 1] = 0.0
    if not len(changes):
        return 0.0, NO_DAY
    at = int(np.argmax(changes))
    return float(changes[at]), int(present[at + 1])


def _with_time(table: pa.Table, roles: dict[str, Role]) -> dict[str, Role]:
    dated = [f.name for f in table.schema if kind_of(f.type) in _DATED]
    if "time" not in roles.values() and len(dated) == 1:
        roles.setdefault(dated[0], "time")
    return roles


def _check_roles(table: pa.Table, roles: Mapping[str, Role]) -> None:
    for name, role in roles.items():
        if name not in table.column_names:
            raise NotFound("column", name, known=table.column_names)
        if role not in ROLES:
            close = near_misses(role, ROLES)
            hint = f"Did you mean {close[0]!r}?" if close else f"There is: {', '.join(ROLES)}."
            raise InvalidInput(f"Column {name!r}: no role {role!r}.", hint=hint)
        kind = kind_of(table.schema.field(name).type)
        if role == "time" and kind not in _DATED:
            raise InvalidInput(
                f"Column {name!r} cannot be the time: it is {kind}.",
                hint="Name a timestamp or date column.",
            )
    targets = [name for name, role in roles.items() if role == "target"]
    if len(targets) > 1:
        raise InvalidInput(f"Two targets: {' and '.join(targets)}.", hint="Name one.")


def _column_rule(
    column: pa.ChunkedArray, *, profile: ColumnProfile, role: Role, days: Days | None
) -> ColumnRule:
    column = plain(column)
    kind = kind_of(column.type)
    claims: dict[str, Any] = {}
    if kind in _NUMERIC and role != "id":
        claims = _number_claims(column, profile=profile, role=role, days=days)
    if kind == "text" and role != "id":
        claims = _text_claims(column, profile=profile) or _shape(column)
    known = profile.rows - profile.nulls
    return ColumnRule(
        name=profile.name,
        type=kind,
        role=role,
        max_null_share=_null_share(column, profile=profile, role=role, days=days),
        unique=role == "id" and known > 1 and profile.distinct == known,
        **claims,
    )


def _null_share(
    column: pa.ChunkedArray, *, profile: ColumnProfile, role: Role, days: Days | None
) -> float:
    if role == "target" or not profile.rows:
        return 1.0
    if role in {"id", "time"} and not profile.nulls:
        return 0.0
    return max(LEAST_NULL_SHARE, _worst_share(null_mask(column), days=days))


def _worst_share(rows: NDArray[np.bool_], *, days: Days | None) -> float:
    """Return a share with twice the odds that all rows show, or the worst day if that is more."""
    share = float(rows.mean()) if len(rows) else 0.0
    if days is not None:
        place = _places(days)
        counts = np.bincount(place)
        enough = counts >= FEWEST_ROWS_A_DAY
        if enough.any():
            by_day = np.bincount(place, weights=rows)[enough] / counts[enough]
            share = max(share, float(by_day.max()))
    return min(1.0, upward(2.0 * share / (1.0 + share)))


def _places(days: Days) -> Days:
    """Return days as small numbers from 0, some of which no row may have."""
    if len(days) and int(days.max()) - int(days.min()) > MOST_SPANNED_DAYS:
        return np.unique(days, return_inverse=True)[1].astype(np.int64)
    return days - days.min() if len(days) else days


def _number_claims(
    column: pa.ChunkedArray, *, profile: ColumnProfile, role: Role, days: Days | None
) -> dict[str, Any]:
    claims: dict[str, Any] = {}
    medians, present = _daily_medians(column, days=days)
    if not _correlate(medians, present, at_least=CALENDAR_CORRELATION):
        low, high = _range(profile)
        if low is not None:
            known = ~null_mask(column)
            outside = outside_range(column, low=low, high=high)[known]
            share = _worst_share(outside, days=None if days is None else days[known])
            share = max(LEAST_OUTSIDE_SHARE, share)
            claims = {"low": low, "high": high, "max_outside_share": share}
    known = ~null_mask(column)
    if known.any():
        zeros = as_numbers(column)[known] == 0.0
        of_days = days[known] if days is not None and zeros.any() else None
        share = _worst_share(zeros, days=of_days)
        least = LEAST_NULL_SHARE if zeros.any() else LEAST_UNSEEN_SHARE
        claims["max_zero_share"] = max(least, share)
    claims |= _standing_still(column, days=days) | _grid(column, days=days)
    is_level = kind_of(column.type) == "number" and (profile.distinct or 0) >= STEP_FEWEST_VALUES
    is_level = is_level and len(medians) >= STEP_FEWEST_DAYS
    if role in {"", "sensitive"} and is_level and days is not None:
        largest, _ = largest_step(column, days=days)
        if largest > 0.0 and _correlate(medians[:-1], medians[1:], at_least=STEP_PERSISTENCE):
            claims["max_daily_step"] = upward(STEP_FACTOR * largest)
    return claims


def _range(profile: ColumnProfile) -> tuple[float | None, float | None]:
    if not profile.quantiles or not profile.distinct:
        return None, None
    inner = profile.quantile(0.01), profile.quantile(0.99)
    outer = profile.quantile(0.0), profile.quantile(1.0)
    low, high = inner if inner[0] < inner[1] else outer
    if low == high:
        return None, None  # a constant tells nothing of its range
    room = RANGE_SPANS * (high - low)
    return (
        0.0 if outer[0] == 0.0 else downward(low - room),
        0.0 if outer[1] == 0.0 else upward(high + room),
    )


def _standing_still(column: pa.ChunkedArray, *, days: Days | None) -> dict[str, Any]:
    if days is None:
        return {}
    values = as_numbers(column)
    known = np.isfinite(values) & (days > NO_DAY)
    if not known.any():
        return {}
    order = np.argsort(days[known], kind="stable")
    starts = np.flatnonzero(np.diff(days[known][order], prepend=NO_DAY))
    counts = np.diff(starts, append=len(order))
    low = np.minimum.reduceat(values[known][order], starts)
    high = np.maximum.reduceat(values[known][order], starts)
    enough = counts >= FEWEST_ROWS_A_DAY
    if enough.sum() < STEP_FEWEST_DAYS:
        return {}
    if (low == high)[enough].any():
        return {}
    return {"max_constant_days": upward(2.0 / (int(enough.sum()) + 2))}


def _grid(column: pa.ChunkedArray, *, days: Days | None) -> dict[str, Any]:
    values = as_numbers(column)
    step = learn_grid(values)
    if step is None or (kind_of(column.type) == "integer" and step <= 1.0):  # says nothing more
        return {}
    known = np.isfinite(values)
    off = ~on_grid(values[known], step)
    share = _worst_share(off, days=None if days is None else days[known])
    return {"grid": step, "max_off_grid_share": max(LEAST_OUTSIDE_SHARE, share)}


def _time_claims(column: pa.ChunkedArray, *, now: int | None) -> dict[str, Any]:
    """Learn at which hours rows come, and how long the longest wait for one is."""
    at = np.sort(np.asarray(pc.drop_null(instants_of(column)).to_numpy(), dtype=np.int64))
    if not len(at):
        return {}
    claims = learn_hours(at) if kind_of(column.type) == "timestamp" else {}
    if now is None or len(at) < FEWEST_ROWS_A_DAY:
        return claims
    wait = max(int(np.diff(at).max()), LEAST_AGE_HOURS * HOUR_US)
    if not 0 <= now - int(at[-1]) <= FRESH_WAITS * wait:
        return claims
    return claims | {"max_age_hours": upward(FRESH_WAITS * wait / HOUR_US), "warn": ("age",)}


def _shape(column: pa.ChunkedArray) -> dict[str, Any]:
    """Learn of which characters texts consist, and how many."""
    texts = pc.unique(pc.drop_null(column))
    lengths = np.asarray(pc.utf8_length(texts).to_numpy(zero_copy_only=False))
    if len(texts) < MOST_CATEGORIES or int(lengths.max()) > LONGEST_SHAPE:
        return {}
    seen = set("".join(texts.slice(0, SHAPED_TEXTS).to_pylist()))
    rest = {c for c in seen if not any(re.match(known, c) for known in _CLASSES)}
    if len(rest) > MOST_OTHER_CHARACTERS or any(not c.isprintable() or c in _SPECIAL for c in rest):
        return {}
    classes = [known[1:-1] for known in _CLASSES if any(re.match(known, c) for c in seen)]
    others = "".join(f"\\{c}" if c in "./-$" else c for c in sorted(rest))
    pattern = f"[{''.join(classes)}{others}]{{{int(lengths.min()) // 2},{2 * int(lengths.max())}}}"
    return {"pattern": pattern, "max_unmatched_share": LEAST_OUTSIDE_SHARE}


def _is_level(column: pa.ChunkedArray, *, rule: ColumnRule, days: Days | None) -> bool:
    if rule.type != "number":
        return False
    medians, _ = _daily_medians(plain(column), days=days)
    return _correlate(medians[:-1], medians[1:], at_least=STEP_PERSISTENCE)


def _key(table: pa.Table, rules: tuple[ColumnRule, ...], *, time: str | None) -> tuple[str, ...]:
    if time is None or not FEWEST_KEYED <= table.num_rows <= MOST_KEYED:
        return ()
    kinds = ("text", "integer", "timestamp", "date")
    named = [c.name for c in rules if c.type in kinds and c.role in {"", "id", "time", "sensitive"}]
    columns = {n: plain(table.column(n)) for n in (time, *named)}
    codes = {
        n: np.asarray(c.combine_chunks().dictionary_encode().indices, dtype=np.int64)
        for n, c in columns.items()
        if not null_mask(c).any()
    }
    return learn_key(codes) if time in codes else ()


def _text_claims(column: pa.ChunkedArray, *, profile: ColumnProfile) -> dict[str, Any]:
    if not profile.distinct or profile.distinct > MOST_CATEGORIES or profile.kind == "text":
        return {}
    values = pc.drop_null(column)
    counts = pc.value_counts(values).field("counts")
    once = int(pc.sum(pc.equal(counts, 1)).as_py() or 0)
    return {
        "categories": tuple(sorted(str(v) for v in pc.unique(values).to_pylist())),
        "max_new_share": min(1.0, max(LEAST_NEW_SHARE, upward(UNSEEN_FACTOR * once / len(values)))),
    }


def _daily_medians(
    column: pa.ChunkedArray, *, days: Days | None
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    if days is None:
        return np.empty(0), np.empty(0, dtype=np.int64)
    dated = days > NO_DAY
    found = median_by(as_numbers(column)[dated], days[dated])
    medians = np.array([m.median for m in found], dtype=np.float64)
    return medians, np.array([int(m.group) for m in found], dtype=np.int64)


def _correlate(first: NDArray[np.float64], second: NDArray[Any], *, at_least: float) -> bool:
    if len(first) < FEWEST_DAYS or first.min() == first.max() or second.min() == second.max():
        return False
    return bool(abs(np.corrcoef(first, second)[0, 1]) >= at_least)


def _table_rule(
    rows: int, *, days: Days | None, key: tuple[str, ...], of_time: dict[str, Any]
) -> TableRule:
    dated = np.empty(0) if days is None else days[days > NO_DAY]
    if not len(dated):
        return TableRule(min_rows=rows // 2, max_rows=max(1, MOST_TIMES_AS_MANY * rows))
    counts = np.unique(dated, return_counts=True)[1]
    spanned = len(dated) / (dated.max() - dated.min() + 1)
    typical = min(float(np.quantile(counts, 0.05)), float(spanned))
    return TableRule(
        min_rows=1,
        min_rows_per_day=downward(typical / 2.0),
        max_rows_per_day=upward(max(1.0, 2.0 * float(np.quantile(counts, 0.95)))),
        unique=(key,) if key else (),
        max_repeated_share=LEAST_OUTSIDE_SHARE if key else 0.0,
        **of_time,
    )
