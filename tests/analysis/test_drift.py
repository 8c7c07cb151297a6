from __future__ import annotations

import math
from fractions import Fraction
from itertools import combinations, pairwise, product

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial import distance
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import cross_val_predict

from treadle.analysis import drift
from treadle.analysis.bins import reference_bins
from treadle.kernel.errors import InvalidInput

SMALL = st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=25)
COUNTS = st.lists(st.integers(0, 200), min_size=2, max_size=8)


def normal(seed, n=500):
    return np.random.default_rng(seed).normal(size=n)


def brute_psi(reference, current, floor=1e-4):
    cuts = np.quantile(reference, np.linspace(0, 1, 11))[1:-1]
    bounds = [-math.inf, *cuts, math.inf]
    pairs = list(pairwise(bounds))
    r = [max(np.mean((a <= reference) & (reference < b)), floor) for a, b in pairs]
    c = [max(np.mean((a <= current) & (current < b)), floor) for a, b in pairs]
    return sum((y - x) * math.log(y / x) for x, y in zip(r, c, strict=True))


def test_psi_agrees_with_its_formula():
    reference, current = normal(1), normal(2) * 1.3 + 0.4

    assert drift.psi(reference, current) == pytest.approx(brute_psi(reference, current))


def test_psi_of_a_sample_with_itself_is_zero():
    assert drift.psi(normal(1), normal(1)) == 0.0


def test_psi_from_stored_bins_equals_psi_from_rows():
    reference, current = normal(1), normal(2) + 0.2
    stored = reference_bins(np.sort(reference))

    result = drift.psi_from_bins(stored.edges, stored.counts, current)

    assert result == drift.psi(reference, current)


def test_continuous_values_make_ten_bins_of_equal_counts():
    stored = reference_bins(np.sort(normal(1, n=1_000)))

    assert stored.counts == (100,) * 10


def test_a_frequent_value_gets_a_bin_of_its_own():
    values = np.sort(np.concatenate([np.zeros(800), np.linspace(1, 2, 200)]))

    stored = reference_bins(values)

    assert stored.edges[:2] == (0.0, np.nextafter(0.0, 1.0))
    assert stored.counts[:2] == (0, 800)


@pytest.mark.parametrize("now", [2.0, 4.0])
def test_psi_sees_a_constant_move_either_way(now):
    result = drift.psi(np.full(50, 3.0), np.full(50, now))

    assert result == pytest.approx(2 * (1 - 1e-4) * math.log(1e4))


def test_psi_leaves_nulls_out():
    with_nulls = np.concatenate([normal(2), np.full(100, math.nan)])

    assert drift.psi(normal(1), with_nulls) == drift.psi(normal(1), normal(2))


@settings(max_examples=80, deadline=None)
@given(reference=SMALL, current=SMALL)
def test_psi_is_never_negative_and_always_finite(reference, current):
    result = drift.psi(reference, current)

    assert 0.0 <= result < math.inf


IMPOSSIBLE = {
    "psi of no reference": (lambda: drift.psi([], [1.0]), "reference"),
    "psi of nulls": (lambda: drift.psi([1.0], [math.nan]), "positive sum"),
    "one bin": (lambda: drift.psi([1.0], [1.0], bins=1), "2 bins"),
    "no floor": (lambda: drift.psi([1.0], [1.0], floor=0.0), "floor"),
    "too few counts": (lambda: drift.psi_from_bins([1.0], [1], [1.0]), "2 bins"),
    "names and positions": (lambda: drift.psi_from_counts({"a": 1}, [1]), "both by position"),
    "other bins": (lambda: drift.psi_from_counts([1, 2], [1]), "share their bins"),
    "chi2 of nothing": (lambda: drift.chi2({"a": 1}, {}), "current"),
    "negative counts": (lambda: drift.chi2([1, -1], [1, 1]), "non-negative"),
    "base 1": (lambda: drift.jensen_shannon([1], [1], base=1.0), "base"),
    "ks of no reference": (lambda: drift.ks([], [1.0]), "reference"),
    "wasserstein of nulls": (lambda: drift.wasserstein([1.0], [None]), "current"),
}


@pytest.mark.parametrize(("call", "says"), IMPOSSIBLE.values(), ids=IMPOSSIBLE)
def test_what_has_no_distance_is_a_clear_error(call, says):
    with pytest.raises(InvalidInput, match=says):
        call()


def lattice_p(steps, n, m):
    """Share of the paths from (0, 0) to (n, m) that touch |i·m - j·n| ≥ steps, in whole numbers."""
    inside = {(0, 0): int(steps > 0)}
    for i, j in product(range(n + 1), range(m + 1)):
        before = inside.get((i - 1, j), 0) + inside.get((i, j - 1), 0) or inside.get((i, j), 0)
        inside[i, j] = before * (abs(i * m - j * n) < steps)
    return float(1 - Fraction(inside[n, m], math.comb(n + m, n)))


@settings(max_examples=60, deadline=None)
@given(first=SMALL, second=SMALL)
def test_ks_is_exact_ties_included(first, second):
    n, m = len(first), len(second)
    joined = np.concatenate([first, second])[:, None]
    steps = np.abs((first <= joined).sum(1) * m - (second <= joined).sum(1) * n).max()

    result = drift.ks(first, second)

    assert result.exact
    assert result.statistic == steps / (n * m)
    assert result.p_value == pytest.approx(lattice_p(steps, n, m), abs=1e-12)


@pytest.mark.parametrize(("n", "m"), [(5, 5), (40, 40), (33, 57), (120, 31)])
def test_exact_ks_agrees_with_scipy(n, m):
    first, second = normal(1, n=n), normal(2, n=m) + 0.4

    expected = stats.ks_2samp(first, second, method="exact")

    assert drift.ks(first, second).p_value == pytest.approx(expected.pvalue, rel=1e-9)


def test_exact_ks_agrees_with_scipy_at_its_largest():
    first, second = normal(1, n=1_000), normal(2, n=700) + 0.1

    result = drift.ks(first, second)

    assert result.p_value == pytest.approx(
        stats.ks_2samp(first, second, method="exact").pvalue, rel=1e-8
    )


def test_exact_ks_counts_every_arrangement():
    arrangements = [
        (np.array(chosen), np.setdiff1d(np.arange(9), chosen))
        for chosen in combinations(range(9), 4)
    ]
    statistics = np.array([drift.ks(a, b).statistic for a, b in arrangements])
    observed = drift.ks([0, 1, 2, 4], [3, 5, 6, 7, 8])

    assert observed.p_value == pytest.approx(np.mean(statistics >= observed.statistic - 1e-12))


@pytest.mark.parametrize("shift", [0.0, 0.02, 0.05, 0.08])
def test_ks_of_large_samples_is_close_to_the_exact_p(shift):
    first, second = normal(1, n=4_000), normal(2, n=3_000) + shift
    expected = stats.ks_2samp(first, second, method="exact")

    result = drift.ks(first, second)

    assert not result.exact
    assert result.statistic == pytest.approx(expected.statistic, abs=1e-15)
    assert result.p_value == pytest.approx(expected.pvalue, rel=0.05)


@settings(max_examples=80, deadline=None)
@given(counts=st.lists(st.tuples(st.integers(1, 90), st.integers(1, 90)), min_size=2, max_size=7))
def test_chi2_agrees_with_scipy(counts):
    table = np.array(counts).T
    expected = stats.chi2_contingency(table, correction=False)

    result = drift.chi2(*table)

    assert result.statistic == pytest.approx(expected.statistic, rel=1e-12, abs=1e-12)
    assert result.p_value == pytest.approx(expected.pvalue, rel=1e-9)
    assert result.cramers_v == pytest.approx(
        stats.contingency.association(table, method="cramer"), abs=1e-9
    )


def test_chi2_of_a_new_category_is_finite():
    result = drift.chi2({"EWR": 50, "JFK": 50}, {"EWR": 50, "SWF": 50})

    assert math.isfinite(result.statistic)
    assert result.p_value < 1e-12


def test_chi2_leaves_out_what_neither_sample_holds():
    assert drift.chi2([10, 20, 0], [20, 10, 0]) == drift.chi2([10, 20], [20, 10])


def test_chi2_of_one_category_says_nothing():
    result = drift.chi2({"a": 5}, {"a": 9})

    assert (result.statistic, result.p_value) == (0.0, 1.0)


def test_chi2_does_not_take_the_reference_as_exact():
    few, many = drift.chi2([12, 8], [60, 140]), drift.chi2([1_200, 800], [60, 140])

    assert few.p_value > many.p_value


@given(first=SMALL, second=SMALL)
@settings(max_examples=80, deadline=None)
def test_wasserstein_agrees_with_scipy(first, second):
    expected = stats.wasserstein_distance(first, second)

    assert drift.wasserstein(first, second) == pytest.approx(expected, abs=1e-12)


@given(values=SMALL, shift=st.floats(-10, 10))
def test_wasserstein_of_a_shift_is_the_shift(values, shift):
    moved = np.array(values) + shift

    assert drift.wasserstein(values, moved) == pytest.approx(abs(shift), abs=1e-9)


@settings(max_examples=80, deadline=None)
@given(first=COUNTS, second=COUNTS)
def test_jensen_shannon_agrees_with_scipy(first, second):
    size = min(len(first), len(second))
    first, second = first[:size], second[:size]
    assume(sum(first) and sum(second))

    result = drift.jensen_shannon(first, second)

    assert result == pytest.approx(distance.jensenshannon(first, second, base=2), abs=1e-7)
    assert 0.0 <= result <= 1.0 + 1e-12


def test_jensen_shannon_of_disjoint_categories_is_one_in_base_two():
    assert drift.jensen_shannon({"a": 3}, {"b": 4}) == pytest.approx(1.0)


def test_the_domain_classifier_is_about_as_good_as_scikit_learns():
    rng = np.random.default_rng(3)
    reference = rng.normal(size=(800, 3))
    current = rng.normal(loc=[0.6, 0.0, 0.0], size=(800, 3))
    x, y = np.vstack([reference, current]), np.repeat([0, 1], 800)
    p = cross_val_predict(LogisticRegression(), x, y, method="predict_proba", cv=5)[:, 1]

    result = drift.domain_classifier(reference, current, 0)

    assert result == pytest.approx(roc_auc_score(y, p), abs=0.02)


def test_the_domain_classifier_cannot_tell_equal_distributions():
    rng = np.random.default_rng(4)

    result = drift.domain_classifier(rng.normal(size=(900, 4)), rng.normal(size=(900, 4)), 0)

    assert result == pytest.approx(0.5, abs=0.03)


def test_the_domain_classifier_sees_a_changed_dependence():
    rng = np.random.default_rng(5)
    first = rng.normal(size=(900, 2))
    shared = rng.normal(size=(900, 1))
    second = (shared + 0.4 * rng.normal(size=(900, 2))) / math.sqrt(1.16)

    assert drift.domain_classifier(first, second, 0) > 0.7


def test_the_domain_classifier_sees_new_nulls():
    rng = np.random.default_rng(6)
    first, second = rng.normal(size=(400, 2)), rng.normal(size=(400, 2))
    second[:200, 1] = math.nan

    assert drift.domain_classifier(first, second, 0) > 0.7


def test_the_domain_classifier_obeys_its_seed():
    rng = np.random.default_rng(7)
    first, second = rng.normal(size=(7_000, 2)), rng.normal(size=(100, 2))

    same = [drift.domain_classifier(first, second, 1) for _ in range(2)]

    assert same[0] == same[1]


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        (np.zeros((50, 2)), np.zeros((50, 3)), "2 features"),
        (np.zeros((9, 2)), np.zeros((50, 2)), "at least 10"),
        (np.zeros((50, 0)), np.zeros((50, 0)), "rows x features"),
    ],
)
def test_the_domain_classifier_refuses_what_it_cannot_fold(first, second, says):
    with pytest.raises(InvalidInput, match=says):
        drift.domain_classifier(first, second, 0)
