"""What a device and a clock leave in data: the step of values, the hours of rows, the last row."""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.checks import check_table
from treadle.data.contract_changes import changes
from treadle.data.contract_text import from_toml, to_toml
from treadle.data.contracts import ColumnRule, ContractBody, TableRule
from treadle.data.hours import learn_grid, on_grid
from treadle.data.inference import infer_body
from treadle.data.profiling import profile_table
from treadle.data.rows import compile_row
from treadle.kernel.clock import DAY_US, HOUR_US
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.data.entities import CheckResult

START = int(dt.datetime(2026, 1, 5, tzinfo=dt.UTC).timestamp() * 1e6)


def visits(*, days: int, shift: int = 0, part: float = 1.0, knots: float = 1.0) -> pa.Table:
    """Return forty rows a day between 8 and 18 o'clock, some of them shifted by hours."""
    rng = np.random.default_rng(0)
    hours = rng.integers(8, 18, size=days * 40)
    moved = np.where(rng.random(days * 40) < part, shift, 0)
    at = START + np.repeat(np.arange(days), 40) * DAY_US + (hours + moved) * HOUR_US
    wind = rng.integers(0, 40, size=days * 40) * 1.15078 * knots
    return pa.table({"at": pa.array(at, pa.timestamp("us", tz="UTC")), "wind": wind.round(5)})


def learned(table: pa.Table, *, now: int | None = None) -> ContractBody:
    return infer_body(table, profile_table(table), now=now)


def found(table: pa.Table, body: ContractBody, check: str) -> CheckResult:
    return next(r for r in check_table(table, body) if r.check == check)


def test_rows_at_their_hours_pass_and_an_hour_of_daylight_saving_does() -> None:
    body = learned(visits(days=40))

    assert found(visits(days=7), body, "hours").verdict == "pass"
    assert found(visits(days=7, shift=1), body, "hours").verdict == "pass"


def test_half_of_the_rows_in_another_zone_fail_and_days_are_named() -> None:
    result = found(visits(days=7, shift=5, part=0.5), learned(visits(days=40)), "hours")

    assert result.verdict == "fail"
    assert (result.counted, result.total) == (6, 7)
    assert result.examples[0]["day"] == "2026-01-05"


def test_one_far_day_is_let_through() -> None:
    body = learned(visits(days=40))

    assert found(visits(days=1, shift=7), body, "hours").verdict == "pass"


def test_dates_have_no_hours() -> None:
    table = visits(days=40)
    dated = table.set_column(0, "at", table.column("at").cast(pa.date32()))

    assert learned(dated).table.hours == ()


def test_hours_that_are_not_24_shares_are_refused() -> None:
    with pytest.raises(InvalidInput, match="hours has 2 shares that add up to 1"):
        TableRule(hours=(0.5, 0.5))


def test_a_converted_unit_leaves_the_grid() -> None:
    body = learned(visits(days=40))

    (wind,) = (c for c in body.columns if c.name == "wind")
    assert wind.grid == pytest.approx(1.15078, rel=1e-4)
    assert found(visits(days=3), body, "grid").verdict == "pass"
    assert found(visits(days=3, knots=0.447), body, "grid").verdict == "fail"


def test_a_row_breaks_the_grid_as_the_scan_says() -> None:
    rule = ColumnRule(name="wind", type="number", grid=1.15078)
    check = compile_row(ContractBody(columns=(rule,)))

    assert check({"wind": 11.5078}) == ()
    assert [f.check for f in check({"wind": 5.14}) or ()] == ["grid"]


def test_numbers_without_a_step_have_no_grid() -> None:
    assert learn_grid(np.random.default_rng(1).normal(size=5_000)) is None


@given(
    step=st.floats(0.001, 1_000.0),
    multiples=st.sets(st.integers(-500, 500), min_size=200, max_size=400),
)
def test_what_lies_on_a_grid_lies_on_the_grid_that_is_learned(
    step: float, multiples: set[int]
) -> None:
    values = np.array(sorted(multiples) * 10, dtype=np.float64) * step

    grid = learn_grid(values)

    assert grid is not None
    assert on_grid(values, grid).mean() > 0.99


def test_another_grid_breaks_readers() -> None:
    old, new = (
        ContractBody(columns=(ColumnRule(name="wind", type="number", grid=g),)) for g in (1.0, 0.5)
    )

    assert [c.effect for c in changes(old, new)] == ["breaks"]


def test_a_fresh_reference_claims_to_stay_fresh_and_warns() -> None:
    table = visits(days=40)
    body = learned(table, now=START + 40 * DAY_US)

    late = START + 45 * DAY_US
    (age,) = (r for r in check_table(table, body, now=late) if r.check == "age")

    assert body.table.max_age_hours == 48.0
    assert age.verdict == "warn"


def test_an_old_reference_claims_nothing_of_its_age() -> None:
    assert learned(visits(days=40), now=START + 400 * DAY_US).table.max_age_hours is None


def test_hours_and_grid_are_read_back_from_text() -> None:
    body = learned(visits(days=40))

    assert from_toml(to_toml(body)) == body


def test_rows_without_a_time_have_a_most() -> None:
    assert learned(pa.table({"x": [1.0, 2.0]})).table.max_rows == 20
