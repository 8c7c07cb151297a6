"""What a run keeps when its process is killed, forks, or ends without saying so."""

from __future__ import annotations

import subprocess
import sys

import pytest

# Each program gets the home as its argument and prints what the test reads.
LOGS_UNTIL_KILLED = """
import sys, treadle
run = treadle.connect(sys.argv[1]).run(system_metrics=False)
print(run.id, flush=True)
for step in range(1_000_000):
    run.log(loss=step, step=step)
    if step % 500 == 499:
        run.flush()
        print(step + 1, flush=True)
"""
FORKS = """
import multiprocessing, sys, treadle

def work(run):
    for step in range(100, 150):
        run.log(loss=step, step=step)

if __name__ == "__main__":
    with treadle.connect(sys.argv[1]) as client, client.run() as run:
        for step in range(100):
            run.log(loss=step, step=step)
        child = multiprocessing.get_context("fork").Process(target=work, args=(run,))
        child.start()
        child.join()
        assert child.exitcode == 0
    print(run.id)
"""
FORGETS_TO_END = """
import sys, treadle
run = treadle.connect(sys.argv[1]).run()
run.log(loss=1)
print(run.id, flush=True)
"""


def output(program, home):
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", program, str(home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    return done.stdout.strip(), done


def test_every_flushed_point_survives_kill_9(home):
    command = [sys.executable, "-c", LOGS_UNTIL_KILLED, str(home.home)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        run_id = process.stdout.readline().strip()
        told = [process.stdout.readline() for _ in range(8)]
        process.kill()
        acknowledged = int([*told, *process.stdout.read().split()][-1])

    kept = [point.step for point in home.tracking.history(run_id, "loss")]
    assert acknowledged >= 4_000
    assert kept[:acknowledged] == list(range(acknowledged))


def test_a_forked_child_logs_its_own_points_and_leaves_the_run_to_its_parent(home):
    run_id, done = output(FORKS, home.home)

    assert done.returncode == 0, done.stderr
    assert [p.step for p in home.tracking.history(run_id, "loss")] == list(range(150))
    assert home.tracking.run(run_id).status == "finished"


def test_a_run_that_nobody_ended_ends_with_its_program(home):
    run_id, done = output(FORGETS_TO_END, home.home)

    found = home.tracking.run(run_id)
    assert done.returncode == 0, done.stderr
    assert (found.status, found.metrics) == ("finished", {"loss": 1})


def test_a_run_that_nobody_ended_fails_with_its_program(home):
    run_id, done = output(FORGETS_TO_END + "\n1 / 0\n", home.home)

    assert done.returncode == 1
    found = home.tracking.run(run_id)
    assert (found.status, found.error) == ("failed", "ZeroDivisionError: division by zero")


@pytest.mark.parametrize("code", [0, 3])
def test_an_exit_without_a_block_ends_what_is_open(home, code):
    run_id, done = output(f"{FORGETS_TO_END}\nsys.exit({code})\n", home.home)

    assert done.returncode == code
    assert home.tracking.run(run_id).metrics == {"loss": 1}
