"""Runs of our own client whose process is gone fail; no others do."""

from __future__ import annotations

import os
import subprocess
import sys

import msgspec
import pytest

from treadle.errors import InvalidInput
from treadle.kernel.clock import FrozenClock
from treadle.storage import events
from treadle.tracking import processes
from treadle.tracking.facts import RunEnded, RunUpdated
from treadle.tracking.processes import Process, is_gone, this_process
from treadle.tracking.service import Tracking
from treadle.tracking.service.lives import GONE, MOST_BEATS, REMEMBERED_US, SECOND_US

AFTER_S = 300
FACTS = {fact.kind: fact for fact in (RunEnded, RunUpdated)}


@pytest.fixture
def machine():
    """The machine's clock."""
    return FrozenClock(1_700_000_000_000_000)


@pytest.fixture
def tracking(store, objects, machine):
    return Tracking(store=store, objects=objects, machine_clock=machine, gone_after_s=AFTER_S)


@pytest.fixture
def dead():
    """A process that was there a moment ago."""
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    there = msgspec.structs.replace(
        this_process(), pid=child.pid, started=processes._started(child.pid)
    )
    assert not is_gone(there)
    child.kill()
    child.communicate()
    return there


def begun(tracking, **more):
    return tracking.start_run(experiment="late", name="first", **more).id


def told(store, run_id):
    with store.read() as tx:
        found = events.read(tx.connection, subject=f"run/{run_id}")
        return [(e.kind, e.as_fact(FACTS[e.kind]).status) for e in found if e.kind in FACTS]


def test_a_run_whose_process_is_gone_fails_and_says_why(tracking, store, dead):
    run_id = begun(tracking, process=dead)

    failed = tracking.fail_gone()

    run = tracking.run(run_id)
    assert failed == (run_id,)
    assert (run.status, run.error) == ("failed", GONE)
    assert run.ended_at is not None
    assert told(store, run_id)[-1] == ("run.ended", "failed")


def test_a_run_whose_process_lives_goes_on(tracking, machine):
    run_id = begun(tracking, process=this_process())
    machine.advance(10 * AFTER_S * SECOND_US)

    assert tracking.fail_gone() == ()
    assert tracking.run(run_id).status == "running"


def test_of_a_process_of_another_machine_nothing_is_known(tracking, dead):
    run_id = begun(tracking, process=msgspec.structs.replace(dead, machine="elsewhere"))

    assert tracking.fail_gone() == ()
    assert tracking.run(run_id).status == "running"


def test_after_a_new_start_of_the_machine_no_process_of_before_is_there():
    assert is_gone(msgspec.structs.replace(this_process(), boot="the one before"))


def test_a_number_of_a_process_that_was_given_again_is_another_process():
    assert is_gone(msgspec.structs.replace(this_process(), started="1"))


def test_a_process_that_ended_and_was_not_waited_for_is_gone():
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    there = msgspec.structs.replace(
        this_process(), pid=child.pid, started=processes._started(child.pid)
    )
    child.stdin.close()
    os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)

    seen = is_gone(there)

    child.wait()
    assert seen


def test_without_proc_a_process_is_asked_for_by_signal_0(monkeypatch, tmp_path, dead):
    monkeypatch.setattr(processes, "PROC", tmp_path)
    here = this_process()

    assert not is_gone(here)
    assert is_gone(Process(machine=here.machine, boot=here.boot, pid=dead.pid, started="x"))


def test_a_run_whose_beats_stay_away_fails(tracking, machine):
    run_id = begun(tracking)
    assert tracking.beat([run_id]) == (run_id,)

    machine.advance(AFTER_S * SECOND_US - 1)
    before = tracking.fail_gone()
    machine.advance(1)
    after = tracking.fail_gone()

    assert (before, after) == ((), (run_id,))
    assert tracking.run(run_id).error == GONE
    assert tracking.fail_gone() == ()


def test_a_run_that_beats_again_is_running_again(tracking, machine, store):
    run_id = begun(tracking)
    tracking.beat([run_id])
    machine.advance(AFTER_S * SECOND_US)
    tracking.fail_gone()

    alive = tracking.beat([run_id])

    run = tracking.run(run_id)
    assert alive == (run_id,)
    assert (run.status, run.error, run.ended_at) == ("running", "", None)
    assert told(store, run_id)[-2:] == [("run.ended", "failed"), ("run.updated", "running")]
    machine.advance(AFTER_S * SECOND_US)
    assert tracking.fail_gone() == (run_id,)


def test_a_run_of_a_client_that_does_not_beat_stays_running(tracking, machine):
    run_id = begun(tracking)
    machine.advance(1000 * AFTER_S * SECOND_US)

    assert tracking.fail_gone() == ()
    assert tracking.run(run_id).status == "running"
    assert not tracking.is_any_watched()


def test_a_beat_does_not_bring_back_what_has_ended(tracking):
    run_id = begun(tracking)
    tracking.beat([run_id])
    tracking.end_run(run_id, status="failed", error="ValueError: x")

    assert tracking.beat([run_id]) == ()
    assert tracking.run(run_id).error == "ValueError: x"


def test_a_run_held_gone_can_still_end_well(tracking, machine):
    run_id = begun(tracking)
    tracking.beat([run_id])
    machine.advance(AFTER_S * SECOND_US)
    tracking.fail_gone()

    ended = tracking.end_run(run_id)

    assert (ended.status, ended.error) == ("finished", "")


def test_who_says_how_a_run_stands_is_believed(tracking, machine):
    run_id = begun(tracking)
    tracking.beat([run_id])
    machine.advance(AFTER_S * SECOND_US)
    tracking.fail_gone()

    run = tracking.update_run(run_id, status="finished")

    assert (run.status, run.error) == ("finished", "")
    assert tracking.beat([run_id]) == ()


def test_what_is_unknown_or_deleted_does_not_beat(tracking):
    run_id = begun(tracking)
    tracking.beat([run_id])
    tracking.delete_run(run_id)

    assert tracking.beat([run_id, "f" * 32]) == ()


def test_a_deleted_run_that_is_removed_for_good_is_watched_no_longer(tracking, dead):
    run_id = begun(tracking, process=dead)
    tracking.delete_run(run_id)
    tracking.gc()

    assert not tracking.is_any_watched()


def test_a_run_gone_long_ago_is_forgotten(tracking, machine, dead):
    run_id = begun(tracking)
    tracking.beat([run_id])
    machine.advance(AFTER_S * SECOND_US)
    tracking.fail_gone()
    machine.advance(REMEMBERED_US)
    begun(tracking, process=dead)
    tracking.fail_gone()

    assert tracking.beat([run_id]) == ()


def test_no_more_beat_at_once_than_may(solo):
    with pytest.raises(InvalidInput, match="1000"):
        solo.beat(["f" * 32] * (MOST_BEATS + 1))
