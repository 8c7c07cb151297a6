from __future__ import annotations

import msgspec
import pyarrow as pa
import pytest

from tests.release.world import GOOD, POLICY, ROUGH, World, at, flights, trained
from treadle.governance.entities import GateRules
from treadle.release.policy import RetrainRules

AFTER_ALERT = {"bias": 0.4}


def test_a_tick_takes_deliveries_in_before_it_judges_the_window(world):
    world.release(GOOD)

    tick = world.week(0)

    (delivery,), (window,) = tick.deliveries, tick.windows
    assert (delivery.ref, delivery.state, delivery.joined) == ("outcomes@1", "accepted", 420)
    assert (window.start, window.end) == (at(0), at(1))
    assert (window.state, window.labelled) == ("ok", 420)


def test_a_tick_with_nothing_due_writes_nothing(world):
    world.release(GOOD)
    world.week(0)
    before = world.kinds()

    tick = world.app.loop.tick("late")

    assert (tick.deliveries, tick.windows, tick.rejudged, tick.moved) == ((), (), (), None)
    assert world.kinds() == before


def test_a_tick_after_weeks_of_silence_judges_every_window_that_is_due(solo):
    solo.release(GOOD)
    for week in range(3):
        solo.now(at(week, day=6.9))
        solo.deliver(solo.ask(week))
    solo.now(at(2, day=8))

    tick = solo.app.loop.tick("late")

    assert [d.ref for d in tick.deliveries] == ["outcomes@1", "outcomes@2", "outcomes@3"]
    assert [w.start for w in tick.windows] == [at(0), at(1), at(2)]


def test_a_window_is_not_judged_before_its_labels_had_their_time(solo):
    solo.release(GOOD)
    solo.now(at(0, day=6.9))
    solo.ask(0)
    solo.now(at(0, day=8) - 1)

    assert solo.app.loop.tick("late").windows == ()


def test_labels_that_come_late_have_their_window_judged_again(world):
    world.release(GOOD)
    rows = flights(0)
    first = world.week(0, labels=False)
    world.week(1)
    world.deliver(rows)

    tick = world.app.loop.tick("late")

    assert first.windows[0].state == "waiting"
    assert [(w.start, w.state, w.labelled) for w in tick.rejudged] == [(at(0), "ok", 420)]
    assert tick.windows == ()
    assert tick.rejudged[0].id == first.windows[0].id


def test_the_monitor_measures_against_what_serves(world):
    world.release(ROUGH)
    world.release(GOOD)
    monitor = world.app.monitoring.monitor

    before = monitor("late").reference.version
    world.week(0)
    world.week(1)

    assert (before, monitor("late").reference.version) == ("late@1", "late@2")


def test_the_week_of_the_swap_is_measured_against_the_version_that_answered_it(world):
    world.release(ROUGH)
    world.release(GOOD)
    world.week(0)
    tick = world.week(1)
    last = world.week(2)

    assert tick.moved.state == "live"
    assert tick.windows[0].version == "late@1"
    assert last.windows[0].version == "late@2"


def test_an_alert_starts_a_challenger_that_walks_to_live(world):
    world.release(ROUGH)
    retrain = world.retrain_with(GOOD)
    world.week(0, retrain=retrain)
    world.week(1, retrain=retrain)

    alarmed = world.week(2, retrain=retrain, **AFTER_ALERT)
    walking = world.week(3, retrain=retrain)
    last = world.week(4, retrain=retrain)

    assert alarmed.windows[0].state == "alert"
    assert alarmed.decision.yes
    assert alarmed.decision.reason.startswith("alert: ")
    assert alarmed.proposed.candidate == alarmed.made.version == "late@2"
    assert (walking.moved.state, last.moved.state) == ("canary", "live")
    assert world.traffic() == [("late@2", "live", 1.0)]
    assert world.kinds().count("retrain.decided") == world.kinds().count("retrain.ended") == 1
    run = world.app.tracking.run(alarmed.made.run_id)
    assert run.name == alarmed.decision.reason
    assert run.status == "finished"


def test_after_the_schedule_a_challenger_without_gain_is_refused_and_the_cool_down_holds(world):
    world.release(GOOD)
    retrain = world.retrain_with(GOOD)

    ticks = [world.week(week, retrain=retrain) for week in range(7)]

    made = [week for week, tick in enumerate(ticks) if tick.made is not None]
    ended = [week for week, tick in enumerate(ticks) if tick.moved is not None]
    assert made == [3]
    assert ended == [5]
    assert ticks[5].moved.state == "refused"
    assert ticks[5].release == ticks[5].moved
    assert not ticks[6].decision.yes


def test_what_the_loop_does_is_done_by_the_policy(world):
    world.release(ROUGH)
    for week in range(4):
        world.week(week, retrain=world.retrain_with(GOOD))

    actors = {e.kind: e.actor for e in world.app.log.read(kinds=AUTOMATIC)}

    assert set(actors) == set(AUTOMATIC)
    assert set(actors.values()) == {"policy:late"}


AUTOMATIC = (
    "labels.joined",
    "monitor.window_evaluated",
    "retrain.decided",
    "model.version_registered",
    "retrain.ended",
)


def test_without_somebody_to_train_the_decision_is_only_told(solo):
    solo.release(GOOD)
    ticks = [solo.week(week) for week in range(4)]

    assert ticks[3].decision.yes
    assert ticks[3].made is None
    assert "retrain.decided" not in solo.kinds()


def test_a_challenger_whose_gates_say_no_never_becomes_a_version(world):
    world.release(GOOD)
    strict = msgspec.structs.replace(world.policy, gates=GateRules(maximum={"log_loss": 0.01}))
    world.app.releases.set_policy(strict)
    retrain = world.retrain_with(GOOD)

    ticks = [world.week(week, retrain=retrain) for week in range(4)]

    made = ticks[3].made
    assert made.version is None
    assert not made.report.passed
    assert ticks[3].proposed is None
    assert [v.ref for v in world.app.registry.versions("late")] == ["late@1"]
    assert world.app.governance.gate_reports(made.run_id) == (made.report,)
    assert "breaks its maximum" in world.app.log.read(kinds=["retrain.ended"])[0].facts()["outcome"]


def test_training_that_fails_is_told_and_cools_down(world):
    world.release(GOOD)
    for week in range(3):
        world.week(week)

    def fails(policy, decision):
        raise RuntimeError("no data today")

    with pytest.raises(RuntimeError, match="no data today"):
        world.week(3, retrain=fails)

    assert world.app.log.read(kinds=["retrain.ended"])[0].facts()["outcome"].startswith("failed")
    assert "cooling down" in world.app.releases.should_retrain("late").reason


def test_a_candidate_that_cannot_be_registered_leaves_a_failed_run(solo):
    broken = trained(GOOD)
    broken = msgspec.structs.replace(broken, model=lambda table: None)

    with pytest.raises(Exception, match=r"."):
        solo.app.loop.candidate(solo.policy, broken, name="broken")

    (run,) = solo.app.tracking.search_runs(experiment="late").items
    assert run.status == "failed"
    assert run.error


def test_training_that_was_killed_is_taken_up_by_the_next_tick(world):
    world.release(GOOD)
    for week in range(3):
        world.week(week)

    def killed(policy, decision):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.week(3, retrain=killed)
    tick = world.app.loop.tick("late", retrain=world.retrain_with(ROUGH))

    assert tick.made.version == tick.proposed.candidate == "late@2"
    assert world.kinds().count("retrain.decided") == 1


def test_a_version_that_was_registered_before_the_kill_is_proposed_and_not_trained_again(world):
    world.release(GOOD)
    for week in range(3):
        world.week(week)
    train = world.retrain_with(ROUGH)

    def killed(policy, decision):
        train(policy, decision)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        world.week(3, retrain=killed)
    tick = world.app.loop.tick("late", retrain=killed)

    assert tick.proposed.candidate == "late@2"
    assert len(world.app.registry.versions("late")) == 2


def test_the_evidence_of_a_candidate_stands_in_its_run(solo):
    made = solo.candidate(GOOD)

    run = solo.app.tracking.run(made.run_id)

    assert set(run.metrics) == {"log_loss", "baseline.log_loss"}
    assert "evidence/heldout.parquet" in {a.path for a in solo.app.tracking.artifacts(run.id)}
    assert solo.app.registry.version(made.version).run_id == run.id


def test_a_loop_without_labels_goes_on_and_waits(tmp_path):
    quiet = msgspec.structs.replace(
        POLICY, labels=msgspec.structs.replace(POLICY.labels, dataset="")
    )
    world = World(tmp_path, policy=quiet)
    world.release(GOOD)
    world.now(at(0, day=6.9))
    world.ask(0)
    world.now(at(0, day=8))

    tick = world.app.loop.tick("late")

    assert [w.state for w in tick.windows] == ["waiting"]
    assert tick.deliveries == ()
    world.app.close()


def test_a_policy_can_ask_for_more_labels_than_there_are(tmp_path):
    hungry = msgspec.structs.replace(POLICY, retrain=RetrainRules(minimum_labels=100_000))
    world = World(tmp_path, policy=hungry)
    world.release(GOOD)
    ticks = [world.week(week) for week in range(5)]

    assert ticks[-1].decision.reason == "2,100 of 100,000 new accepted labels"
    world.app.close()


def test_a_dead_feed_stops_neither_the_loop_nor_counts_in_a_release(world):
    world.release(ROUGH)
    world.release(GOOD)
    world.now(at(0, day=6.9))
    rows = world.ask(0)
    world.now(at(0, day=8))
    dead = rows.set_column(4, "late", pa.array([0] * rows.num_rows, pa.int8()))
    world.deliver(dead)

    tick = world.app.loop.tick("late")

    assert [d.state for d in tick.deliveries] == ["quarantined"]
    assert [w.state for w in tick.windows] == ["quarantined"]
    assert tick.release.state == "shadow"
    assert tick.release.stage.verdict == "0 paired labels on 0 days"
