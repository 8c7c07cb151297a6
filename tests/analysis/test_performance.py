from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from sklearn import metrics

from treadle.analysis import performance
from treadle.kernel.errors import InvalidInput

OUTCOMES = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from([0.0, 0.1, 0.1, 0.25, 0.5, 0.9, 1.0])),
    min_size=2,
    max_size=60,
)


@settings(max_examples=80, deadline=None)
@given(rows=OUTCOMES)
def test_log_loss_agrees_with_scikit_learn(rows):
    y, p = (np.array(c) for c in zip(*rows, strict=True))
    p = p.astype(float)

    expected = metrics.log_loss(y, p, labels=[0, 1])

    assert performance.log_loss(y, p) == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert performance.per_row_log_loss(y, p).mean() == pytest.approx(expected, abs=1e-12)


@settings(max_examples=80, deadline=None)
@given(rows=OUTCOMES)
def test_auc_agrees_with_scikit_learn_ties_included(rows):
    y, p = (np.array(c) for c in zip(*rows, strict=True))
    assume(0 < y.sum() < len(y))

    assert performance.auc(y, p) == pytest.approx(metrics.roc_auc_score(y, p), abs=1e-14)


@given(rows=OUTCOMES)
def test_auc_of_the_opposite_score_is_the_complement(rows):
    y, p = (np.array(c, dtype=float) for c in zip(*rows, strict=True))
    assume(0 < y.sum() < len(y))

    assert performance.auc(y, p) + performance.auc(y, -p) == pytest.approx(1.0, abs=1e-15)


@settings(max_examples=50, deadline=None)
@given(rows=OUTCOMES)
def test_brier_and_accuracy_agree_with_scikit_learn(rows):
    y, p = (np.array(c, dtype=float) for c in zip(*rows, strict=True))

    assert performance.brier(y, p) == pytest.approx(metrics.brier_score_loss(y, p, pos_label=1))
    assert performance.accuracy(y, p) == metrics.accuracy_score(y, p >= 0.5)


def test_accuracy_obeys_its_threshold():
    assert performance.accuracy([0, 1], [0.3, 0.3], threshold=0.3) == 0.5


def test_errors_of_numbers_agree_with_scikit_learn():
    y, p = np.array([1.0, 2.0, 5.0]), np.array([1.5, 2.0, 2.0])

    assert performance.mae(y, p) == pytest.approx(metrics.mean_absolute_error(y, p))
    assert performance.rmse(y, p) == pytest.approx(metrics.root_mean_squared_error(y, p))


@settings(max_examples=100, deadline=None)
@given(n=st.integers(1, 3_000), share=st.floats(0, 1), level=st.sampled_from([0.8, 0.95, 0.99]))
def test_wilson_agrees_with_scipy(n, share, level):
    k = round(n * share)
    expected = stats.binomtest(k, n).proportion_ci(level, method="wilson")

    result = performance.wilson(k, n, level=level)

    assert (result.low, result.high) == pytest.approx((expected.low, expected.high), abs=1e-10)
    assert 0.0 <= result.low <= k / n <= result.high <= 1.0


@pytest.mark.parametrize(("k", "n"), [(0, 0), (-1, 5), (6, 5)])
def test_a_rate_of_impossible_counts_is_refused(k, n):
    with pytest.raises(InvalidInput, match="0 ≤ k ≤ n"):
        performance.wilson(k, n)


@pytest.mark.parametrize("level", [0.0, 1.0, 95])
def test_a_level_that_is_no_probability_is_refused(level):
    with pytest.raises(InvalidInput, match="level"):
        performance.wilson(1, 2, level=level)


def test_calibration_is_observed_over_predicted():
    result = performance.calibration([1, 0, 0, 0, 1, 0], [0.5] * 6)
    rate = performance.wilson(2, 6)

    assert result.ratio == pytest.approx(2 / 3)
    assert result.observed_rate == pytest.approx(1 / 3)
    assert result.predicted_rate == 0.5
    assert result.interval.low == pytest.approx(rate.low / 0.5)
    assert result.interval.high == pytest.approx(rate.high / 0.5)
    assert result.clusters is None


def test_clustered_calibration_is_wider_when_days_differ():
    rng = np.random.default_rng(0)
    day = np.repeat(np.arange(10), 200)
    rate = np.repeat(rng.uniform(0.1, 0.5, size=10), 200)
    y = (rng.random(2_000) < rate).astype(int)
    p = np.full(2_000, 0.3)

    plain = performance.calibration(y, p)
    clustered = performance.calibration(y, p, cluster=day)

    assert clustered.clusters == 10
    assert clustered.ratio == pytest.approx(plain.ratio)
    assert width(clustered) > 3 * width(plain)


def width(calibration):
    return calibration.interval.high - calibration.interval.low


def test_predictions_of_nothing_have_no_calibration():
    with pytest.raises(InvalidInput, match="Every prediction is 0"):
        performance.calibration([0, 1], [0.0, 0.0])


def test_calibration_bins_hold_equal_counts_in_order():
    rng = np.random.default_rng(1)
    p = rng.random(1_000)
    y = (rng.random(1_000) < p).astype(int)

    bins = performance.calibration_bins(y, p)

    assert [b.rows for b in bins] == [100] * 10
    assert all(a.high <= b.low for a, b in pairwise(bins))
    assert sum(b.observed_rate * b.rows for b in bins) == pytest.approx(y.sum())
    assert all(b.interval.contains(b.observed_rate) for b in bins)


def test_calibration_bins_keep_equal_predictions_together():
    bins = performance.calibration_bins([0, 1, 0, 1, 1], [0.2, 0.2, 0.2, 0.2, 0.9], bins=5)

    assert [(b.low, b.high, b.rows) for b in bins] == [(0.2, 0.2, 4), (0.9, 0.9, 1)]


def test_constant_predictions_make_one_bin():
    assert len(performance.calibration_bins([0, 1], [0.4, 0.4])) == 1


@pytest.mark.parametrize(
    ("y", "p", "says"),
    [
        ([], [], "empty"),
        ([0, 1], [0.5], "same rows"),
        ([0, 2], [0.5, 0.5], "0 or 1"),
        ([0, math.nan], [0.5, 0.5], "null"),
        ([0, 1], [0.5, 1.5], r"\[0, 1\]"),
        ([0, 1], [0.5, math.nan], "null"),
    ],
)
def test_what_has_no_log_loss_is_a_clear_error(y, p, says):
    with pytest.raises(InvalidInput, match=says):
        performance.log_loss(y, p)


@pytest.mark.parametrize("y", [[0, 0], [1, 1]])
def test_auc_of_one_outcome_is_a_clear_error(y):
    with pytest.raises(InvalidInput, match="both outcomes"):
        performance.auc(y, [0.1, 0.9])


def test_arrow_columns_are_accepted_as_they_are():
    y, p = pa.array([True, False]), pa.chunked_array([[0.9], [0.2]])

    assert performance.auc(y, p) == 1.0
