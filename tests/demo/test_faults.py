from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pyarrow.compute as pc
import pytest

from treadle.demo.faults import dead_outcome_feed, in_celsius
from treadle.demo.features import FEATURES, outcomes

FIRST = date(2013, 1, 5)


@pytest.fixture(scope="module")
def history(january):
    return outcomes(january["flights"])


def test_a_dead_feed_says_on_time_of_every_flight(history):
    fed = dead_outcome_feed(history, first=FIRST, days=3)

    dead = fed.filter((pc.field("day") >= FIRST) & (pc.field("day") < FIRST + timedelta(days=3)))
    assert len(dead) > 2_000
    assert pc.unique(dead["late"]).to_pylist() == [False]
    assert pc.unique(dead["fate"]).to_pylist() == ["arrived"]


def test_a_dead_feed_leaves_the_days_around_it_alone(history):
    fed = dead_outcome_feed(history, first=FIRST, days=3)

    around = (pc.field("day") < FIRST) | (pc.field("day") >= FIRST + timedelta(days=3))
    assert fed.filter(around).equals(history.filter(around))
    assert fed.schema == history.schema


def test_celsius_changes_the_two_temperatures_and_nothing_else():
    matrix = np.full((2, len(FEATURES)), 212.0, np.float32)
    matrix[1] = np.nan

    served = in_celsius(matrix)

    warm = np.isin(FEATURES, ["temp", "dewp"])
    np.testing.assert_allclose(served[0, warm], 100.0)
    np.testing.assert_array_equal(served[0, ~warm], matrix[0, ~warm])
    assert np.isnan(served[1]).all()
    assert (matrix[0] == 212.0).all()
