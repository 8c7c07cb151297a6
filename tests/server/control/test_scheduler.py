"""What happens by itself while a home is up."""

from __future__ import annotations

import threading

import msgspec
import pytest

from tests.release.world import GOOD, POLICY, ROUGH, World, at
from treadle.app import App
from treadle.kernel.errors import Unavailable
from treadle.kernel.settings import Settings
from treadle.release.policy import RetrainRules
from treadle.server.scheduler import Duty, Scheduler


class Alarm(Exception):
    """A bug."""


def test_the_log_is_sealed_and_segments_are_compacted(empty):
    empty.tracking.experiment("late")
    scheduler = Scheduler(empty)

    done = scheduler.run_due()

    assert {"seal", "compact", "requeue", "loops", "webhooks", "sweep", "runs"} == set(done)
    assert len(empty.log.checkpoints()) == 1


def test_a_duty_is_done_again_only_when_its_time_has_come(empty):
    scheduler = Scheduler(empty)
    scheduler.run_due()

    assert scheduler.run_due() == ()


def test_a_turn_of_a_shared_duty_is_taken_once(empty):
    with App(Settings(home=empty.home)) as other:
        turns = [app.jobs.take_turn("seal", every_s=60) for app in (empty, other, empty)]

    assert turns == [True, False, False]


def test_a_turn_comes_back_after_its_time(empty):
    assert empty.jobs.take_turn("seal", every_s=0)
    assert empty.jobs.take_turn("seal", every_s=0)


def test_a_replay_is_moved_by_who_plays_it(tmp_path):
    world = World(tmp_path)

    done = Scheduler(world.app).run_due()

    world.app.close()
    assert set(done) == {"seal", "compact", "requeue", "webhooks", "sweep", "runs"}


def test_loops_are_moved_and_challengers_asked_for(tmp_path):
    eager = RetrainRules(every_days=7, cooldown_days=1, minimum_labels=1)
    world = World(tmp_path, policy=msgspec.structs.replace(POLICY, retrain=eager))
    world.release(ROUGH, why="first")
    world.week(0)
    world.now(at(4))
    asked = []

    Scheduler(world.app, retrain=lambda *how: asked.append(how)).move_loops()

    world.app.close()
    assert [endpoint for endpoint, _ in asked] == ["late"]
    assert asked[0][1].yes


def test_without_a_project_nothing_is_trained(tmp_path):
    world = World(tmp_path)
    world.release(GOOD, why="first")

    Scheduler(world.app).move_loops()

    kinds = world.kinds()
    world.app.close()
    assert "retrain.decided" not in kinds


@pytest.mark.parametrize("error", [Unavailable("The store is away."), Alarm("a bug")])
def test_a_duty_that_fails_is_told_and_keeps_no_other_from_its_turn(empty, caplog, error):
    done = []

    def fail():
        raise error

    scheduler = Scheduler(empty)
    scheduler._duties = (
        Duty(name="broken", every_s=60, do=fail),
        Duty(name="sound", every_s=60, do=lambda: done.append(True)),
    )
    scheduler._due = {"broken": 0.0, "sound": 0.0}

    scheduler.run_due()

    assert done == [True]
    assert "broken" in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, Alarm)


def test_it_works_in_a_thread_and_stops(empty):
    empty.tracking.experiment("late")
    sealed = threading.Event()
    seal = empty.log.seal
    empty.log.seal = lambda: (seal(), sealed.set())
    before = set(threading.enumerate())

    with Scheduler(empty):
        assert sealed.wait(10)

    assert set(threading.enumerate()) <= before
