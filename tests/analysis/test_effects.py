from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import special, stats

from treadle.analysis import effects
from treadle.analysis.clusters import totals_by_cluster
from treadle.kernel.errors import InvalidInput

NAMES = ("temp", "wind", "hour")


def late(rows):
    return special.expit(0.8 * rows[:, 0] - 0.3 * rows[:, 1])


def sample(seed, shift=(0.0, 0.0, 0.0), n=4_000):
    return np.random.default_rng(seed).normal(size=(n, 3)) + shift


def attribute(reference, current, predict=late, **keywords):
    found = effects.attribute_shift(predict, reference, current, names=NAMES, seed=0, **keywords)
    return {e.name: e for e in found}


def test_the_feature_that_moved_the_predictions_comes_first():
    found = effects.attribute_shift(
        late, sample(1), sample(2, shift=(1.0, 0.0, 0.0)), names=NAMES, seed=0
    )

    assert found[0].name == "temp"
    assert found[0].share > 0.85


def test_the_effect_is_the_change_of_the_mean_prediction():
    reference, current = sample(1), sample(2, shift=(1.0, 0.0, 0.0))
    change = late(current).mean() - late(reference).mean()

    found = attribute(reference, current, sample=4_000)

    assert found["temp"].effect == pytest.approx(change, abs=0.01)
    assert found["temp"].effect > 20 * found["temp"].standard_error


def test_a_large_shift_of_a_feature_the_model_ignores_has_no_effect():
    found = attribute(sample(1), sample(2, shift=(0.0, 0.0, 50.0)))

    assert found["hour"].effect == 0.0
    assert found["hour"].loss_if_fault == 0.0


def test_nothing_moved_means_no_effect():
    rows = sample(1)

    found = attribute(rows, rows)

    assert max(abs(e.effect) for e in found.values()) < 1e-12


def test_nothing_to_share_is_shared_by_none():
    found = attribute(sample(1), sample(2), predict=lambda rows: np.full(len(rows), 0.3))

    assert [e.share for e in found.values()] == [0.0, 0.0, 0.0]


def test_shares_sum_to_one():
    found = attribute(sample(1), sample(2, shift=(1.0, 1.0, 0.0)))

    assert sum(e.share for e in found.values()) == pytest.approx(1.0)


def test_the_spread_shrinks_when_a_unit_shrinks():
    celsius = sample(2) * [5 / 9, 1.0, 1.0]

    found = attribute(sample(1), celsius)

    assert found["temp"].spread_effect < -0.03


def test_the_loss_of_a_fault_is_the_loss_it_costs():
    rng = np.random.default_rng(3)
    truth = sample(2)
    served = truth.copy()
    served[:, 0] = (served[:, 0] - 1.5) * 5 / 9
    y = rng.random(len(truth)) < late(truth)
    cost = effects.per_row_log_loss(y, late(served)) - effects.per_row_log_loss(y, late(truth))

    found = attribute(sample(1), served, sample=4_000)

    assert found["temp"].loss_if_fault == pytest.approx(cost.mean(), rel=0.2)
    assert found["wind"].loss_if_fault < 0.01 * found["temp"].loss_if_fault


def test_predictions_that_are_no_probabilities_have_no_log_loss():
    found = attribute(sample(1), sample(2), predict=lambda rows: 100 * rows[:, 0])

    assert found["temp"].loss_if_fault is None


def test_new_nulls_are_an_effect():
    current = sample(2)
    current[: len(current) // 2, 0] = math.nan

    found = attribute(
        sample(1), current, predict=lambda rows: np.where(np.isnan(rows[:, 0]), 0.9, 0.2)
    )

    assert found["temp"].effect == pytest.approx(0.35, abs=0.05)


def test_discrete_features_are_carried_back_to_the_references_shares():
    reference = np.repeat([0.0, 1.0], [900, 100])[:, None]
    current = np.repeat([0.0, 1.0], [50, 50])[:, None]

    (found,) = effects.attribute_shift(
        lambda rows: rows[:, 0], reference, current, names=["flag"], seed=0
    )

    assert found.effect == pytest.approx(0.4)


def test_the_seed_decides_the_sample():
    reference, current = sample(1), sample(2, shift=(0.5, 0.0, 0.0))

    assert attribute(reference, current) == attribute(reference, current)


IMPOSSIBLE = {
    "other features": (np.zeros((5, 2)), late, "n x 3"),
    "no rows": (np.zeros((0, 3)), late, "n x 3"),
    "null predictions": (
        np.zeros((5, 3)),
        lambda rows: np.full(len(rows), math.nan),
        "predictions has 5",
    ),
    "too few predictions": (np.zeros((5, 3)), lambda rows: np.zeros(1), "1 values for 5"),
}


@pytest.mark.parametrize(("current", "predict", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_has_no_attribution_is_a_clear_error(current, predict, says):
    with pytest.raises(InvalidInput, match=says):
        attribute(sample(1), current, predict=predict)


def world(seed, *, ratio=1.0, days=14, rows=300):
    rng = np.random.default_rng(seed)
    p = rng.uniform(0.05, 0.5, size=days * rows)
    y = (rng.random(days * rows) < np.clip(p * ratio, 0, 1)).astype(int)
    return y, p, np.arange(days).repeat(rows)


def test_calibrated_predictions_have_no_excess_loss():
    y, p, day = world(1)

    result = effects.loss_effect(y, p, cluster=day)

    assert result.interval.contains(0.0)
    assert result.expected == pytest.approx(stats.bernoulli(p).entropy().mean())
    assert result.observed == pytest.approx(effects.per_row_log_loss(y, p).mean())
    assert result.excess == pytest.approx(result.observed - result.expected)


def test_under_prediction_shows_as_excess_loss():
    y, p, day = world(1, ratio=1.6)

    assert effects.loss_effect(y, p, cluster=day).interval.low > 0.0


def test_certain_and_right_predictions_expect_no_loss():
    result = effects.loss_effect([0, 1, 0, 1], [0.0, 1.0, 0.0, 1.0], cluster=[1, 1, 2, 2])

    assert (result.expected, result.excess) == (0.0, pytest.approx(0.0, abs=1e-12))


@pytest.mark.parametrize(
    ("ratio", "outcome"), [(1.0, "within"), (1.6, "under-predicts"), (0.6, "over-predicts")]
)
def test_a_calibration_shift_is_named_by_its_direction(ratio, outcome):
    y, p, day = world(2, ratio=ratio)

    result = effects.calibration_shift(y, p, cluster=day)

    assert result.verdict.outcome == outcome
    assert result.verdict.passed == (outcome == "within")


def test_a_wide_interval_decides_nothing():
    y, p, day = world(3, ratio=1.25, days=5, rows=40)

    result = effects.calibration_shift(y, p, cluster=day)

    assert result.verdict.outcome == "undecided"
    assert result.verdict.passed
    assert "not decided yet" in result.verdict.reason


def losses(seed, *, mean=0.5, days=20):
    rng = np.random.default_rng(seed)
    centre = mean + 0.02 * rng.normal(size=days)
    return {f"d{i:02}": centre[i] + 0.1 * rng.normal(size=50) for i in range(days)}


@pytest.mark.parametrize(
    ("mean", "tolerance", "outcome"),
    [
        (0.50, 0.05, "within"),
        (0.60, 0.05, "worse"),
        (0.40, 0.05, "better"),
        (0.55, 0.05, "undecided"),
    ],
)
def test_a_quality_shift_is_judged_against_its_band(mean, tolerance, outcome):
    result = effects.quality_shift(losses(1), losses(4, mean=mean), tolerance=tolerance)

    assert result.verdict.outcome == outcome
    assert result.verdict.passed == (outcome != "worse")


def test_with_equal_days_a_quality_shift_is_welchs_test_on_daily_means():
    before, now = losses(1), losses(2, mean=0.51, days=11)
    expected = stats.ttest_ind(
        [d.mean() for d in now.values()], [d.mean() for d in before.values()], equal_var=False
    )
    ci = expected.confidence_interval(0.95)

    result = effects.quality_shift(before, now)

    assert result.p_value == pytest.approx(expected.pvalue)
    assert (result.interval.low, result.interval.high) == pytest.approx((ci.low, ci.high))


def test_stored_totals_are_as_good_as_rows():
    before, now = losses(1), losses(2)
    rows = np.concatenate(list(now.values()))
    totals = totals_by_cluster(rows, cluster=np.repeat(list(now), 50))

    from_totals = effects.quality_shift(before, totals)

    assert from_totals.difference == pytest.approx(effects.quality_shift(before, now).difference)


def test_bands_must_be_bands():
    y, p, day = world(2)

    with pytest.raises(InvalidInput, match="at least 1"):
        effects.calibration_shift(y, p, cluster=day, tolerance=0.5)
    with pytest.raises(InvalidInput, match="not negative"):
        effects.quality_shift(losses(1), losses(2), tolerance=-0.1)
