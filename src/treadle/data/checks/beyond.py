"""The claims that no look at single rows can judge: each is one more query, bounded by MEMORY.

Unique keys and references need all values at once (DuckDB spills them), the order of rows needs
the rows before, and daily medians the values of a day (`days` asks for them in turns).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.data.checks.claims import Counts, shared
from treadle.data.checks.days import Days, largest_step, rows_by_hour
from treadle.data.checks.scan import Broken
from treadle.data.entities import MAX_EXAMPLES, CheckResult
from treadle.data.hours import FEWEST_ROWS as FEWEST_VALUES
from treadle.data.hours import counted_hours, hours_distance
from treadle.kernel.clock import DAY_US, format_day
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ColumnRule, TableRule

    Floats = NDArray[np.float64]


def repeated(
    rows: Rows, names: Sequence[str], *, column: str, shown: Sequence[str], allowed: float = 0.0
) -> CheckResult:
    """Check that no two rows agree in these columns; rows where one has no value are left out."""
    keys = ", ".join(f"{rows.column(n)} AS k{i}" for i, n in enumerate(names))
    there = " AND ".join(f"k{i} IS NOT NULL" for i in range(len(names)))
    group = ", ".join(f"k{i}" for i in range(len(names)))
    keyed = f"SELECT row, {rows.cells(shown)} AS cells, {keys} FROM t"
    twice = (
        f"SELECT {group}, count(*) AS n, min(row) AS r FROM (SELECT row, {keys} FROM t) "
        f"WHERE {there} GROUP BY {group}"
    )
    (found,) = rows.query(
        f"SELECT coalesce(sum(n), 0)::BIGINT AS known, coalesce(sum(n - 1), 0)::BIGINT AS more "
        f"FROM ({twice})"
    )
    known, more = found["known"], found["more"]
    examples: list[dict[str, Any]] = []
    if more:
        # The five earliest rows that repeat belong to the five keys that begin earliest.
        first = f"SELECT {group} FROM ({twice} HAVING n > 1) ORDER BY r LIMIT {MAX_EXAMPLES}"
        examples = rows.query(
            f"SELECT cells FROM ({keyed}) SEMI JOIN ({first}) USING ({group}) "
            f"ORDER BY row LIMIT {MAX_EXAMPLES}"
        )
    of = "values repeat another" if column else f"rows repeat another in {', '.join(names)}"
    return CheckResult(
        check="unique",
        column=column,
        verdict="fail" if more > allowed * known else "pass",
        counted=more,
        total=known,
        message=f"{more:,} of {known:,} {of}{f' ({allowed:.2%} are allowed)' if allowed else ''}.",
        examples=tuple(rows.shown(r["cells"], shown) for r in examples),
    )


def orphans(rows: Rows, rule: ColumnRule, *, other: Rows, shown: Sequence[str]) -> CheckResult:
    """Check that each value is among those of a column of another table."""
    named = rule.references_column or rule.name
    if named not in other:
        return CheckResult(
            check="references",
            column=rule.name,
            verdict="fail",
            counted=0,
            total=0,
            message=f"{rule.references} has no column {named!r}.",
        )
    mine, theirs = rows.column(rule.name), other.column(named)
    if rows.kind(rule.name) != other.kind(named):
        mine, theirs = f"CAST({mine} AS VARCHAR)", f"CAST({theirs} AS VARCHAR)"
    known_there = f"SELECT {theirs} FROM ({other.source}) WHERE {theirs} IS NOT NULL"
    (found,) = rows.query(
        f"SELECT count(*) AS known, count(*) FILTER (lost) AS n, "
        f"arg_min(cells, row, {MAX_EXAMPLES}) FILTER (lost) AS rows FROM ("
        f"SELECT row, {rows.cells(shown)} AS cells, {mine} NOT IN ({known_there}) AS lost "
        f"FROM t WHERE {mine} IS NOT NULL)"
    )
    first = tuple(rows.shown(r, shown) for r in found["rows"] or ())
    counts = Counts(found["known"], found["known"], Broken(found["n"], first))
    return shared(
        "references",
        rule.name,
        counts,
        allowed=rule.max_orphan_share,
        message=f"{found['n']:,} of {found['known']:,} values "
        f"are not in {named} of {rule.references}",
        tolerated="pass",
    )


def disorder(rows: Rows, name: str, *, shown: Sequence[str]) -> CheckResult:
    """Check that no value is below one of an earlier row."""
    value = rows.column(name)
    before = "max(v) OVER (ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)"
    (found,) = rows.query(
        f"SELECT count(v) AS known, count(*) FILTER (v < before) AS n, "
        f"arg_min(cells, row, {MAX_EXAMPLES}) FILTER (v < before) AS rows FROM ("
        f"SELECT row, cells, v, {before} AS before FROM ("
        f"SELECT row, {rows.cells(shown)} AS cells, {value} AS v FROM t))"
    )
    return CheckResult(
        check="order",
        column=name,
        verdict="fail" if found["n"] else "pass",
        counted=found["n"],
        total=found["known"],
        message=f"{found['n']:,} of {found['known']:,} values are below one of an earlier row.",
        examples=tuple(rows.shown(r, shown) for r in found["rows"] or ()),
    )


def by_day(
    rows: Rows, rules: Sequence[ColumnRule], *, time: str, shown: Sequence[str]
) -> dict[str, list[CheckResult]]:
    """Check how far each median moves from a day to the very next, and whether days stand still."""
    days = Days(rows, time)
    by_name = {rule.name: rule for rule in rules}
    found: dict[str, list[CheckResult]] = {}
    for names in days.turns(list(by_name), figures=len(_Figures._fields)):
        asked: dict[tuple[str, str], str] = {}
        for name in names:
            value = f"(CASE WHEN isfinite({rows.number(name)}) THEN {rows.number(name)} END)"
            asked[name, "known"] = f"count({value})"
            asked |= {(name, "low"): f"min({value})", (name, "high"): f"max({value})"}
            if by_name[name].max_daily_step is not None:
                asked[name, "median"] = f"median({value})"
        of = days.asked(asked)
        for name in names:
            figures = _Figures(*(of.get((name, f), np.empty(0)) for f in _Figures._fields))
            found[name] = list(_by_day(rows, by_name[name], days, figures, shown=shown))
    return found


class _Figures(NamedTuple):
    """What the finite values of a column are on each day; medians where they are needed."""

    known: Floats
    low: Floats
    high: Floats
    median: Floats


def _by_day(
    rows: Rows, rule: ColumnRule, days: Days, figures: _Figures, *, shown: Sequence[str]
) -> Iterator[CheckResult]:
    if rule.max_constant_days < 1.0:
        yield _constant_days(rule, days, figures)
    if rule.max_daily_step is not None:
        yield _step(rows, rule, days, figures.median, shown=shown)


def _constant_days(rule: ColumnRule, days: Days, figures: _Figures) -> CheckResult:
    enough = days.dated & (figures.known >= FEWEST_VALUES)
    still = np.flatnonzero(enough & (figures.low == figures.high))
    judged = int(enough.sum())
    return CheckResult(
        check="constant_days",
        column=rule.name,
        verdict="fail" if len(still) > max(1.0, rule.max_constant_days * judged) else "pass",
        counted=len(still),
        total=judged,
        message=f"On {len(still)} of {judged} days with at least {FEWEST_VALUES} values all "
        "are equal.",
        examples=tuple(
            {"day": format_day(int(days.day[i]) * DAY_US), rule.name: float(figures.low[i])}
            for i in still[:MAX_EXAMPLES]
        ),
    )


def far_days(rows: Rows, rule: TableRule, *, time: str) -> CheckResult:
    """Check whether the rows of each day spread over its hours as they did when it was learned."""
    days, counts = counted_hours(*rows_by_hour(rows, time))
    distances = hours_distance(counts, np.array(rule.hours))
    far = np.flatnonzero(distances > rule.max_hours_distance)
    allowed = max(1.0, rule.max_far_days * len(days))
    return CheckResult(
        check="hours",
        verdict="fail" if len(far) > allowed else "pass",
        counted=len(far),
        total=len(days),
        message=f"On {len(far)} of {len(days)} days with at least {FEWEST_VALUES} rows more than "
        f"{rule.max_hours_distance:.1%} of them lie in other hours than they used to.",
        examples=tuple(
            {"day": format_day(int(days[i]) * DAY_US), "moved": round(float(distances[i]), 3)}
            for i in far[:MAX_EXAMPLES]
        ),
    )


def _step(
    rows: Rows, rule: ColumnRule, days: Days, medians: Floats, *, shown: Sequence[str]
) -> CheckResult:
    step, at = largest_step(medians, days.day)
    most = float(rule.max_daily_step or 0.0)
    broken = at >= 0 and step > most
    when = f" on {format_day(int(days.day[at]) * DAY_US)}" if at >= 0 else ""
    return CheckResult(
        check="daily_step",
        column=rule.name,
        verdict="fail" if broken else "pass",
        counted=int(broken),
        total=len(days.day),
        message=f"The largest change of the median from day to day is {step:.4g}{when}; "
        f"{most:g} is allowed.",
        examples=_first_of_day(rows, days, at, (rule.name, *shown)) if broken else (),
    )


def _first_of_day(
    rows: Rows, days: Days, at: int, shown: Sequence[str]
) -> tuple[dict[str, Any], ...]:
    on_that_day = f"{days.sql} = {days.day[at]}"
    (found,) = rows.query(
        f"SELECT arg_min({rows.cells(shown)}, row) AS first FROM t WHERE {on_that_day}"
    )
    return (rows.shown(found["first"], shown),)
