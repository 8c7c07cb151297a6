"""Two versions that are to be train and test: do they share rows, time, or the answer?

- `shared_rows`: rows of the test that the train has, cell by cell (64-bit hashes; of a billion rows
  two that differ would agree by chance once in thirty times).
- `shared_keys`: rows of the test whose key (the ids, or the first `unique` of the table) it has.
- `time_order`: rows of the test that are not after the newest of the train.
- `relabelled`: rows of the test with inputs that the train has, always with another label.
- `label`: the test's labels by what the contract expects of them, else by what the train shows.
- `leakage`: single features that know the target too well (`analysis.leakage`), on the train.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.analysis.leakage import single_feature_probe
from treadle.data.checks.scan import rows_of
from treadle.data.column_types import days_of, kind_of, plain
from treadle.data.entities import MAX_EXAMPLES, CheckResult
from treadle.data.labels import check_labels, learn_label, outcomes
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pyarrow as pa

    from treadle.data.checks.scan import Rows
    from treadle.data.contracts import ContractBody
    from treadle.data.tables.files import AnyTable

PROBED_ROWS = 200_000
_PROBED = frozenset({"integer", "number", "boolean", "text"})


def compare_splits(train: AnyTable, test: AnyTable, body: ContractBody) -> tuple[CheckResult, ...]:
    """Say what a test shares with its train that it must not, and whether labels mean the same.

    Raises InvalidInput when the two have no column in common, or the train's labels are all equal
    and no contract says what to expect.
    """
    with rows_of(train, others={"test": test}) as (before, opened):
        return tuple(_results(before, opened["test"], body))


def _results(train: Rows, test: Rows, body: ContractBody) -> Iterator[CheckResult]:
    shared = [n for n in test.schema.names if n in train]
    if not shared:
        raise InvalidInput("The two versions have no column in common.", hint="Is it one dataset?")
    named = [n for n in (*body.with_role("id"), *body.with_role("time")) if n in test]
    shown = list(dict.fromkeys([*named, *shared[:1]]))
    yield _overlap("shared_rows", train, test, names=shared, shown=shown)
    key = body.with_role("id") or next(iter(body.table.unique), ())
    if key and all(n in shared for n in key):
        yield _overlap("shared_keys", train, test, names=key, shown=[*key, *shown])
    if body.time in shared:
        yield _time_order(train, test, time=str(body.time), shown=shown)
    (target,) = body.with_role("target") or ("",)
    if target in shared:
        apart = {*key, body.time, target, *body.with_role("known_after")}
        inputs = [n for n in shared if n not in apart]
        if inputs:
            yield _relabelled(train, test, inputs=inputs, target=target, shown=[target, *shown])
        yield from _labels(train, test, body, target=target)
        yield from _leakage(train, body, target=target)


def _hash(rows: Rows, names: Sequence[str]) -> str:
    cells = (f"coalesce('v' || CAST({rows.column(n)} AS VARCHAR), '')" for n in names)
    return f"hash(({', '.join(cells)},))"


def _overlap(
    check: str, train: Rows, test: Rows, *, names: Sequence[str], shown: Sequence[str]
) -> CheckResult:
    known = f"SELECT {_hash(train, names)} FROM ({train.source})"
    what = "have the key of" if check == "shared_keys" else "are"
    return _counted(
        check, test, f"{_hash(test, names)} IN ({known})", shown, f"{what} a row of the train"
    )


def _time_order(train: Rows, test: Rows, *, time: str, shown: Sequence[str]) -> CheckResult:
    newest = f"(SELECT max({train.microseconds(time)}) FROM ({train.source}))"
    return _counted(
        "time_order",
        test,
        f"{test.microseconds(time)} <= {newest}",
        shown,
        "are not after the newest row of the train",
    )


def _relabelled(
    train: Rows, test: Rows, *, inputs: Sequence[str], target: str, shown: Sequence[str]
) -> CheckResult:
    def pairs(rows: Rows) -> str:
        return f"{_hash(rows, inputs)} AS i, CAST({rows.column(target)} AS VARCHAR) AS l"

    known = f"SELECT i, l FROM (SELECT {pairs(train)} FROM ({train.source})) WHERE l IS NOT NULL"
    found = _counted(
        "relabelled",
        test,
        f"{test.column(target)} IS NOT NULL AND {_hash(test, inputs)} IN (SELECT i FROM ({known})) "
        f"AND hash(({_hash(test, inputs)}, CAST({test.column(target)} AS VARCHAR))) "
        f"NOT IN (SELECT hash((i, l)) FROM ({known}))",
        shown,
        "have inputs that the train only has with other labels",
    )
    return msgspec.structs.replace(found, verdict="warn" if found.counted else "pass")


def _counted(
    check: str, test: Rows, condition: str, shown: Sequence[str], what: str
) -> CheckResult:
    (found,) = test.query(
        f"SELECT count(*) AS total, count(*) FILTER (hit) AS n, "
        f"arg_min(cells, row, {MAX_EXAMPLES}) FILTER (hit) AS rows "
        f"FROM (SELECT row, {test.cells(shown)} AS cells, ({condition}) AS hit FROM t)"
    )
    return CheckResult(
        check=check,
        verdict="fail" if found["n"] else "pass",
        counted=found["n"],
        total=found["total"],
        message=f"{found['n']:,} of {found['total']:,} rows of the test {what}.",
        examples=tuple(test.shown(row, shown) for row in found["rows"] or ()),
    )


def _labels(train: Rows, test: Rows, body: ContractBody, *, target: str) -> tuple[CheckResult, ...]:
    time = next((n for n in body.with_role("time") if n in train and n in test), None)
    names = [target, *([time] if time else [])]
    before, after = train.arrow(*names), test.arrow(*names)
    rule = body.label
    if rule is None:
        days = days_of(before.column(1)) if time else None
        rule = learn_label(before.column(0), column=target, days=days)
    return check_labels(after.column(0), rule=rule, days=days_of(after.column(1)) if time else None)


def _leakage(train: Rows, body: ContractBody, *, target: str) -> Iterator[CheckResult]:
    names = [n for n in train.schema.names if n != target and kind_of(_type(train, n)) in _PROBED]
    names = [n for n in names if n not in body.with_role("id")]
    table = train.arrow(target, *names)
    table = table.take(list(range(0, table.num_rows, max(1, -(-table.num_rows // PROBED_ROWS)))))
    rule = body.label or learn_label(table.column(0), column=target)
    labels = outcomes(table.column(0), rule=rule)
    known = ~np.isnan(labels)
    if len(set(labels[known].tolist())) < 2:  # noqa: PLR2004 - a probe needs both outcomes
        return
    features: dict[str, Any] = {
        n: plain(table.column(i)).filter(known) for i, n in enumerate(names, start=1)
    }
    after = frozenset(body.with_role("known_after"))
    for probe in single_feature_probe(features, labels[known], known_after=after):
        if probe.status == "plausible":
            continue
        yield CheckResult(
            check="leakage",
            column=probe.name,
            verdict="warn" if probe.status == "leak" else "fail",
            counted=1,
            total=len(names),
            message=probe.reason,
        )


def _type(rows: Rows, name: str) -> pa.DataType:
    return rows.schema.field(name).type
