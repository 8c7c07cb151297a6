from __future__ import annotations

from typing import Any

import msgspec
import pyarrow as pa
import pytest

from treadle.data.checks import check_table
from treadle.data.contracts import ColumnRule, ContractBody, LabelRule, TableRule
from treadle.data.entities import CheckResult, worst
from treadle.kernel.clock import DAY_US, HOUR_US

NOON = 1_372_939_200_000_000  # 2013-07-04T12:00Z
AT = pa.timestamp("us", tz="UTC")


def days(*numbers: int) -> pa.Array:
    return pa.array([NOON + n * DAY_US for n in numbers], type=AT)


def check(check: str, values: Any, *, kind: str = "number", **claims: Any) -> CheckResult:
    """The one result of a check on the one column of a table."""
    rule = ColumnRule(name="x", type=kind, **claims)  # type: ignore[arg-type]
    results = check_table(pa.table({"x": values}), ContractBody(columns=(rule,)))
    (found,) = [r for r in results if r.check == check]
    return found


def test_what_keeps_its_contract_passes_every_check() -> None:
    rule = ColumnRule(name="x", type="integer", low=0, high=9, unique=True, max_null_share=0)

    results = check_table(pa.table({"x": [1, 2, 3]}), ContractBody(columns=(rule,)))

    assert {r.check for r in results} == {"rows", "columns", "type", "nulls", "range", "unique"}
    assert worst(results) == "pass"


def test_nothing_claimed_is_nothing_broken() -> None:
    assert worst(check_table(pa.table({}), ContractBody())) == "pass"


def test_too_few_rows_fail() -> None:
    (rows, _) = check_table(pa.table({}), ContractBody(table=TableRule(min_rows=5)))

    assert (rows.check, rows.verdict, rows.counted) == ("rows", "fail", 5)


@pytest.mark.parametrize(("per_day", "verdict"), [(2.0, "pass"), (2.1, "fail")])
def test_rows_are_counted_by_day_with_empty_days(per_day: float, verdict: str) -> None:
    body = ContractBody(
        table=TableRule(min_rows_per_day=per_day),
        columns=(ColumnRule(name="at", type="timestamp", role="time"),),
    )

    results = check_table(pa.table({"at": days(0, 0, 0, 0, 2, 2)}), body)

    (found,) = [r for r in results if r.check == "rows_per_day"]
    assert found.verdict == verdict
    assert "2.0 rows a day over 3 days" in found.message


@pytest.mark.parametrize(("hours", "verdict"), [(24, "pass"), (25, "fail")])
def test_age_is_counted_from_the_newest_row(hours: int, verdict: str) -> None:
    body = ContractBody(
        table=TableRule(max_age_hours=24),
        columns=(ColumnRule(name="at", type="timestamp", role="time"),),
    )

    results = check_table(pa.table({"at": days(-9, 0)}), body, now=NOON + hours * HOUR_US)

    assert [r.verdict for r in results if r.check == "age"] == [verdict]


def test_age_is_not_judged_without_a_present() -> None:
    body = ContractBody(
        table=TableRule(max_age_hours=24),
        columns=(ColumnRule(name="at", type="timestamp", role="time"),),
    )

    results = check_table(pa.table({"at": days(0)}), body)

    assert [r for r in results if r.check == "age"] == []


def test_a_missing_column_fails_and_suggests_the_one_that_looks_like_it() -> None:
    body = ContractBody(columns=(ColumnRule(name="temp", type="number"),))

    _, found = check_table(pa.table({"tmep": [1.0]}), body)

    assert (found.check, found.verdict) == ("columns", "fail")
    assert found.message == "Columns missing: temp; not in the contract: tmep."
    assert found.examples == ({"missing": "temp", "similar": ["tmep"]},)


def test_a_column_the_contract_does_not_know_warns() -> None:
    _, found = check_table(pa.table({"x": [1]}), ContractBody())

    assert (found.check, found.verdict, found.counted) == ("columns", "warn", 1)


@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("integer", [1, 2]),
        ("integer", [1.0, None, 3.0]),
        ("number", [1, 2]),
        ("number", [None, None]),
        ("text", ["a"]),
        ("text", pa.array(["a", "b"]).dictionary_encode()),
        ("boolean", [True]),
        ("timestamp", days(0)),
        ("timestamp", pa.array([15], type=pa.date32())),
    ],
)
def test_a_type_that_can_be_taken_for_the_expected_passes(kind: str, values: Any) -> None:
    assert check("type", values, kind=kind).verdict == "pass"


@pytest.mark.parametrize(
    ("kind", "values"),
    [("integer", [1.5]), ("number", ["1"]), ("text", [1]), ("boolean", [0, 1]), ("date", days(0))],
)
def test_another_type_fails(kind: str, values: Any) -> None:
    assert check("type", values, kind=kind).verdict == "fail"


def test_a_number_column_with_a_word_shows_the_word() -> None:
    found = check("type", ["1", "2.5e3", None, "broken", "-7"])

    assert found.message == "It is string; number is expected."
    assert found.examples == ({"row": 3, "x": "broken"},)


def test_a_column_of_another_type_is_not_judged_further() -> None:
    rule = ColumnRule(name="x", type="number", low=0, high=1)

    results = check_table(pa.table({"x": ["a"]}), ContractBody(columns=(rule,)))

    assert [r.check for r in results if r.column == "x"] == ["type", "nulls"]


@pytest.mark.parametrize(("allowed", "verdict"), [(0.5, "pass"), (0.49, "fail")])
def test_nulls_and_nans_are_counted(allowed: float, verdict: str) -> None:
    found = check("nulls", [1.0, None, float("nan"), 4.0], max_null_share=allowed)

    assert (found.verdict, found.counted, found.total) == (verdict, 2, 4)


def test_rows_outside_a_range_are_counted_and_shown() -> None:
    found = check("range", [1.0, -5.0, None, 99.0], low=0, high=10)

    assert (found.verdict, found.counted, found.total) == ("fail", 2, 3)
    assert found.examples == ({"row": 1, "x": -5.0}, {"row": 3, "x": 99.0})


@pytest.mark.parametrize(("allowed", "verdict"), [(0.25, "pass"), (0.24, "fail")])
def test_a_share_outside_a_range_is_tolerated(allowed: float, verdict: str) -> None:
    found = check("range", [1, 2, 3, 99], high=10, max_outside_share=allowed)

    assert (found.verdict, found.counted) == (verdict, 1)


def test_infinity_is_outside_every_range() -> None:
    found = check("range", [1.0, float("inf")], high=10)

    assert found.counted == 1
    assert found.examples == ({"row": 1, "x": "inf"},)


def test_five_of_many_are_shown() -> None:
    found = check("range", list(range(100)), high=10)

    assert found.counted == 89
    assert [e["row"] for e in found.examples] == [11, 12, 13, 14, 15]


@pytest.mark.parametrize(
    ("allowed", "verdict"), [(0.0, "fail"), (0.24, "fail"), (0.25, "warn"), (1.0, "warn")]
)
def test_new_categories_are_named(allowed: float, verdict: str) -> None:
    known = ("EWR", "JFK")

    found = check(
        "categories",
        ["EWR", "JFK", None, "LGA", "JFK"],
        kind="text",
        categories=known,
        max_new_share=allowed,
    )

    assert (found.verdict, found.counted, found.total) == (verdict, 1, 4)
    assert "LGA" in found.message


def test_categories_may_be_dictionary_encoded() -> None:
    values = pa.array(["EWR", "XXX"]).dictionary_encode()

    assert check("categories", values, kind="text", categories=("EWR",)).counted == 1


def test_repeated_ids_are_counted_once_for_each_repetition() -> None:
    found = check("unique", [1, 2, 2, 2, None, None, 3, 3], kind="integer", unique=True)

    assert (found.verdict, found.counted, found.total) == ("fail", 3, 6)
    assert [e["row"] for e in found.examples] == [1, 2, 3, 6, 7]


def test_nans_are_no_repeated_ids() -> None:
    values = [1.0, float("nan"), float("nan")]

    assert check("unique", values, unique=True).verdict == "pass"


def test_an_example_is_named_by_its_ids_and_time() -> None:
    body = ContractBody(
        columns=(
            ColumnRule(name="id", type="integer", role="id"),
            ColumnRule(name="at", type="timestamp", role="time"),
            ColumnRule(name="x", type="number", high=1),
        )
    )

    results = check_table(pa.table({"id": [7], "at": days(0), "x": [5.0]}), body)

    (found,) = [r for r in results if r.check == "range"]
    assert found.examples == ({"row": 0, "x": 5.0, "id": 7, "at": "2013-07-04T12:00:00+00:00"},)


def test_examples_can_be_stored_whatever_the_column_holds() -> None:
    values = pa.array([b"\xff", b"\x00"])

    found = check("unique", pa.chunked_array([values, values]), kind="other", unique=True)

    assert msgspec.json.decode(msgspec.json.encode(found))["examples"][0] == {"row": 0, "x": "ff"}


@pytest.mark.parametrize(("most", "verdict"), [(9.0, "pass"), (8.9, "fail")])
def test_a_step_is_the_change_of_the_median_from_day_to_day(most: float, verdict: str) -> None:
    body = ContractBody(
        columns=(
            ColumnRule(name="at", type="timestamp", role="time"),
            ColumnRule(name="x", type="number", max_daily_step=most),
        )
    )
    table = pa.table({"at": days(0, 0, 0, 1, 1, 1), "x": [1.0, 2.0, 900.0, 11.0, 12.0, -900.0]})

    (found,) = [r for r in check_table(table, body) if r.check == "daily_step"]

    assert found.verdict == verdict
    assert "from day to day is 9 on 2013-07-05" in found.message


def test_a_step_over_a_gap_of_days_is_none() -> None:
    body = ContractBody(
        columns=(
            ColumnRule(name="at", type="timestamp", role="time"),
            ColumnRule(name="x", type="number", max_daily_step=1),
        )
    )
    table = pa.table({"at": days(0, 30), "x": [1.0, 99.0]})

    (found,) = [r for r in check_table(table, body) if r.check == "daily_step"]

    assert found.verdict == "pass"


def test_rows_without_a_label_are_named_and_counted() -> None:
    body = ContractBody(label=LabelRule(column="late"))

    results = check_table(pa.table({"late": [True, None, False, None]}), body)

    (found,) = [r for r in results if r.check == "labelled"]
    assert (found.verdict, found.counted, found.total) == ("warn", 2, 4)
    assert "2 of 4 rows are not labelled" in found.message
