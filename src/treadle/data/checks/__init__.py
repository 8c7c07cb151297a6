"""Checking a table against a contract: every row counted, at most five shown.

All claims about single rows are one scan (`scan`), what needs more is one bounded query each
(`beyond`). The table is an Arrow table, or Parquet files that are never in memory as a whole.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from treadle.data.checks.beyond import by_day, disorder, far_days, orphans, repeated
from treadle.data.checks.claims import Compiled, softened
from treadle.data.checks.days import Days, day_of
from treadle.data.checks.labelled import can_label, labels_by_day
from treadle.data.checks.scan import Figure, Rows, rows_of, scan_rows
from treadle.data.entities import MAX_EXAMPLES, CheckResult
from treadle.data.labels import judge_labels
from treadle.kernel.clock import HOUR_US
from treadle.kernel.errors import counted, near_misses

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from treadle.data.contracts import ColumnRule, ContractBody, TableRule
    from treadle.data.tables.files import AnyTable


def check_table(
    table: AnyTable,
    body: ContractBody,
    *,
    now: int | None = None,
    others: Mapping[str, AnyTable] | None = None,
) -> tuple[CheckResult, ...]:
    """Check an Arrow table or Parquet files against a contract.

    `now` (µs UTC) is needed only for the table's age, `others` (by what `references` names) only
    for references; without them those checks are left out. Rows without a label are counted by the
    check `labelled`, which warns: they are never dropped.
    """
    with rows_of(table, others=others or {}) as (rows, opened):
        return tuple(_Checking(rows, body, others=opened).results(now=now))


class _Checking:
    """One table under one contract."""

    def __init__(self, rows: Rows, body: ContractBody, *, others: Mapping[str, Rows]) -> None:
        self._rows = rows
        self._body = body
        self._others = others
        time = body.time
        dated = time is not None and time in rows and rows.kind(time) in {"timestamp", "date"}
        self._time = time if dated else None
        self._compiled = Compiled(rows, body)

    def results(self, *, now: int | None) -> Iterator[CheckResult]:
        figures = [*self._compiled.figures, *self._time_figures()]
        compiled = self._compiled
        scanned = scan_rows(
            self._rows, compiled.conditions, figures=figures, values=compiled.values
        )
        of_time = scanned.figures[len(compiled.figures) :]
        for found in self._of_table(scanned.rows, of_time, now=now):
            yield softened(found, warn=self._body.table.warn)
        columns = list(compiled.column_results(scanned))
        steps = self._steps([rule for rule, known, _ in columns if known])
        for rule, known, results in columns:
            yield from results
            more = self._beyond(rule, steps) if known else ()
            yield from (softened(found, warn=rule.warn) for found in more)
        yield from compiled.relation_results(scanned)
        yield from self._labels()

    def _time_figures(self) -> list[Figure]:
        if self._time is None:
            return []
        at, day = self._rows.microseconds(self._time), day_of(self._rows, self._time)
        known = Figure("sum", f"CASE WHEN {at} IS NULL THEN 0 ELSE 1 END")
        return [known, Figure("min", day), Figure("max", day), Figure("max", at)]

    def _of_table(
        self, rows: int, of_time: tuple[Any, ...], *, now: int | None
    ) -> Iterator[CheckResult]:
        rule = self._body.table
        yield _rows(rows, rule=rule)
        if of_time and of_time[0]:
            dated, first, last, newest = of_time
            if rule.min_rows_per_day is not None or rule.max_rows_per_day is not None:
                yield _rows_per_day(int(dated), span=last - first + 1, rule=rule)
            if rule.max_age_hours is not None and now is not None:
                yield _age(newest, limit_hours=rule.max_age_hours, now=now)
            if rule.hours and self._rows.kind(str(self._time)) == "timestamp":
                yield far_days(self._rows, rule, time=str(self._time))
        yield _presence(list(self._rows.schema.names), self._body)
        for names in rule.unique:
            if all(n in self._rows for n in names):
                yield repeated(
                    self._rows,
                    names,
                    column="",
                    shown=self._compiled.shown(*names),
                    allowed=rule.max_repeated_share,
                )

    def _steps(self, rules: list[ColumnRule]) -> dict[str, list[CheckResult]]:
        stepping = [rule for rule in rules if _is_judged_by_day(rule)]
        if self._time is None or not stepping:
            return {}
        return by_day(self._rows, stepping, time=self._time, shown=self._compiled.shown())

    def _beyond(
        self, rule: ColumnRule, steps: Mapping[str, list[CheckResult]]
    ) -> Iterator[CheckResult]:
        shown = self._compiled.shown(rule.name)
        if rule.unique:
            yield repeated(self._rows, [rule.name], column=rule.name, shown=shown)
        if rule.references in self._others:
            other = self._others[str(rule.references)]
            yield orphans(self._rows, rule, other=other, shown=shown)
        if rule.ascending:
            yield disorder(self._rows, rule.name, shown=shown)
        yield from steps.get(rule.name, ())

    def _labels(self) -> tuple[CheckResult, ...]:
        label = self._body.label
        if label is None or label.column not in self._rows:
            return ()
        if not can_label(self._rows, label.column):  # `type` fails
            return ()
        shown = labels_by_day(self._rows, label, days=Days(self._rows, self._time))
        return judge_labels(shown, rule=label)


def _is_judged_by_day(rule: ColumnRule) -> bool:
    numeric = rule.type in {"integer", "number"}
    return numeric and (rule.max_daily_step is not None or rule.max_constant_days < 1.0)


def _rows(rows: int, *, rule: TableRule) -> CheckResult:
    least, most = rule.min_rows, rule.max_rows
    over = 0 if most is None else max(0, rows - most)
    limit = "" if most is None else f", at most {most:,}"
    return CheckResult(
        check="rows",
        verdict="fail" if rows < least or over else "pass",
        counted=max(0, least - rows) or over,
        total=least,
        message=f"{counted(rows, 'row')}; at least {least:,}{limit} are expected.",
    )


def _rows_per_day(dated: int, *, span: int, rule: TableRule) -> CheckResult:
    least, most = rule.min_rows_per_day, rule.max_rows_per_day
    found = dated / span
    missing = 0 if least is None or found >= least else math.ceil(least * span - dated)
    over = 0 if most is None or found <= most else math.ceil(dated - most * span)
    limits = [
        f"at {word} {n:,.1f}" for word, n in (("least", least), ("most", most)) if n is not None
    ]
    return CheckResult(
        check="rows_per_day",
        verdict="fail" if missing or over else "pass",
        counted=missing or over,
        total=dated,
        message=f"{found:,.1f} rows a day over {span} days; {', '.join(limits)} are expected.",
    )


def _age(newest: int, *, limit_hours: float, now: int) -> CheckResult:
    hours = (now - newest) / HOUR_US
    return CheckResult(
        check="age",
        verdict="fail" if hours > limit_hours else "pass",
        counted=int(hours > limit_hours),
        total=1,
        message=f"The newest row is {hours:,.1f} hours old; {limit_hours:,.1f} are allowed.",
    )


def _presence(present: list[str], body: ContractBody) -> CheckResult:
    claimed = [c.name for c in body.columns]
    missing = [n for n in claimed if n not in present]
    extra = [n for n in present if n not in claimed]
    return CheckResult(
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
