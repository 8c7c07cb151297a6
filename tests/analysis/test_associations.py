from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import contingency
from sklearn.metrics import mutual_info_score

from treadle.analysis import associations

CELL = st.one_of(st.just(math.nan), st.integers(-5, 5).map(float), st.floats(-1e3, 1e3))
CODES = st.lists(st.tuples(st.integers(-1, 4), st.integers(-1, 3)), min_size=1, max_size=60)


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(CELL, CELL, CELL), min_size=2, max_size=40))
def test_correlations_are_taken_over_the_rows_that_both_have(rows):
    columns = np.array(rows)

    r, counts = associations.pearson(columns)

    for i, j in ((0, 1), (0, 2), (1, 2)):
        both = np.isfinite(columns[:, i]) & np.isfinite(columns[:, j])
        x, y = columns[both, i], columns[both, j]
        assert counts[i, j] == both.sum()
        if len(x) > 1 and np.ptp(x) > 1e-3 and np.ptp(y) > 1e-3:
            assert r[i, j] == pytest.approx(np.corrcoef(x, y)[0, 1], abs=1e-6)
        if not len(x) or not np.ptp(x) or not np.ptp(y):
            assert math.isnan(r[i, j])


@settings(max_examples=150, deadline=None)
@given(rows=CODES)
def test_cramers_v_agrees_with_scipy(rows):
    first, second = (np.array(c) for c in zip(*rows, strict=True))
    known = (first >= 0) & (second >= 0)

    v, counted = associations.cramers_v(first, second)

    table = pd.crosstab(first[known], second[known]).to_numpy()
    assert counted == known.sum()
    if min(table.shape, default=0) < 2:
        assert v is None
    else:
        assert v == pytest.approx(contingency.association(table, method="cramer"), abs=1e-9)


@settings(max_examples=150, deadline=None)
@given(rows=CODES)
def test_mutual_information_agrees_with_scikit_learn(rows):
    first, second = (np.array(c) for c in zip(*rows, strict=True))
    known = (first >= 0) & (second >= 0)

    bits = associations.mutual_information(first, second)

    nats = mutual_info_score(first[known], second[known]) if known.any() else 0.0
    assert bits == pytest.approx(nats / math.log(2), abs=1e-9)
    assert bits <= associations.entropy(first[known]) + 1e-9


def test_many_names_tell_nothing_of_chance():
    draw = np.random.default_rng(0)
    names, target = draw.integers(0, 500, 5_000), draw.integers(0, 2, 5_000)

    assert associations.mutual_information(names, target) > 0.05
    assert associations.corrected_information(names, target) < 0.01
    assert associations.corrected_information(target, target) == pytest.approx(
        associations.entropy(target)
    )


@settings(max_examples=150, deadline=None)
@given(rows=st.lists(st.tuples(st.integers(-1, 3), CELL), min_size=1, max_size=50))
def test_a_correlation_ratio_is_the_share_of_variance_between_groups(rows):
    codes, values = np.array([c for c, _ in rows]), np.array([v for _, v in rows])
    frame = pd.DataFrame({"c": codes, "v": values})[(codes >= 0) & np.isfinite(values)]

    eta, counted = associations.correlation_ratio(codes, values)

    assert counted == len(frame)
    if frame.c.nunique() < 2 or np.ptp(frame.v) < 1e-3:
        return
    between = frame.groupby("c").v.transform("mean")
    expected = math.sqrt(((between - frame.v.mean()) ** 2).sum() / frame.v.var(ddof=0) / len(frame))
    assert eta == pytest.approx(min(1.0, expected), abs=1e-6)


def test_each_pair_of_kinds_has_its_measure():
    found = associations.pairs(
        {"n": np.array([1.0, 2.0, 3.0, 4.0]), "m": np.array([2.0, 4.0, 6.0, 8.0])},
        {"c": np.array([0, 0, 1, 1]), "d": np.array([1, 1, 0, 0])},
    )

    assert {(p.first, p.second): (p.measure, p.value) for p in found} == {
        ("n", "m"): ("pearson", 1.0),
        ("c", "d"): ("cramers_v", 1.0),
        ("n", "c"): ("correlation_ratio", 0.8944),
        ("m", "c"): ("correlation_ratio", 0.8944),
        ("n", "d"): ("correlation_ratio", 0.8944),
        ("m", "d"): ("correlation_ratio", 0.8944),
    }


def test_a_constant_has_no_pair():
    assert associations.pairs({"a": np.ones(5), "b": np.arange(5.0)}, {"c": np.zeros(5, int)}) == ()


def test_huge_numbers_correlate():
    found = associations.pairs({"a": np.array([1e300, 2e300, 3e300]), "b": np.arange(3.0)}, {})

    assert found[0].value == 1.0


def test_few_distinct_numbers_are_classes_and_many_are_cut_at_quantiles():
    few = associations.codes_of_numbers(np.array([5.0, math.nan, 1.0, 5.0]))
    many = associations.codes_of_numbers(np.arange(1000.0))

    assert few.tolist() == [1, -1, 0, 1]
    assert np.bincount(many).tolist() == pytest.approx([50] * 20, abs=1)
