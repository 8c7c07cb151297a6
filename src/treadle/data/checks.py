"""Checking a table against a contract: every row counted, at most five shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.data.column_types import NO_DAY, as_shown, days_of, kind_of, null_mask, plain
from treadle.data.entities import MAX_EXAMPLES, CheckResult, Verdict
from treadle.data.inference import as_numbers, largest_step, outside_range
from treadle.data.labels import check_labels
from treadle.kernel.clock import DAY_US, HOUR_US, format_day
from treadle.kernel.errors import near_misses

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from numpy.typing import NDArray

    from treadle.data.contracts import ColumnRule, ContractBody
    from treadle.data.labels import Days

# A column of the second kind keeps a rule of the first, or may (see _keeps_kind).
_FITS = {
    "number": frozenset({"integer"}),
    "integer": frozenset({"number"}),
    "timestamp": frozenset({"date"}),
}


def check_table(
    table: pa.Table, body: ContractBody, *, now: int | None = None
) -> tuple[CheckResult, ...]:
    """Check a table against a contract, one pass per column.

    `now` (µs UTC) is needed only for the table's age; without it that check is left out. Rows
    without a label are counted by the check `labelled`, which warns: they are never dropped.
    """
    days = _days(table, body)
    results = [*_table_checks(table, body, days=days, now=now), *_presence(table, body)]
    for rule in body.columns:
        if rule.name in table.column_names:
            results += _column_checks(_Look(table, body, rule), days=days)
    if body.label is not None and body.label.column in table.column_names:
        results += check_labels(table.column(body.label.column), rule=body.label, days=days)
    return tuple(results)


class _Look:
    """One column of a table under one rule, and how its rows are shown."""

    def __init__(self, table: pa.Table, body: ContractBody, rule: ColumnRule) -> None:
        self.rule = rule
        self.column = plain(table.column(rule.name))
        self.rows = table.num_rows
        self.nulls = null_mask(self.column)
        self.known = self.rows - int(self.nulls.sum())
        self._table = table
        self._named = [*body.with_role("id"), *body.with_role("time")]

    def result(
        self,
        check: str,
        *,
        counted: int,
        total: int,
        verdict: Verdict,
        message: str,
        rows: Iterable[int] = (),
    ) -> CheckResult:
        return CheckResult(
            check=check,
            column=self.rule.name,
            verdict=verdict,
            counted=counted,
            total=total,
            message=message,
            examples=tuple(self.shown(int(row)) for row in list(rows)[:MAX_EXAMPLES]),
        )

    def shown(self, row: int) -> dict[str, Any]:
        """Return a row as an example: its number from 0, its value, and what names it."""
        names = dict.fromkeys([self.rule.name, *self._named])
        present = [n for n in names if n in self._table.column_names]
        cells = {n: as_shown(self._table.column(n)[row].as_py()) for n in present}
        return {"row": row, **cells}


def _days(table: pa.Table, body: ContractBody) -> Days | None:
    if body.time is None or body.time not in table.column_names:
        return None
    column = plain(table.column(body.time))
    return days_of(column) if kind_of(column.type) in {"timestamp", "date"} else None


def _table_checks(
    table: pa.Table, body: ContractBody, *, days: Days | None, now: int | None
) -> Iterator[CheckResult]:
    rows, rule = table.num_rows, body.table
    yield CheckResult(
        check="rows",
        verdict="fail" if rows < rule.min_rows else "pass",
        counted=max(0, rule.min_rows - rows),
        total=rule.min_rows,
        message=f"{rows:,} rows; at least {rule.min_rows:,} are expected.",
    )
    dated = np.empty(0, dtype=np.int64) if days is None else days[days > NO_DAY]
    if rule.min_rows_per_day is not None and len(dated):
        yield _rows_per_day(dated, least=rule.min_rows_per_day)
    if rule.max_age_hours is not None and now is not None and body.time and len(dated):
        yield _age(table.column(body.time), limit_hours=rule.max_age_hours, now=now)


def _rows_per_day(dated: Days, *, least: float) -> CheckResult:
    span = int(dated.max() - dated.min()) + 1
    found = len(dated) / span
    return CheckResult(
        check="rows_per_day",
        verdict="fail" if found < least else "pass",
        counted=0 if found >= least else int(np.ceil(least * span - len(dated))),
        total=len(dated),
        message=f"{found:,.1f} rows a day over {span} days; at least {least:,.1f} are expected.",
    )


def _age(column: pa.ChunkedArray, *, limit_hours: float, now: int) -> CheckResult:
    newest = pc.max(pc.cast(column, pa.timestamp("us", tz=getattr(column.type, "tz", None))))
    hours = (now - int(newest.value)) / HOUR_US
    return CheckResult(
        check="age",
        verdict="fail" if hours > limit_hours else "pass",
        counted=int(hours > limit_hours),
        total=1,
        message=f"The newest row is {hours:,.1f} hours old; {limit_hours:,.1f} are allowed.",
    )


def _presence(table: pa.Table, body: ContractBody) -> Iterator[CheckResult]:
    present, claimed = table.column_names, [c.name for c in body.columns]
    missing = [n for n in claimed if n not in present]
    extra = [n for n in present if n not in claimed]
    yield CheckResult(
        check="columns",
        verdict="fail" if missing else "warn" if extra else "pass",
        counted=len(missing) + len(extra),
        total=len(claimed),
        message=_presence_message(missing, extra),
        examples=tuple(
            {"missing": n, "similar": list(near_misses(n, extra))} for n in missing[:MAX_EXAMPLES]
        ),
    )


def _presence_message(missing: list[str], extra: list[str]) -> str:
    parts = [
        f"{word}: {', '.join(names[:MAX_EXAMPLES])}{', …' if len(names) > MAX_EXAMPLES else ''}"
        for word, names in (("missing", missing), ("not in the contract", extra))
        if names
    ]
    return f"Columns {'; '.join(parts)}." if parts else "All columns are there."


def _column_checks(look: _Look, *, days: Days | None) -> Iterator[CheckResult]:
    rule = look.rule
    kind = _kind(look)
    yield kind
    yield _nulls(look)
    if kind.verdict == "fail" or not look.known:
        return
    if rule.low is not None or rule.high is not None:
        yield _range(look)
    if rule.categories:
        yield _categories(look)
    if rule.unique:
        yield _unique(look)
    if rule.max_daily_step is not None and days is not None:
        yield _daily_step(look, days=days, most=rule.max_daily_step)


def _kind(look: _Look) -> CheckResult:
    found, expected = kind_of(look.column.type), look.rule.type
    keeps = not look.known or found == expected or _keeps_kind(look)
    return look.result(
        "type",
        counted=0 if keeps else look.known,
        total=look.rows,
        verdict="pass" if keeps else "fail",
        message=f"It is {look.column.type}, as expected."
        if keeps
        else f"It is {look.column.type}; {expected} is expected.",
        rows=() if keeps else _strangers(look),
    )


def _keeps_kind(look: _Look) -> bool:
    found = kind_of(look.column.type)
    if found not in _FITS.get(look.rule.type, frozenset()):
        return False
    if look.rule.type != "integer":
        return True
    # Frames turn whole numbers with a null into floats: judge the values.
    values = as_numbers(look.column)[~look.nulls]
    return bool((np.floor(values) == values).all())


def _strangers(look: _Look) -> NDArray[np.int64]:
    """Return the first rows whose value is not of the expected kind; texts are read to see."""
    if kind_of(look.column.type) != "text" or look.rule.type not in {"integer", "number"}:
        return np.flatnonzero(~look.nulls)[:MAX_EXAMPLES]
    reads = pc.match_substring_regex(look.column, r"^\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*$")
    return np.flatnonzero(~np.asarray(pc.fill_null(reads, fill_value=True).to_numpy()))


def _nulls(look: _Look) -> CheckResult:
    counted, allowed = look.rows - look.known, look.rule.max_null_share
    share = counted / look.rows if look.rows else 0.0
    broken = share > allowed
    return look.result(
        "nulls",
        counted=counted,
        total=look.rows,
        verdict="fail" if broken else "pass",
        message=f"{counted:,} of {look.rows:,} have no value ({share:.2%}); "
        f"{allowed:.2%} are allowed.",
        rows=np.flatnonzero(look.nulls)[:MAX_EXAMPLES] if broken else (),
    )


def _range(look: _Look) -> CheckResult:
    rule = look.rule
    outside = np.flatnonzero(outside_range(look.column, low=rule.low, high=rule.high))
    bounds = f"{'…' if rule.low is None else f'{rule.low:g}'} to "
    bounds += "…" if rule.high is None else f"{rule.high:g}"
    return _shared(
        look,
        "range",
        outside,
        allowed=rule.max_outside_share,
        message=f"{len(outside):,} of {look.known:,} values lie outside {bounds}",
        tolerated="pass",  # the reference had such rows too
    )


def _categories(look: _Look) -> CheckResult:
    known = pa.array(look.rule.categories, type=pa.string())
    column = pc.cast(look.column, pa.string())
    new = ~look.nulls & ~np.asarray(pc.is_in(column, value_set=known).to_numpy())
    rows = np.flatnonzero(new)
    names = sorted({str(v) for v in column.take(rows).unique().to_pylist()})
    shown = f": {', '.join(names[:MAX_EXAMPLES])}{', …' if len(names) > MAX_EXAMPLES else ''}"
    return _shared(
        look,
        "categories",
        rows,
        allowed=look.rule.max_new_share,
        message=f"{len(rows):,} of {look.known:,} values are new{shown if names else ''}",
        tolerated="warn",
    )


def _shared(
    look: _Look,
    check: str,
    rows: NDArray[np.int64],
    *,
    allowed: float,
    message: str,
    tolerated: Verdict,
) -> CheckResult:
    """Judge by the share of rows that break a rule; up to the allowed share they are tolerated."""
    share = len(rows) / look.known
    verdict: Verdict = "fail" if share > allowed else tolerated if len(rows) else "pass"
    return look.result(
        check,
        counted=len(rows),
        total=look.known,
        verdict=verdict,
        message=f"{message} ({share:.2%}; {allowed:.2%} are allowed).",
        rows=rows[:MAX_EXAMPLES],
    )


def _unique(look: _Look) -> CheckResult:
    codes = pc.dictionary_encode(look.column.combine_chunks()).indices
    places = np.array(pc.fill_null(codes, -1).to_numpy(zero_copy_only=False))
    places[look.nulls] = -1  # also NaN, which Arrow counts as a value
    seen = places[places >= 0]
    counts = np.bincount(seen)
    repeated = counts[counts > 1].sum() - (counts > 1).sum()
    twice = np.flatnonzero((places >= 0) & (counts[np.maximum(places, 0)] > 1))
    return look.result(
        "unique",
        counted=int(repeated),
        total=look.known,
        verdict="fail" if repeated else "pass",
        message=f"{int(repeated):,} of {look.known:,} values repeat another.",
        rows=twice[:MAX_EXAMPLES],
    )


def _daily_step(look: _Look, *, days: Days, most: float) -> CheckResult:
    step, day = largest_step(look.column, days=days)
    broken = step > most
    when = f" on {format_day(day * DAY_US)}" if day > NO_DAY else ""
    return look.result(
        "daily_step",
        counted=int(broken),
        total=len(np.unique(days)),
        verdict="fail" if broken else "pass",
        message=f"The largest change of the median from day to day is {step:.4g}{when}; "
        f"{most:g} is allowed.",
        rows=np.flatnonzero(days == day)[:1] if broken else (),
    )
