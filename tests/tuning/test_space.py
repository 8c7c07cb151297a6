from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.errors import InvalidInput
from treadle.tuning import choice, integer, log_uniform, uniform
from treadle.tuning.samplers import sample

SHARES = st.floats(0, 1, exclude_max=True)
NUMBERS = st.floats(-1e12, 1e12)
SPACE = {
    "rate": log_uniform(1e-4, 1.0),
    "depth": integer(2, 9),
    "share": uniform(0.5, 1.0),
    "kind": choice("gini", "entropy", None),
}


@given(NUMBERS, NUMBERS, SHARES)
def test_uniform_stays_in_its_range(one, other, share):
    low, high = sorted((one, other))
    if low < high:
        assert low <= uniform(low, high).at(share) <= high


@given(st.floats(1e-12, 1e12), st.floats(1e-12, 1e12), SHARES)
def test_log_uniform_stays_in_its_range(one, other, share):
    low, high = sorted((one, other))
    if low < high:
        assert low <= log_uniform(low, high).at(share) <= high


@given(st.integers(-(10**9), 10**9), st.integers(1, 10**6), SHARES)
def test_integer_stays_in_its_range(low, width, share):
    value = integer(low, low + width).at(share)

    assert low <= value <= low + width
    assert type(value) is int


def test_integer_reaches_both_ends_alike():
    drawn = [integer(1, 4).at(i / 400) for i in range(400)]

    assert {value: drawn.count(value) for value in drawn} == {1: 100, 2: 100, 3: 100, 4: 100}


def test_log_uniform_treats_every_order_of_magnitude_alike():
    drawn = [log_uniform(1, 10_000).at(i / 1000) for i in range(1000)]

    assert sum(value < 100 for value in drawn) == pytest.approx(500, abs=2)


@given(st.integers(), st.integers(0, 1000))
def test_a_trial_has_the_same_params_every_time(seed, number):
    first, again = (sample(SPACE, seed=seed, number=number) for _ in range(2))

    assert first == again


@given(st.integers(), st.integers(0, 1000))
def test_another_param_in_the_space_changes_no_other(seed, number):
    wider = {"before": uniform(0, 1), **SPACE}

    assert sample(SPACE, seed=seed, number=number).items() <= (
        sample(wider, seed=seed, number=number).items()
    )


@given(st.integers())
def test_trials_differ(seed):
    tried = {repr(sample(SPACE, seed=seed, number=number)) for number in range(20)}

    assert len(tried) == 20


def test_draws_stay_the_same_between_releases():
    """A golden value: a search that was stopped under an old release must go on under a new one."""
    assert sample(SPACE, seed=7, number=0) == {
        "rate": pytest.approx(0.00046388244420213416),
        "depth": 8,
        "share": pytest.approx(0.9374927284290178),
        "kind": "gini",
    }


@pytest.mark.parametrize(
    ("make", "arguments"),
    [
        (uniform, (1, 1)),
        (uniform, (2, 1)),
        (uniform, (0, math.inf)),
        (uniform, (0, math.nan)),
        (log_uniform, (0, 1)),
        (log_uniform, (-1, 1)),
        (integer, (3, 3)),
        (integer, (1.5, 3)),
        (choice, ()),
        (choice, ({},)),
        (choice, (["a", "b"],)),
    ],
    ids=lambda value: getattr(value, "__name__", str(value)),
)
def test_ranges_that_cannot_be_are_refused(make, arguments):
    with pytest.raises(InvalidInput, match="is no range to search"):
        make(*arguments)
