from __future__ import annotations

import numpy as np
import pytest
from fairlearn import metrics
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.analysis import fairness
from treadle.kernel.errors import InvalidInput

ROWS = st.lists(
    st.tuples(st.integers(0, 1), st.integers(0, 1), st.sampled_from("abc")),
    min_size=2,
    max_size=60,
).filter(lambda rows: len({r[2] for r in rows}) > 1)


@settings(max_examples=60, deadline=None)
@given(rows=ROWS)
def test_rates_agree_with_counting(rows):
    y, selected, group = (np.array(c) for c in zip(*rows, strict=True))

    result = fairness.rates_by_group(y, selected, group=group)

    assert [(g.group, g.selection.rate) for g in result.groups] == [
        (str(g), selected[group == g].mean()) for g in np.unique(group)
    ]
    assert all(g.selection.interval.contains(g.selection.rate) for g in result.groups)


@pytest.fixture(scope="module")
def decisions():
    rng = np.random.default_rng(0)
    group = rng.choice(["f", "m", "x"], size=900)
    y = rng.random(900) < 0.4
    selected = rng.random(900) < np.where(group == "m", 0.6, 0.4) + 0.2 * y
    return y, selected, group


def test_differences_are_the_largest_between_any_two_groups(decisions):
    y, selected, group = decisions
    rate = {g: selected[group == g].mean() for g in "fmx"}
    tpr = {g: selected[(group == g) & y].mean() for g in "fmx"}
    fpr = {g: selected[(group == g) & ~y].mean() for g in "fmx"}

    result = fairness.rates_by_group(y, selected, group=group)

    assert result.demographic_parity_difference == pytest.approx(
        max(rate.values()) - min(rate.values())
    )
    assert result.equalised_odds_difference == pytest.approx(
        max(max(r.values()) - min(r.values()) for r in (tpr, fpr))
    )


def test_differences_agree_with_fairlearn(decisions):
    y, selected, group = decisions

    result = fairness.rates_by_group(y, selected, group=group)

    assert result.demographic_parity_difference == pytest.approx(
        metrics.demographic_parity_difference(y, selected, sensitive_features=group)
    )
    assert result.equalised_odds_difference == pytest.approx(
        metrics.equalized_odds_difference(y, selected, sensitive_features=group)
    )


def test_a_rate_over_nobody_is_unknown_not_zero():
    result = fairness.rates_by_group([0, 0, 1, 1], [0, 1, 1, 1], group=["a", "a", "b", "b"])

    assert result.groups[0].true_positive is None
    assert result.groups[1].false_positive is None
    assert result.equalised_odds_difference is None


def test_one_group_has_no_difference():
    with pytest.raises(InvalidInput, match="2 groups"):
        fairness.rates_by_group([0, 1], [0, 1], group=["a", "a"])


def test_decisions_are_zero_or_one():
    with pytest.raises(InvalidInput, match="selected must be 0 or 1"):
        fairness.rates_by_group([0, 1], [0.2, 0.9], group=["a", "b"])
