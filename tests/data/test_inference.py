from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.data.checks import check_table
from treadle.data.entities import worst
from treadle.data.inference import infer_body
from treadle.data.profiling import profile_table
from treadle.data.rounding import downward, upward
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from treadle.data.contracts import ContractBody

FLOATS = st.floats(-1e12, 1e12) | st.sampled_from([float("nan"), float("inf"), -float("inf")])
CELLS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.float64(), FLOATS),
    (pa.int64(), st.integers(-(2**40), 2**40)),
    (pa.string(), st.sampled_from(["a", "b", "c", ""])),
    (pa.string(), st.text(st.characters(exclude_categories=["Cs"]), max_size=5)),
    (pa.bool_(), st.booleans()),
    (pa.dictionary(pa.int32(), pa.string()), st.sampled_from(["x", "y"])),
    (
        pa.timestamp("us"),
        st.datetimes(dt.datetime(2013, 1, 1), dt.datetime(2013, 4, 1)),  # noqa: DTZ001 - as a CSV gives them
    ),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    rows = draw(st.integers(1, 60))
    kinds = draw(st.lists(st.sampled_from(CELLS), min_size=1, max_size=4))
    columns = [
        pa.array(draw(st.lists(st.none() | cells, min_size=rows, max_size=rows)), type=kind)
        for kind, cells in kinds
    ]
    return pa.table(columns, names=[f"c{n}" for n in range(len(columns))])


def inferred(table: pa.Table, **given: Any) -> ContractBody:
    return infer_body(table, profile_table(table), **given)


@settings(max_examples=40)
@given(tables())
def test_a_table_keeps_the_contract_learned_from_it(table: pa.Table) -> None:
    assert worst(check_table(table, inferred(table))) == "pass"


@settings(max_examples=40)
@given(tables())
def test_a_column_that_is_an_id_keeps_its_contract(table: pa.Table) -> None:
    assert worst(check_table(table, inferred(table, roles={"c0": "id"}))) != "fail"


@given(st.floats(allow_nan=False))
def test_bounds_are_never_narrower_than_what_was_seen(value: float) -> None:
    assert downward(value) <= value <= upward(value)


@pytest.mark.parametrize(("value", "down", "up"), [(0.1, 0.1, 0.1), (12345, 12300, 12400)])
def test_bounds_have_three_digits(value: float, down: float, up: float) -> None:
    assert (downward(value), upward(value)) == (down, up)


def test_an_id_without_repetition_is_unique_and_has_no_range() -> None:
    body = inferred(pa.table({"id": list(range(50))}), roles={"id": "id"})

    (rule,) = body.columns
    assert (rule.unique, rule.low, rule.max_null_share) == (True, None, 0.0)


def test_a_single_time_column_needs_no_role() -> None:
    body = inferred(pa.table({"on": pa.array([1, 2, 3], pa.date32()), "x": [1, 2, 3]}))

    assert body.time == "on"
    assert body.table.min_rows_per_day == 0.5


def test_of_two_time_columns_neither_is_guessed() -> None:
    day = pa.array([1, 2, 3], pa.date32())

    assert inferred(pa.table({"start": day, "end": day})).time is None


def test_without_a_time_half_the_rows_are_expected() -> None:
    assert inferred(pa.table({"x": list(range(10))})).table.min_rows == 5


def test_few_texts_are_categories() -> None:
    body = inferred(pa.table({"x": ["b", "a", None] * 50}))

    assert body.columns[0].categories == ("a", "b")


def test_many_texts_are_no_categories() -> None:
    body = inferred(pa.table({"x": [f"name {n}" for n in range(500)]}))

    assert body.columns[0].categories == ()


def test_a_column_that_touched_zero_does_not_go_below() -> None:
    body = inferred(pa.table({"x": [0.0, 1.0, 2.0]}))

    assert body.columns[0].low == 0.0


def test_a_column_that_follows_the_calendar_has_no_range() -> None:
    days = np.arange("2013-01-01", "2013-03-01", dtype="M8[D]")
    months = days.astype("M8[M]").astype(int) % 12 + 1

    body = inferred(pa.table({"at": pa.array(days), "month": months, "x": np.arange(59) % 5}))

    ranges = {c.name: (c.low, c.high) for c in body.columns}
    assert ranges["month"] == (None, None)
    assert ranges["x"] == (0.0, 12.0)


def test_a_level_that_persists_has_a_step_bound() -> None:
    days = np.repeat(np.arange("2013-01-01", "2013-03-01", dtype="M8[D]"), 4)
    walk = np.repeat(50 + 20 * np.sin(np.arange(59) / 6), 4) + np.tile([0.1, 0.2, 0.3, 0.4], 59)

    body = inferred(pa.table({"at": pa.array(days), "temp": walk}))

    step = body.columns[1].max_daily_step
    assert step == pytest.approx(1.4 * 20 / 6, rel=0.02)


def test_noise_has_no_step_bound() -> None:
    days = np.repeat(np.arange("2013-01-01", "2013-03-01", dtype="M8[D]"), 4)
    noise = np.random.default_rng(0).normal(size=len(days))

    body = inferred(pa.table({"at": pa.array(days), "noise": noise}))

    assert body.columns[1].max_daily_step is None


def test_a_target_brings_a_label_rule() -> None:
    body = inferred(pa.table({"delay": [1, 20, None, 16, 3]}), roles={"delay": "target"}, above=15)

    assert body.label is not None
    assert (body.label.column, body.label.above) == ("delay", 15.0)
    assert body.columns[0].max_null_share == 1.0


def test_an_unknown_target_suggests_the_one_meant() -> None:
    with pytest.raises(NotFound, match=r"No column 'arr_dely'.*Did you mean 'arr_delay'"):
        inferred(pa.table({"arr_delay": [1, 2]}), roles={"arr_dely": "target"})


def test_an_unknown_role_suggests_the_one_meant() -> None:
    with pytest.raises(InvalidInput, match=r"no role 'tagret'.*Did you mean 'target'"):
        inferred(pa.table({"x": [1, 2]}), roles={"x": "tagret"})


def test_a_time_must_be_one() -> None:
    with pytest.raises(InvalidInput, match="cannot be the time: it is integer"):
        inferred(pa.table({"x": [1, 2]}), roles={"x": "time"})


def test_two_targets_are_refused() -> None:
    with pytest.raises(InvalidInput, match="Two targets: x and y"):
        inferred(pa.table({"x": [1, 2], "y": [1, 2]}), roles={"x": "target", "y": "target"})
