"""What a test must not share with its train."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from treadle.data.checks.splits import compare_splits
from treadle.data.contracts import ColumnRule, ContractBody

if TYPE_CHECKING:
    from treadle.data.entities import CheckResult

ROWS = 600
HOUR = 3_600_000_000
BODY = ContractBody(
    columns=(
        ColumnRule(name="id", type="integer", role="id"),
        ColumnRule(name="at", type="timestamp", role="time"),
        ColumnRule(name="x", type="number"),
        ColumnRule(name="late", type="integer", role="target"),
    )
)


def table(first: int, *, rows: int = ROWS, **others: Any) -> pa.Table:
    rng = np.random.default_rng(first)
    at = pa.array((first + np.arange(rows)) * HOUR).cast(pa.timestamp("us"))
    columns = {
        "id": np.arange(first, first + rows),
        "at": at,
        "x": rng.normal(size=rows),
        "late": rng.integers(0, 2, rows),
    }
    return pa.table({**columns, **others})


def found(train: pa.Table, test: pa.Table) -> dict[str, CheckResult]:
    return {r.check: r for r in compare_splits(train, test, BODY)}


def test_a_later_test_of_its_own_rows_passes() -> None:
    results = found(table(0), table(ROWS))

    assert {r.verdict for r in results.values()} == {"pass"}
    assert {"shared_rows", "shared_keys", "time_order", "relabelled", "rate"} <= {*results}


def test_rows_that_both_have_are_counted_and_shown() -> None:
    train = table(0)
    test = pa.concat_tables([table(ROWS, rows=50), train.slice(7, 3)])

    results = found(train, test)

    assert (results["shared_rows"].verdict, results["shared_rows"].counted) == ("fail", 3)
    assert [e["id"] for e in results["shared_rows"].examples] == [7, 8, 9]
    assert (results["shared_keys"].counted, results["time_order"].counted) == (3, 3)


def test_nulls_and_nans_agree_with_themselves_only() -> None:
    late = np.array([0, 1, 1])
    train = table(0, rows=3, late=late, x=pa.array([None, 1.0, float("nan")]))
    test = table(0, rows=3, late=late, x=pa.array([None, 2.0, float("nan")]))

    assert found(train, test)["shared_rows"].counted == 2


def test_the_same_inputs_with_other_labels_warn() -> None:
    train = table(0, x=np.arange(ROWS) / 7)
    test = table(ROWS, x=np.arange(ROWS) / 7, late=1 - train.column("late").to_numpy())

    result = found(train, test)["relabelled"]

    assert (result.verdict, result.counted) == ("warn", ROWS)


def test_a_feature_that_knows_the_answer_fails() -> None:
    late = np.random.default_rng(3).integers(0, 2, ROWS)

    results = found(table(0, x=late * 2.0, late=late), table(ROWS))

    assert (results["leakage"].verdict, results["leakage"].column) == ("fail", "x")


def test_labels_at_another_rate_fail() -> None:
    results = found(table(0), table(ROWS, late=np.zeros(ROWS, dtype=np.int64)))

    assert results["rate"].verdict == "fail"
