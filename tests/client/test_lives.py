"""A run whose program was killed does not stay running for ever; others are left alone."""

from __future__ import annotations

import subprocess
import sys
import threading

import treadle
from tests.execution.until import until
from treadle.client.pulse import Pulse
from treadle.errors import NotFound, Unavailable
from treadle.kernel.clock import FrozenClock
from treadle.server.scheduler import Scheduler
from treadle.tracking.service.lives import GONE, SECOND_US

# Each program gets the place as its argument and prints the run's id.
HANGS = """
import sys, treadle
run = treadle.connect(sys.argv[1]).run(system_metrics=False)
print(run.id, flush=True)
sys.stdin.read()
"""


def killed(place):
    """The run of a program that was killed right after it had begun it."""
    command = [sys.executable, "-c", HANGS, str(place)]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        run_id = process.stdout.readline().strip()
        process.kill()
    return run_id


def late(home):
    """Let it be long after by the clock that beats are missed by."""
    now = home.app.tracking.machine_clock.now()
    home.app.tracking.machine_clock = FrozenClock(now + 1000 * SECOND_US)


def test_a_run_in_a_folder_whose_program_was_killed_has_failed(home):
    run_id = killed(home.home)

    (run,) = home.runs()

    assert (run.id, run.status, run.error) == (run_id, "failed", GONE)


def test_a_run_on_a_server_whose_program_was_killed_fails_after_a_while(home, server):
    run_id = killed(server)
    Scheduler(home.app).run_due()
    before = home.tracking.run(run_id).status

    late(home)
    home.tracking.fail_gone()

    assert before == "running"
    assert (home.tracking.run(run_id).status, home.tracking.run(run_id).error) == ("failed", GONE)


def test_the_scheduler_looks_for_runs_whose_process_is_gone(home):
    run_id = killed(home.home)

    Scheduler(home.app).run_due()

    assert home.tracking.run(run_id).status == "failed"


def test_a_run_that_lives_and_ends_is_what_it_said(tracker, home):
    with tracker.run("lives") as run:
        during = home.tracking.is_any_watched()
        home.tracking.fail_gone()

    assert during
    assert home.tracking.run(run.id).status == "finished"
    assert not home.tracking.is_any_watched()


def test_a_run_that_is_taken_up_again_is_watched_again(tracker, home):
    with tracker.run("first") as run:
        pass

    with tracker.run(id=run.id):
        assert home.tracking.is_any_watched()

    assert home.tracking.run(run.id).status == "finished"


def test_a_laptop_that_slept_goes_on_where_it_was(home, server):
    with treadle.connect(server) as client, client.run() as run:
        late(home)
        home.tracking.fail_gone()
        asleep = home.tracking.run(run.id).status

        client._place._pulse._tell([run.id])
        awake = home.tracking.run(run.id).status

    assert (asleep, awake, home.tracking.run(run.id).status) == ("failed", "running", "finished")


def test_a_run_that_ends_after_it_was_held_gone_has_no_error_left(home, server):
    with treadle.connect(server) as client, client.run() as run:
        late(home)
        home.tracking.fail_gone()

    assert (home.tracking.run(run.id).status, home.tracking.run(run.id).error) == ("finished", "")


# --- the pulse ---


def test_a_pulse_beats_for_all_runs_until_they_are_over():
    beaten, twice = [], threading.Event()

    def beat(runs):
        beaten.append(tuple(runs))
        if beaten.count(("a", "b")) >= 2:
            twice.set()
        return runs

    pulse = Pulse(beat, every_s=0.01)
    pulse.add("a")
    pulse.add("b")

    assert twice.wait(10)
    pulse.drop("a")
    pulse.drop("b")
    until(lambda: pulse._thread is None)
    assert beaten[0] == ("a",)


def test_a_server_that_knows_no_beats_is_left_alone():
    asked = []

    def beat(runs):
        asked.append(runs)
        raise NotFound("route", "/beats")

    pulse = Pulse(beat, every_s=0.01)
    pulse.add("a")
    pulse.add("b")

    until(lambda: pulse._thread is None)
    assert asked == [["a"]]


def test_a_beat_that_does_not_get_through_is_followed_by_the_next():
    answers = [Unavailable("away"), Unavailable("away"), None]
    through = threading.Event()

    def beat(runs):
        error = answers.pop(0) if answers else None
        if error is not None:
            raise error
        through.set()
        return runs

    pulse = Pulse(beat, every_s=0.01)
    pulse.add("a")

    assert through.wait(10)
    pulse.close()


def test_a_run_the_server_holds_ended_is_beaten_for_no_longer():
    pulse = Pulse(lambda _runs: [], every_s=0.01)

    pulse.add("a")

    until(lambda: pulse._thread is None)
    assert pulse._runs == set()
