from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.contracts import LabelRule
from treadle.data.entities import CheckResult, worst
from treadle.data.labels import check_labels, learn_label, outcomes
from treadle.kernel.errors import InvalidInput

REFERENCE_DAYS, A_DAY = 40, 800


def drawn(rates: Any, *, rows: int = A_DAY, seed: int = 7) -> tuple[pa.Array, np.ndarray]:
    """Labels of consecutive days, each day at its own rate, and each row's day."""
    random = np.random.default_rng(seed)
    labels = [random.random(rows) < rate for rate in rates]
    return pa.array(np.concatenate(labels)), np.repeat(np.arange(len(labels)), rows)


def reference() -> LabelRule:
    """Learned from 40 days whose rates wander between 10 % and 35 %."""
    rates = np.random.default_rng(1).uniform(0.10, 0.35, REFERENCE_DAYS)
    labels, days = drawn(rates)
    return learn_label(labels, column="late", days=days)


def verdicts(results: tuple[CheckResult, ...]) -> dict[str, str]:
    return {r.check: r.verdict for r in results}


@pytest.mark.parametrize(
    ("labels", "rule", "expected"),
    [
        ([True, False, None], {}, [1, 0, None]),
        ([1, 0, None], {}, [1, 0, None]),
        ([16, 15, None, -4], {"above": 15}, [1, 0, None, 0]),
        (["yes", "no", None], {"positive": "yes"}, [1, 0, None]),
        ([2.5, float("nan")], {}, [2.5, None]),
        (["a", "b", "a", None], {}, [0, 1, 0, None]),
    ],
)
def test_labels_become_numbers(labels: Any, rule: Any, expected: Any) -> None:
    values = outcomes(pa.array(labels), rule=LabelRule(column="y", **rule))

    assert [None if np.isnan(v) else v for v in values] == expected


def test_labels_may_be_dictionary_encoded() -> None:
    labels = pa.array(["yes", None, "no"]).dictionary_encode()

    values = outcomes(labels, rule=LabelRule(column="y", positive="yes"))

    assert [None if np.isnan(v) else v for v in values] == [1, None, 0]


def test_what_cannot_be_a_label_is_refused() -> None:
    with pytest.raises(InvalidInput, match="neither number, truth nor text"):
        outcomes(pa.array([[1], [2]]), rule=LabelRule(column="y"))


def test_a_feed_that_says_no_for_everybody_fails() -> None:
    labels, days = drawn([0.0] * 14)

    found = verdicts(check_labels(labels, rule=reference(), days=days))

    assert found == {
        "labelled": "pass",
        "constant": "fail",
        "rate": "fail",
        "rate_by_day": "fail",
    }


def test_a_feed_that_dies_half_way_fails() -> None:
    labels, days = drawn([0.2] * 7 + [0.0] * 7)

    results = check_labels(labels, rule=reference(), days=days)

    (found,) = [r for r in results if r.verdict == "fail"]
    assert (found.check, found.counted, found.total) == ("rate_by_day", 7, 14)
    assert found.examples[0] == {"day": "1970-01-08", "labels": 800, "rate": 0.0}


def test_the_worst_week_of_the_reference_passes() -> None:
    labels, days = drawn([0.35] * 7)

    assert worst(check_labels(labels, rule=reference(), days=days)) == "pass"


def test_a_single_quiet_day_passes() -> None:
    labels, days = drawn([0.08])

    assert worst(check_labels(labels, rule=reference(), days=days)) == "pass"


def test_a_single_odd_day_in_a_week_warns() -> None:
    labels, days = drawn([0.2] * 6 + [0.0])

    assert verdicts(check_labels(labels, rule=reference(), days=days))["rate_by_day"] == "warn"


def test_everybody_late_fails_too() -> None:
    labels, days = drawn([1.0] * 3)

    assert worst(check_labels(labels, rule=reference(), days=days)) == "fail"


def test_a_few_equal_labels_are_too_few_to_tell() -> None:
    results = check_labels(pa.array([False] * 10), rule=reference(), days=np.zeros(10, dtype=int))

    assert verdicts(results) == {
        "labelled": "pass",
        "constant": "warn",
        "rate": "pass",
        "rate_by_day": "pass",
    }


def test_without_days_many_equal_labels_fail() -> None:
    rule = LabelRule(column="y")

    assert worst(check_labels(pa.array([0] * 500), rule=rule)) == "fail"


def test_labels_not_there_yet_are_a_warning_not_zeros() -> None:
    (found,) = check_labels(pa.array([None] * 9, type=pa.bool_()), rule=reference())

    assert (found.check, found.verdict, found.counted) == ("labelled", "warn", 9)


def test_missing_labels_do_not_count_in_the_rate() -> None:
    labels, days = drawn([0.2] * 7)
    sparse = pa.array([v if n % 2 else None for n, v in enumerate(labels.to_pylist())])

    results = check_labels(sparse, rule=reference(), days=days)

    assert verdicts(results) == {
        "labelled": "warn",
        "constant": "pass",
        "rate": "pass",
        "rate_by_day": "pass",
    }


def test_rare_events_may_be_absent_for_a_day_but_not_for_weeks() -> None:
    labels, days = drawn([0.001] * 60)
    rule = learn_label(labels, column="fraud", days=days)
    day, weeks = np.zeros(A_DAY, dtype=int), np.repeat(np.arange(21), A_DAY)

    quiet = check_labels(pa.array([False] * len(day)), rule=rule, days=day)
    dead = check_labels(pa.array([False] * len(weeks)), rule=rule, days=weeks)

    assert worst(quiet) == "warn"
    assert verdicts(dead)["constant"] == "fail"


def test_an_amount_is_judged_by_its_mean() -> None:
    random = np.random.default_rng(3)
    days = np.repeat(np.arange(REFERENCE_DAYS), A_DAY)
    levels = random.normal(100, 5, REFERENCE_DAYS)
    labels = pa.array(random.normal(levels[days], 20))
    rule = learn_label(labels, column="demand", days=days)

    good = check_labels(pa.array(random.normal(95, 20, 500)), rule=rule)
    broken = check_labels(pa.array(random.normal(9.5, 2, 500)), rule=rule)

    assert worst(good) == "pass"
    assert verdicts(broken)["rate"] == "fail"


def test_of_two_texts_the_rarer_is_yes() -> None:
    rule = learn_label(pa.array(["no", "yes", "no", None]), column="y")

    assert rule.positive == "yes"


def test_more_texts_have_no_rate() -> None:
    labels = pa.array(["a", "b", "c"] * 50)

    rule = learn_label(labels, column="y")

    assert (rule.positive, rule.low, rule.high) == (None, None, None)
    assert verdicts(check_labels(pa.array(["a"] * 90), rule=rule))["constant"] == "fail"


@pytest.mark.parametrize("labels", [[0, 0, 0], [None, None], ["a", "a"]])
def test_nothing_is_learned_from_equal_labels(labels: Any) -> None:
    with pytest.raises(InvalidInput, match="Nothing can be expected of the target 'y'"):
        learn_label(pa.array(labels), column="y")


@given(st.lists(st.tuples(st.integers(0, 60), st.none() | st.booleans()), min_size=2, max_size=300))
def test_a_reference_keeps_what_was_learned_from_it(rows: list[tuple[int, bool | None]]) -> None:
    known = [label for _, label in rows if label is not None]
    labels = pa.array([label for _, label in rows] + [True, False], type=pa.bool_())
    days = np.array([day for day, _ in rows] + [0, 0])

    rule = learn_label(labels, column="y", days=days)

    assert worst(check_labels(labels, rule=rule, days=days)) == (
        "pass" if len(known) == len(rows) else "warn"
    )


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=100).filter(lambda v: len(set(v)) > 2))
def test_a_reference_of_amounts_keeps_what_was_learned_from_it(amounts: list[float]) -> None:
    labels, days = pa.array(amounts), np.arange(len(amounts)) // 30

    rule = learn_label(labels, column="y", days=days)

    assert worst(check_labels(labels, rule=rule, days=days)) == "pass"
