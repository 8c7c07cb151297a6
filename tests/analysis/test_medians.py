from __future__ import annotations

from datetime import date

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.analysis import medians
from treadle.kernel.errors import InvalidInput


@settings(max_examples=60, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(0, 4), st.integers(-9, 9)), min_size=1, max_size=50))
def test_medians_agree_with_numpy(rows):
    groups, values = (np.array(c) for c in zip(*rows, strict=True))

    result = medians.median_by(values, groups)

    assert [(m.group, m.median, m.rows) for m in result] == [
        (str(g), float(np.median(values[groups == g])), int((groups == g).sum()))
        for g in np.unique(groups)
    ]


def test_medians_leave_nulls_and_empty_groups_out():
    result = medians.median_by([1.0, None, 3.0, None], ["a", "a", "a", "b"])

    assert result == (medians.GroupMedian("a", 2.0, 2),)


def test_a_step_is_the_change_from_one_day_to_the_next():
    steps = medians.daily_steps([10.0, 12.0, 12.0, 5.0], ["d1", "d1", "d2", "d3"])

    assert steps == (
        medians.DailyStep("d2", 11.0, 12.0, 1.0),
        medians.DailyStep("d3", 12.0, 5.0, -7.0),
    )
    assert medians.step_bound([10.0, 12.0, 12.0, 5.0], ["d1", "d1", "d2", "d3"]) == 7.0


def test_days_may_be_arrow_dates():
    day = pa.array([date(2013, 1, 2), date(2013, 1, 1)])

    steps = medians.daily_steps(pa.array([5, 3]), day)

    assert [(s.day, s.change) for s in steps] == [("2013-01-02", 2.0)]


def test_one_day_has_no_step():
    with pytest.raises(InvalidInput, match="2 days"):
        medians.step_bound([1.0, 2.0], ["d1", "d1"])
