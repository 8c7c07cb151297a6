from __future__ import annotations

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from treadle.analysis import distributions
from treadle.kernel.errors import InvalidInput


@settings(max_examples=150, deadline=None)
@given(x=st.floats(0.0, 2_000.0), dof=st.floats(0.5, 1_000.0))
def test_chi2_survival_agrees_with_scipy(x, dof):
    expected = stats.chi2.sf(x, dof)

    assert distributions.chi2_sf(x, dof=dof) == pytest.approx(expected, rel=1e-9, abs=1e-13)


@pytest.mark.parametrize(("x", "dof"), [(100_500.0, 100_000.0), (2e6, 2e6), (800.0, 1.0)])
def test_chi2_survival_holds_for_extreme_arguments(x, dof):
    expected = stats.chi2.sf(x, dof)

    assert distributions.chi2_sf(x, dof=dof) == pytest.approx(expected, rel=1e-7, abs=1e-300)


@settings(max_examples=150, deadline=None)
@given(x=st.floats(0.0, 1.0), a=st.floats(0.2, 500.0), b=st.floats(0.2, 500.0))
def test_incomplete_beta_agrees_with_scipy(x, a, b):
    expected = special.betainc(a, b, x)

    assert distributions.regularised_beta(x, a=a, b=b) == pytest.approx(
        expected, rel=1e-9, abs=1e-13
    )


@settings(max_examples=150, deadline=None)
@given(t=st.floats(-40.0, 40.0), dof=st.floats(0.5, 5_000.0))
def test_student_tail_agrees_with_scipy(t, dof):
    expected = stats.t.sf(t, dof)

    assert distributions.student_t_sf(t, dof=dof) == pytest.approx(expected, rel=1e-9, abs=1e-14)


@settings(max_examples=60, deadline=None)
@given(p=st.floats(0.001, 0.999), dof=st.floats(1.0, 500.0))
def test_student_quantile_agrees_with_scipy(p, dof):
    expected = stats.t.ppf(p, dof)

    assert distributions.student_t_quantile(p, dof=dof) == pytest.approx(
        expected, rel=1e-8, abs=1e-12
    )


@given(p=st.floats(1e-6, 1 - 1e-6))
def test_normal_quantile_agrees_with_scipy(p):
    assert distributions.normal_quantile(p) == pytest.approx(stats.norm.ppf(p), abs=1e-9)


@pytest.mark.parametrize("x", [-9.0, -1.0, 0.0, 2.0, 12.0, 35.0])
def test_normal_tail_agrees_with_scipy_far_out(x):
    assert distributions.normal_sf(x) == pytest.approx(stats.norm.sf(x), rel=1e-12)


@given(x=st.floats(0.0, 8.0))
def test_kolmogorov_tail_agrees_with_scipy(x):
    assert distributions.kolmogorov_sf(x) == pytest.approx(special.kolmogorov(x), abs=1e-12)


def test_an_infinite_t_has_no_tail():
    assert distributions.student_t_sf(math.inf, dof=3) == 0.0
    assert distributions.student_t_sf(-math.inf, dof=3) == 1.0


@pytest.mark.parametrize("p", [0.0, 1.0, -0.1, math.nan])
def test_a_quantile_of_no_probability_is_refused(p):
    with pytest.raises(InvalidInput, match="quantile"):
        distributions.student_t_quantile(p, dof=4)


def test_degrees_of_freedom_must_be_positive():
    with pytest.raises(InvalidInput, match="degrees of freedom"):
        distributions.chi2_sf(1.0, dof=0)
