from __future__ import annotations

import json
import math

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from treadle.analysis import comparisons
from treadle.analysis.clusters import ClusterTotals, as_totals, totals_by_cluster
from treadle.kernel.errors import InvalidInput

LOSSES = st.lists(
    st.tuples(st.integers(0, 4), st.floats(0, 3), st.floats(0, 3)), min_size=6, max_size=60
)


def sandwich(d, cluster):
    """Regression on a constant, residuals summed per cluster, matrices and all."""
    x = np.ones((len(d), 1))
    bread = np.linalg.inv(x.T @ x)
    beta = bread @ x.T @ d
    groups = np.unique(cluster)
    sums = [x[cluster == g].T @ (d - x @ beta)[cluster == g] for g in groups]
    meat = sum(np.outer(s, s) for s in sums)
    g, n = len(groups), len(d)
    factor = g / (g - 1) * (n - 1) / (n - 1)
    return float(beta[0]), math.sqrt(factor * (bread @ meat @ bread)[0, 0])


@settings(max_examples=80, deadline=None)
@given(rows=LOSSES.filter(lambda rows: len({r[0] for r in rows}) > 1))
def test_the_clustered_error_is_the_sandwich_of_a_constant(rows):
    cluster, a, b = (np.array(c) for c in zip(*rows, strict=True))
    mean, error = sandwich(a - b, cluster)

    result = comparisons.paired_clustered(a, b, cluster=cluster)

    assert result.mean_difference == pytest.approx(mean, abs=1e-12)
    assert result.standard_error == pytest.approx(error, abs=1e-9)


def test_with_one_row_per_cluster_it_is_the_paired_t_test():
    rng = np.random.default_rng(1)
    a, b = rng.random(30) + 0.2, rng.random(30)
    expected = stats.ttest_rel(a, b)
    ci = expected.confidence_interval(0.9)

    result = comparisons.paired_clustered(a, b, cluster=np.arange(30), level=0.9)

    assert result.z == pytest.approx(expected.statistic)
    assert result.p_value == pytest.approx(expected.pvalue)
    assert (result.interval.low, result.interval.high) == pytest.approx((ci.low, ci.high))
    assert (result.clusters, result.rows) == (30, 30)


def test_repeating_every_row_within_its_cluster_proves_nothing_more():
    rng = np.random.default_rng(2)
    a, b, day = rng.random(20), rng.random(20), np.arange(20) % 7

    once = comparisons.paired_clustered(a, b, cluster=day)
    hundredfold = comparisons.paired_clustered(
        np.repeat(a, 100), np.repeat(b, 100), cluster=np.repeat(day, 100)
    )

    assert hundredfold.p_value == pytest.approx(once.p_value)


def test_a_positive_difference_means_b_has_the_smaller_loss():
    result = comparisons.paired_clustered([3.0, 3.2], [1.0, 1.1], cluster=["mon", "tue"])

    assert result.mean_difference == pytest.approx(2.05)


def test_the_clustered_interval_covers_at_its_level():
    rng = np.random.default_rng(3)
    day = np.repeat(np.arange(12), 20)
    worlds = rng.normal(size=(600, 12)).repeat(20, axis=1) + rng.normal(size=(600, 240))

    hits = [
        comparisons.mean_with_interval_clustered(w, cluster=day).interval.contains(0.0)
        for w in worlds
    ]

    assert np.mean(hits) == pytest.approx(0.95, abs=0.03)


@pytest.mark.parametrize(("a", "z", "p"), [(0.5, 0.0, 1.0), (0.75, 1e6, 0.0)])
def test_no_variation_at_all_stays_storable(a, z, p):
    result = comparisons.paired_clustered([a] * 3, [0.5] * 3, cluster=[1, 2, 3])

    assert (result.z, result.p_value) == (z, pytest.approx(p, abs=1e-9))
    assert None not in json.loads(msgspec.json.encode(result)).values()


def test_a_ratio_of_sums_has_the_linearised_error():
    rng = np.random.default_rng(4)
    top, bottom, day = rng.random(90), rng.random(90) + 1, np.arange(90) % 9
    ratio = top.sum() / bottom.sum()
    u = np.array([(top - ratio * bottom)[day == d].sum() for d in range(9)])
    error = math.sqrt(9 / 8 * (u**2).sum()) / bottom.sum()

    result = comparisons.ratio_with_interval_clustered(top, bottom, cluster=day)

    assert result.ratio == pytest.approx(ratio)
    assert result.standard_error == pytest.approx(error)
    assert result.interval.high - result.ratio == pytest.approx(stats.t.ppf(0.975, 8) * error)


def test_totals_are_all_a_mean_needs():
    totals = totals_by_cluster([1.0, 2.0, 6.0], cluster=["b", "a", "b"])

    assert totals == ClusterTotals(("a", "b"), (2.0, 7.0), (1, 2))
    assert totals == as_totals({"a": [2.0], "b": [1.0, 6.0]})
    assert totals.mean == 3.0
    assert totals.means == (2.0, 3.5)


IMPOSSIBLE = {
    "one cluster": (([1.0, 2.0], [1.0, 1.0], [7, 7]), "at least 2 clusters"),
    "a pending label": (([1.0, math.nan], [1.0, 1.0], [1, 2]), "null"),
    "other rows": (([1.0, 2.0], [1.0], [1, 2]), "same rows"),
    "other clusters": (([1.0, 2.0], [1.0, 2.0], [1]), "same rows"),
    "no rows": (([], [], []), "empty"),
    "a row without a day": (([1.0, 2.0], [1.0, 2.0], ["mon", None]), "without a cluster"),
    "a row with no number of day": (([1.0, 2.0], [1.0, 2.0], [1.0, math.nan]), "without a"),
}


@pytest.mark.parametrize(("given_", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_cannot_be_compared_is_a_clear_error(given_, says):
    a, b, cluster = given_

    with pytest.raises(InvalidInput, match=says):
        comparisons.paired_clustered(a, b, cluster=cluster)


def bayes_factor(values, tau):
    """Definition: noncentral t density mixed over the effect, against the central one."""
    n = len(values)
    t = math.sqrt(n) * np.mean(values) / np.std(values, ddof=1)
    mixed, _ = integrate.quad(
        lambda d: stats.nct.pdf(t, n - 1, math.sqrt(n) * d) * stats.norm.pdf(d, scale=tau), -8, 8
    )
    return mixed / stats.t.pdf(t, n - 1)


@pytest.mark.parametrize("tau", [0.5, 1.0])
@pytest.mark.parametrize("n", [2, 5, 14])
def test_the_e_value_is_the_mixture_of_noncentral_t_densities(n, tau):
    values = np.random.default_rng(n).normal(0.4, 1.0, size=n)

    result = comparisons.always_valid(values, tau=tau)

    assert result.e_value == pytest.approx(bayes_factor(values, tau), rel=1e-5)


def test_looking_after_every_day_keeps_the_error_below_its_level():
    rng = np.random.default_rng(5)
    worlds = rng.normal(size=(3_000, 60))

    p_values = [comparisons.always_valid(w).p_value for w in worlds]

    assert np.mean(np.array(p_values) <= 0.05) <= 0.05


def test_the_interval_ends_where_the_evidence_reaches_its_limit():
    values = np.random.default_rng(6).normal(0.3, 1.0, size=12)
    found = comparisons.always_valid(values).interval

    at_low = comparisons.always_valid(values - found.low).e_value
    at_high = comparisons.always_valid(values - found.high).e_value

    assert (at_low, at_high) == pytest.approx((20.0, 20.0))


def test_a_clear_difference_is_decided_for_the_smaller_loss():
    values = 1.0 + 0.3 * np.random.default_rng(7).normal(size=10)

    for_b = comparisons.always_valid(values)
    for_a = comparisons.always_valid(-values)

    assert (for_b.decision, for_a.decision) == ("b", "a")
    assert for_b.interval.low > 0.0


def test_a_decision_once_reached_stays():
    early = np.concatenate([1.0 + 0.1 * np.sin(np.arange(8)), np.full(40, -1.0)])

    result = comparisons.always_valid(early)

    assert result.decision == "b"
    assert result.mean_difference < 0.0


@pytest.mark.parametrize("values", [[0.4], [0.4, 0.5], [0.0, 0.0, 0.0]])
def test_few_or_empty_differences_decide_nothing(values):
    result = comparisons.always_valid(values)

    assert result.decision == "continue"


def test_the_interval_of_few_clusters_is_unbounded():
    assert comparisons.always_valid({"mon": 0.4, "tue": 0.5}).interval is None


def test_days_may_come_by_name_in_time_order():
    by_name = comparisons.always_valid({"2013-03-02": 0.4, "2013-03-01": 0.5, "2013-03-03": 0.6})

    assert by_name == comparisons.always_valid([0.4, 0.5, 0.6])


def test_overwhelming_evidence_stays_finite():
    result = comparisons.always_valid(1.0 + 1e-9 * np.sin(np.arange(400)))

    assert math.isfinite(result.e_value)
    assert result.p_value < 1e-100


@pytest.mark.parametrize(
    ("keywords", "says"), [({"tau": 0.0}, "tau"), ({"level": 1.5}, "level")], ids=["tau", "level"]
)
def test_settings_of_a_sequence_are_checked(keywords, says):
    with pytest.raises(InvalidInput, match=says):
        comparisons.always_valid([0.1, 0.2], **keywords)


def paired(difference, *, noise=0.1, days=20):
    rng = np.random.default_rng(8)
    a = rng.random(days * 10) + difference + noise * rng.normal(size=days).repeat(10)
    b = np.random.default_rng(8).random(days * 10)
    return comparisons.paired_clustered(a, b, cluster=np.arange(days).repeat(10))


@pytest.mark.parametrize(
    ("difference", "outcome"), [(0.3, "superior"), (0.001, "not proven"), (-0.3, "worse")]
)
def test_superiority_must_be_proven(difference, outcome):
    verdict = comparisons.superiority(paired(difference))

    assert verdict.outcome == outcome
    assert verdict.passed == (outcome == "superior")
    assert "20 clusters" in verdict.reason


def test_superiority_by_a_margin_asks_for_more():
    result = paired(0.3)

    assert comparisons.superiority(result, margin=0.2).passed
    assert not comparisons.superiority(result, margin=0.4).passed


def test_superiority_is_the_one_sided_t_test():
    result = paired(0.04)
    p = stats.t.sf(result.z, 19)

    assert comparisons.superiority(result, level=1 - p - 1e-6).passed
    assert not comparisons.superiority(result, level=1 - p + 1e-6).passed


def test_non_inferiority_allows_a_margin_and_no_more():
    slightly_worse = paired(-0.05, noise=0.02)

    assert comparisons.non_inferiority(slightly_worse, margin=0.1).passed
    assert not comparisons.non_inferiority(slightly_worse, margin=0.04).passed


def test_a_model_is_no_worse_than_itself():
    same = comparisons.paired_clustered([0.1, 0.4, 0.2], [0.1, 0.4, 0.2], cluster=[1, 2, 3])

    assert comparisons.non_inferiority(same, margin=0.0, minimum_clusters=3).passed
    assert not comparisons.superiority(same, minimum_clusters=3).passed


def test_a_negative_margin_is_refused():
    with pytest.raises(InvalidInput, match="not negative"):
        comparisons.non_inferiority(paired(0.1), margin=-0.1)


def test_too_few_days_prove_nothing():
    three_days = paired(0.5, days=3)

    verdicts = [
        comparisons.superiority(three_days),
        comparisons.non_inferiority(three_days, margin=1.0),
    ]

    assert [v.passed for v in verdicts] == [False, False]
    assert verdicts[0].outcome == "too few clusters"
    assert "5 are needed" in verdicts[0].reason


def test_a_sequential_decision_reads_as_a_sentence():
    values = 1.0 + 0.3 * np.random.default_rng(7).normal(size=10)

    verdict = comparisons.always_valid_verdict(comparisons.always_valid(-values), b="v4")

    assert (verdict.passed, verdict.outcome) == (False, "worse")
    assert verdict.reason.startswith("v4 has the larger loss than champion: mean difference -")
