from __future__ import annotations

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from treadle.kernel.clock import DAY_US
from treadle.release import trial
from treadle.release.policy import ReleaseRules

RULES = ReleaseRules(looks=(10,), shadow_labels=500)
TWICE = ReleaseRules(looks=(6, 12), shadow_labels=500)


def answers(*, days, per_day=100, skill=0.0, seed=1, role="live", day_effect=0.0):
    rng = np.random.default_rng(seed)
    day = np.repeat(np.arange(days), per_day)
    truth = np.clip(rng.beta(2, 5, len(day)), 0.02, 0.98)
    label = (rng.random(len(day)) < truth).astype(float)
    noise = np.random.default_rng(seed + 1).normal(size=len(day)) * (1 - skill)
    shift = np.random.default_rng(seed + 2).normal(size=days)[day] * day_effect
    value = 1 / (1 + np.exp(-(np.log(truth / (1 - truth)) + noise + shift)))
    ids = [f"{i:032x}" for i in range(len(day))]
    return pa.table(
        {
            "answer_id": ids,
            "at": day * DAY_US + 5,
            "value": value,
            "label": pa.array(label),
            "status": ["ok"] * len(day),
            "latency_us": pa.array(rng.integers(900, 1100, len(day))),
        }
    )


def judged(champion, candidate, *, rules=RULES, taken=()):
    return trial.judge_shadow(trial.pair(champion, candidate), rules=rules, taken=taken)


def looks_of(found):
    return msgspec.convert(found.evidence["looks"], tuple[trial.Look, ...])


def test_the_losses_are_paired_by_the_answer_that_was_shown():
    champion = answers(days=6)
    shuffled = answers(days=6, skill=1.0).take(np.random.default_rng(0).permutation(600))

    pairs = trial.pair(champion, shuffled)

    assert pairs.champion.mean() > pairs.candidate.mean()
    assert (pairs.rows, pairs.days) == (600, 6)
    assert list(pairs.day) == sorted(pairs.day)


def test_rows_without_a_label_or_an_answer_take_no_part():
    champion, candidate = answers(days=6), answers(days=6, skill=1.0)
    labels = champion["label"].to_pylist()
    labels[:100] = [None] * 100
    values = candidate["value"].to_pylist()
    values[-50:] = [None] * 50

    pairs = trial.pair(
        champion.set_column(3, "label", pa.array(labels, pa.float64())),
        candidate.set_column(2, "value", pa.array(values, pa.float64())),
    )

    assert pairs.rows == 450


def test_too_few_days_go_on():
    assert judged(answers(days=4), answers(days=4)).passed is None


def test_a_better_candidate_goes_on_until_its_days_are_full():
    found = judged(answers(days=9), answers(days=9, skill=0.9))

    assert found.passed is None
    assert "900 paired labels on 9 days" in found.verdict


def test_a_proven_gain_passes_with_its_numbers():
    found = judged(answers(days=12), answers(days=12, skill=0.9))

    assert found.passed
    assert found.evidence["champion_loss"] > found.evidence["candidate_loss"]
    (look,) = found.evidence["looks"]
    assert (look["after_days"], look["days"], look["rows"]) == (10, 10, 1000)
    assert look["paired"]["clusters"] == 10


def test_no_gain_is_refused_and_is_not_harmful():
    same = answers(days=12)

    found = judged(same, same)

    assert (found.passed, found.harmful) == (False, False)


def test_a_gain_that_only_looks_proven_without_its_days_is_refused():
    champion = answers(days=12, day_effect=0.6, seed=11)
    candidate = answers(days=12, day_effect=0.6, seed=11).set_column(
        2, "value", answers(days=12, day_effect=0.6, seed=14)["value"]
    )
    candidate = candidate.set_column(2, "value", _mix(champion, candidate))

    pairs = trial.pair(champion, candidate)
    found = judged(champion, candidate)

    assert stats.ttest_rel(pairs.champion, pairs.candidate).statistic > 0
    assert not found.passed


def _mix(champion, candidate):
    # Better on one single day, equal on all others: one observation, not a hundred.
    value = champion["value"].to_numpy().copy()
    label = champion["label"].to_numpy()
    value[:100] = np.where(label[:100] == 1, 0.9, 0.1)
    return pa.array(value)


def test_a_harmful_candidate_is_stopped_before_its_days_are_full():
    worse = answers(days=8).set_column(2, "value", pa.array(np.full(800, 0.9)))

    found = judged(answers(days=8, skill=0.9), worse)

    assert (found.passed, found.harmful) == (False, True)


def test_a_look_tests_the_first_days_only_whenever_one_gets_to_it():
    better, champion = answers(days=20, skill=0.9), answers(days=20)

    (early,) = looks_of(judged(answers(days=10), answers(days=10, skill=0.9)))
    late = judged(champion, better)

    assert early.days == looks_of(late)[0].days == 10
    assert looks_of(late)[0].rows == 1000


def test_not_proven_at_the_first_of_two_looks_goes_on():
    same = answers(days=8)

    found = judged(same, same, rules=TWICE)

    assert (found.passed, found.harmful) == (None, False)
    assert found.verdict.endswith("the next look comes after 12 days")
    assert [look.outcome for look in looks_of(found)] == ["not proven"]


def test_each_look_asks_for_its_share_of_the_error():
    same = answers(days=14)

    found = judged(same, same, rules=TWICE)

    assert [look.level for look in looks_of(found)] == pytest.approx([0.975, 0.975])
    assert [look.paired["interval"]["level"] for look in looks_of(found)] == pytest.approx(
        [0.975, 0.975]
    )


def test_not_proven_at_the_last_look_is_refused_with_every_look_kept():
    same = answers(days=14)

    found = judged(same, same, rules=TWICE)

    assert (found.passed, found.harmful) == (False, False)
    assert [look.after_days for look in looks_of(found)] == [6, 12]
    assert found.evidence["looks_planned"] == [6, 12]


def test_a_gain_proven_at_the_first_look_needs_no_second():
    found = judged(answers(days=14), answers(days=14, skill=0.9), rules=TWICE)

    assert found.passed
    assert [look.after_days for look in looks_of(found)] == [6]


def test_a_look_that_was_taken_is_not_taken_again():
    same, better = answers(days=8), answers(days=14, skill=0.9)
    taken = looks_of(judged(same, same, rules=TWICE))

    found = judged(answers(days=14), better, rules=TWICE, taken=taken)

    assert found.passed
    assert looks_of(found)[0] == taken[0]
    assert [look.outcome for look in looks_of(found)] == ["not proven", "superior"]


def test_looking_every_day_or_once_comes_to_the_same():
    champion, candidate = answers(days=13), answers(days=13, skill=0.05)
    taken: tuple[trial.Look, ...] = ()

    for days in range(5, 14):
        rows = days * 100
        found = judged(champion.slice(0, rows), candidate.slice(0, rows), rules=TWICE, taken=taken)
        taken = looks_of(found)
    once = judged(champion, candidate, rules=TWICE)

    assert looks_of(once) == taken
    assert (once.passed, once.verdict) == (found.passed, found.verdict)


def test_a_look_waits_for_its_labels_however_many_days_it_takes():
    rules = ReleaseRules(looks=(6,), shadow_labels=850)

    waits = judged(answers(days=8), answers(days=8, skill=0.9), rules=rules)
    enough = judged(answers(days=10), answers(days=10, skill=0.9), rules=rules)

    assert waits.passed is None
    assert [(look.days, look.rows) for look in looks_of(enough)] == [(9, 900)]


def test_harm_between_two_looks_is_not_waited_out():
    champion = answers(days=9, skill=0.9)
    worse = champion.set_column(2, "value", pa.array(np.full(900, 0.9)))

    found = judged(champion, worse, rules=ReleaseRules(looks=(14, 28)))

    assert (found.passed, found.harmful) == (False, True)
    assert found.evidence["looks"] == []
    assert found.evidence["always_valid"]["decision"] == "a"


def test_two_requests_nobody_has_in_common_are_no_comparison():
    others = answers(days=6).set_column(0, "answer_id", pa.array([f"x{i}" for i in range(600)]))

    assert judged(answers(days=6), others).evidence == {"rows": 0, "days": 0}


def test_non_inferiority_lets_an_equal_candidate_pass():
    rules = ReleaseRules(test="non_inferiority", margin=0.01, looks=(10,), shadow_labels=500)
    same = answers(days=12)

    assert judged(same, same, rules=rules).passed


def test_a_canary_waits_for_enough_answers():
    few = answers(days=1, per_day=20)

    assert trial.judge_canary(answers(days=1), few, rules=RULES).passed is None


def test_a_healthy_canary_passes():
    assert trial.judge_canary(answers(days=2), answers(days=2), rules=RULES).passed


def test_a_few_microseconds_more_are_not_slow():
    champion, canary = answers(days=2), answers(days=2)
    place = canary.column_names.index("latency_us")
    quick = champion.set_column(place, "latency_us", pa.array([1] * 200))
    still = canary.set_column(place, "latency_us", pa.array([9] * 200))

    assert trial.judge_canary(quick, still, rules=RULES).passed


@pytest.mark.parametrize(
    ("column", "values"),
    [("status", ["error"] * 10 + ["ok"] * 190), ("latency_us", list(range(40_000, 40_200)))],
)
def test_a_canary_that_fails_or_is_slow_is_stopped(column, values):
    canary = answers(days=2)
    place = canary.column_names.index(column)
    canary = canary.set_column(place, column, pa.array(values))

    found = trial.judge_canary(answers(days=2), canary, rules=RULES)

    assert (found.passed, found.harmful) == (False, True)
