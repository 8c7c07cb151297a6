"""Which rows break the checks that failed: their numbers, and what each of them breaks.

The conditions are the ones that the scan counted, asked once more of only the checks that failed;
what needs other rows to say (keys, references, order) names the rows by a subquery each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.data.checks.claims import Compiled
from treadle.data.checks.scan import in_place, rows_of
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ColumnRule, ContractBody
    from treadle.data.entities import CheckResult
    from treadle.data.tables.files import AnyTable

_BITS = 60


class Failing(NamedTuple):
    """Some rows that fail, in order: their numbers from 0, and the checks that each breaks."""

    rows: NDArray[np.int64]
    checks: tuple[tuple[str, ...], ...]


def failing_rows(
    table: AnyTable,
    body: ContractBody,
    results: Sequence[CheckResult],
    *,
    others: Mapping[str, AnyTable],
) -> Iterator[Failing]:
    """Yield the rows that break the checks among `results` that failed, block by block.

    A check that is not about single rows (counts, days, labels, a missing column) names none.
    """
    failed = {named(r) for r in results if r.verdict == "fail"}
    with rows_of(table, others=others) as (rows, opened):
        compiled = Compiled(rows, body)
        wanted = {
            f"{check} {column}": f"coalesce({condition.sql}, false)"
            for check, column, condition in compiled.named()
            if f"{check} {column}" in failed
        }
        wanted |= {name: sql for name, sql in _beyond(rows, body, opened) if name in failed}
        if wanted:
            yield from _asked(rows, wanted, compiled.values)


def named(result: CheckResult) -> str:
    """Return how a check is named among a row's: `range price`, `unique`."""
    return f"{result.check} {result.column}".strip()


def _beyond(
    rows: Rows, body: ContractBody, others: Mapping[str, Rows]
) -> Iterator[tuple[str, str]]:
    keys = [names for names in body.table.unique if all(n in rows for n in names)]
    if keys:
        yield "unique", " OR ".join(_repeats(rows, names) for names in keys)
    for rule in body.columns:
        if rule.name not in rows:
            continue
        if rule.unique:
            yield f"unique {rule.name}", _repeats(rows, (rule.name,))
        if rule.references in others and (rule.references_column or rule.name) in (
            other := others[str(rule.references)]
        ):
            yield f"references {rule.name}", _orphan(rows, rule, other)
        if rule.ascending:
            yield f"order {rule.name}", _below(rows, rule.name)


def _repeats(rows: Rows, names: Sequence[str]) -> str:
    """Say in SQL that a row repeats an earlier one."""
    keys = ", ".join(rows.column(n) for n in names)
    there = " AND ".join(f"{rows.column(n)} IS NOT NULL" for n in names)
    return (
        "row IN (SELECT row FROM (SELECT row, "
        f"row_number() OVER (PARTITION BY {keys} ORDER BY row) AS nth "
        f"FROM t WHERE {there}) WHERE nth > 1)"
    )


def _orphan(rows: Rows, rule: ColumnRule, other: Rows) -> str:
    named = rule.references_column or rule.name
    mine, theirs = rows.column(rule.name), other.column(named)
    if rows.kind(rule.name) != other.kind(named):
        mine, theirs = f"CAST({mine} AS VARCHAR)", f"CAST({theirs} AS VARCHAR)"
    known = f"SELECT {theirs} FROM ({other.source}) WHERE {theirs} IS NOT NULL"
    return f"({mine} IS NOT NULL AND {mine} NOT IN ({known}))"


def _below(rows: Rows, name: str) -> str:
    before = "max(v) OVER (ORDER BY row ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before"
    valued = f"SELECT row, {rows.column(name)} AS v FROM t"
    return f"row IN (SELECT row FROM (SELECT row, v, {before} FROM ({valued})) WHERE v < before)"


def _asked(rows: Rows, wanted: Mapping[str, str], values: Sequence[object]) -> Iterator[Failing]:
    names, conditions = list(wanted), list(wanted.values())
    words = [conditions[i : i + _BITS] for i in range(0, len(conditions), _BITS)]
    masks = ", ".join(
        " + ".join(f"(CASE WHEN {c} THEN {1 << i} ELSE 0 END)::BIGINT" for i, c in enumerate(word))
        + f" AS m{place}"
        for place, word in enumerate(words)
    )
    broken = " OR ".join(f"m{place} <> 0" for place in range(len(words)))
    text = in_place(f"SELECT row, {masks} FROM t", values)
    for batch in rows.stream(f"SELECT * FROM ({text}) WHERE {broken} ORDER BY row"):
        numbers = [np.asarray(batch.column(i), dtype=np.int64) for i in range(batch.num_columns)]
        yield Failing(numbers[0], _told(np.column_stack(numbers[1:]), names))


def _told(masks: NDArray[np.int64], names: Sequence[str]) -> tuple[tuple[str, ...], ...]:
    kinds, place = np.unique(masks, axis=0, return_inverse=True)
    told = [
        tuple(n for i, n in enumerate(names) if int(kind[i // _BITS]) >> i % _BITS & 1)
        for kind in kinds
    ]
    return tuple(told[i] for i in place.ravel())
