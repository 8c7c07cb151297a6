from __future__ import annotations

import pytest

from treadle.governance.entities import GateReport, GateResult
from treadle.kernel.clock import DAY_US
from treadle.release import walk
from treadle.release.entities import Decision, Stage
from treadle.release.policy import RetrainRules
from treadle.release.retrain import Situation, decide
from treadle.release.trial import Finding

GATES = Stage(name="gates", started_at=0, ended_at=0, passed=True, verdict="all gates passed")


def begun(candidate="late@2", champion="late@1", *, gates=GATES):
    return walk.begun(
        endpoint="late", candidate=candidate, champion=champion, why="test", at=5, gates=gates
    )


def live(candidate, champion="", *, rollback=False):
    gates = None if rollback else GATES
    return walk.promoted(begun(candidate, champion, gates=gates), at=9)


def shares(release, *, canary_share=0.1):
    variants = walk.variants_of(release, canary_share=canary_share)
    return [(v.version, v.role, v.share) for v in variants]


def test_entering_a_stage_closes_the_one_before():
    shadow = walk.entered(begun(), "shadow", at=7)
    canary = walk.entered(shadow, "canary", at=8)

    assert [(s.name, s.started_at, s.ended_at) for s in canary.stages] == [
        ("gates", 0, 0),
        ("shadow", 7, 8),
        ("canary", 8, None),
    ]
    assert (canary.state, canary.is_open) == ("canary", True)


def test_the_traffic_of_each_state():
    shadow = walk.entered(begun(), "shadow", at=7)
    canary = walk.entered(shadow, "canary", at=8)

    assert shares(shadow) == [("late@1", "live", 1.0), ("late@2", "shadow", 0.0)]
    assert shares(canary) == [("late@1", "live", 0.9), ("late@2", "canary", 0.1)]
    assert shares(walk.promoted(canary, at=9)) == [("late@2", "live", 1.0)]
    assert shares(walk.ended(canary, "stopped", reason="errors", at=9)) == [("late@1", "live", 1.0)]


def test_the_reason_of_a_promotion_is_what_the_last_stage_found():
    found = Finding(passed=True, harmful=False, verdict="no errors", evidence={"answers": 7})
    canary = walk.entered(walk.entered(begun(), "shadow", at=7), "canary", at=8)

    promoted = walk.promoted(walk.with_finding(canary, found), at=9)

    assert promoted.reason == "no errors"
    assert promoted.stages[-2].evidence == {"answers": 7}
    assert (promoted.stages[-2].ended_at, promoted.ended_at) == (9, 9)


def test_a_candidate_nobody_judged_does_not_pass_the_gates():
    stage = walk.gates_stage((), candidate="late@2", at=5)

    assert not stage.passed
    assert "never judged" in stage.verdict


def test_the_newest_gate_report_decides():
    passed = GateReport(id="new", run_id="r", model="late", passed=True, results=(), at=3)
    results = (GateResult(gate="leak", passed=False, message="leaks", evidence={}),)
    blocked = GateReport(id="old", run_id="r", model="late", passed=False, results=results, at=2)

    assert walk.gates_stage((passed, blocked), candidate="late@2", at=5).passed
    assert walk.gates_stage((blocked,), candidate="late@2", at=5).verdict == "leaks"


PATHS = {
    "nothing before": ([], "late@1", ""),
    "the first version": ([live("late@1")], "late@1", ""),
    "the version before": ([live("late@1"), live("late@3", "late@1")], "late@3", "late@1"),
    "two back after a rollback": (
        [
            live("late@1"),
            live("late@2", "late@1"),
            live("late@3", "late@2"),
            live("late@2", "late@3", rollback=True),
        ],
        "late@2",
        "late@1",
    ),
    "forward again after a rollback": (
        [
            live("late@1"),
            live("late@2", "late@1"),
            live("late@1", "late@2", rollback=True),
            live("late@3", "late@1"),
        ],
        "late@3",
        "late@1",
    ),
    "a version that was put in service by hand": (
        [live("late@2", "late@1")],
        "late@2",
        "late@1",
    ),
    "traffic that no release has set": ([live("late@1"), live("late@2", "late@1")], "late@7", ""),
}


@pytest.mark.parametrize(("past", "present", "expected"), PATHS.values(), ids=PATHS)
def test_a_rollback_goes_to_what_served_before(past, present, expected):
    assert walk.before(present, past) == expected


RULES = RetrainRules(every_days=28, cooldown_days=14, minimum_labels=1000)


def seen(**changed):
    facts = {
        "now": 40 * DAY_US,
        "trained_at": 0,
        "under_way": False,
        "unfinished": "",
        "new_labels": 5000,
        "alert": "",
    }
    return Situation(**(facts | changed))


DECISIONS = {
    "the schedule is due": (seen(), True, "schedule: 40 days since 1970-01-01"),
    "the schedule is not due": (seen(now=27 * DAY_US), False, "no alert is open"),
    "an alert does not wait for it": (
        seen(now=15 * DAY_US, alert="off"),
        True,
        "alert: off",
    ),
    "the cool-down holds an alert back": (
        seen(now=13 * DAY_US, alert="off"),
        False,
        "trained 13 days ago, cooling down",
    ),
    "too few labels hold it back": (
        seen(new_labels=999, alert="off"),
        False,
        "999 of 1,000 new accepted labels",
    ),
    "a release under way holds it back": (
        seen(under_way=True, unfinished="alert: off"),
        False,
        "a release is under way",
    ),
    "before anything serves": (seen(trained_at=None), False, "nothing serves yet"),
    "one that was cut off is taken up again": (
        seen(now=DAY_US, unfinished="alert: off"),
        True,
        "alert: off",
    ),
}


@pytest.mark.parametrize(("situation", "yes", "reason"), DECISIONS.values(), ids=DECISIONS)
def test_when_a_challenger_is_trained(situation, yes, reason):
    assert decide(RULES, situation) == Decision(yes=yes, reason=reason)


def test_a_policy_may_leave_alerts_to_people():
    rules = RetrainRules(on_alert=False, every_days=100)

    assert not decide(rules, seen(alert="off")).yes
