from __future__ import annotations

import datetime as dt

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from treadle.analysis.periods import periods_between

MOMENTS = st.datetimes(min_value=dt.datetime(1900, 1, 1), max_value=dt.datetime(2200, 1, 1))  # noqa: DTZ001
EPOCH = dt.datetime(1970, 1, 1)  # noqa: DTZ001


def us(moment):
    return (moment - EPOCH) // dt.timedelta(microseconds=1)


@given(first=MOMENTS, second=MOMENTS)
def test_every_instant_lies_in_its_period(first, second):
    ends = sorted([us(first), us(second)])
    periods = periods_between(*ends)
    starts = np.array([*periods.starts()])

    found = periods.index(np.array(ends))

    assert found.tolist() == [0, periods.count - 1]
    assert starts[0] <= ends[0]
    assert starts[-1] <= ends[1]
    assert periods.count == 1 or ends[0] < starts[1]
    assert periods.count <= 400


def test_the_unit_follows_the_span():
    day = 86_400_000_000

    units = [periods_between(0, n * day).unit for n in (1, 30, 399, 1000, 10_000, 40_000)]

    assert units == ["hour", "day", "day", "week", "month", "year"]


def test_dates_have_no_hours():
    assert periods_between(0, 86_400_000_000, finest="day").unit == "day"


def test_weeks_begin_on_monday():
    periods = periods_between(us(dt.datetime(2013, 1, 1)), us(dt.datetime(2016, 1, 1)))  # noqa: DTZ001

    assert EPOCH + dt.timedelta(microseconds=periods.starts()[0]) == dt.datetime(2012, 12, 31)  # noqa: DTZ001


def test_too_many_years_have_no_periods():
    assert periods_between(-(10**17), 10**17) is None
