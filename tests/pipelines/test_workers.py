"""Pipelines run as jobs, and what is left when a process is killed in the middle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest

from tests.execution.until import until
from tests.pipelines.conftest import Home
from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.execution.targets import load_file
from treadle.kernel.errors import InvalidInput
from treadle.kernel.settings import Settings
from treadle.pipelines import pipeline, step
from treadle.pipelines.service import StepFailed

if TYPE_CHECKING:
    from pathlib import Path

FLOW = """
import os
import time
from pathlib import Path

import pyarrow.compute as pc
from treadle.pipelines import current_run_id, dataset, pipeline, step


class Model:
    def __init__(self, weight):
        self.weight = weight


@step(outputs=("low", "high"))
def split(table, at):
    print("splitting", table.num_rows, "rows")
    return table.filter(pc.field("n") < at), table.filter(pc.field("n") >= at)


@step
def fit(table):
    return Model(pc.sum(table["n"]).as_py())


@step
def compare(models):
    return {"weights": [m.weight for m in models], "pid": os.getpid(), "run": current_run_id()}


@pipeline
def train(at=3):
    low, high = split(dataset("numbers"), at=at)
    return compare([fit(low), fit(high)])


@step
def first():
    return 1


@step
def gate(value, folder, name):
    folder = Path(folder)
    (folder / f"{name}-{os.getpid()}").touch()
    while not (folder / "open").exists():
        time.sleep(0.01)
    return os.getpid()


@pipeline
def waits(folder):
    return gate(first(), folder, "gate")


@pipeline
def waits_twice(folder):
    return [gate(first(), folder, "left"), gate(first(), folder, "right")]


@step
def stumble(value):
    raise ArithmeticError(f"stumbled over {value}")


@pipeline
def falls():
    return stumble(first())
"""
DRIVE = """
import sys
from treadle.execution.targets import load_file
from tests.pipelines.conftest import Home
from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.kernel.settings import Settings
from pathlib import Path
home = Home(Settings(home=Path({home!r})))
executor = None
if {workers}:
    executor = WorkerProcesses(jobs=Jobs(store=home.store), settings=home.settings, count=1)
flow = load_file(Path({flow!r}))
home.pipelines.run(flow.waits, params={{"folder": {folder!r}}}, executor=executor)
"""


@pytest.fixture
def flow(tmp_path):
    file = tmp_path / "flow_of_workers.py"
    file.write_text(FLOW)
    return load_file(file)


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "gate"
    folder.mkdir()
    return folder


@pytest.fixture
def workers(home):
    jobs = Jobs(store=home.store)
    with WorkerProcesses(jobs=jobs, settings=home.settings, count=2) as workers:
        yield workers


def started(folder: Path, name: str = "gate", *, count: int = 1) -> list[int]:
    """The processes that have begun to wait under a name."""
    until(lambda: len(list(folder.glob(f"{name}-*"))) >= count)
    return [int(file.name.rpartition("-")[2]) for file in folder.glob(f"{name}-*")]


def states(run) -> dict[str, str]:
    return {s.step: "cached" if s.cached else s.state for s in run.steps}


def test_steps_are_executed_by_workers(home, workers, flow):
    home.commit_numbers(1, 2, 3, 4)

    run = home.pipelines.run(flow.train, executor=workers)

    value = home.pipelines.value(run)
    assert value["weights"] == [3, 7]
    assert value["pid"] != os.getpid()
    assert value["run"] == run.run_id


def test_a_step_names_its_job_where_its_words_are(home, workers, flow):
    home.commit_numbers(1, 2, 3, 4)

    run = home.pipelines.run(flow.train, executor=workers)

    assert workers.logs(run.steps[0].job_id) == "splitting 4 rows\n"


def test_what_was_executed_here_is_cached_for_workers_and_back(home, workers, flow):
    home.commit_numbers(1, 2, 3, 4)
    home.pipelines.run(flow.train)

    there = home.pipelines.run(flow.train, executor=workers)
    new = home.pipelines.run(flow.train, params={"at": 2}, executor=workers)
    here = home.pipelines.run(flow.train, params={"at": 2})

    assert set(states(there).values()) == set(states(here).values()) == {"cached"}
    assert set(states(new).values()) == {"done"}


def test_branches_are_executed_at_the_same_time(home, workers, flow, folder):
    runs = []
    driver = threading.Thread(
        target=lambda: runs.append(
            home.pipelines.run(flow.waits_twice, params={"folder": str(folder)}, executor=workers)
        )
    )
    driver.start()
    [left], [right] = started(folder, "left"), started(folder, "right")
    (folder / "open").touch()
    driver.join()

    assert left != right
    assert home.pipelines.value(runs[0]) == (left, right)


def test_a_step_that_raises_in_a_worker_is_told_with_its_traceback(home, workers, flow):
    with pytest.raises(StepFailed, match=r"'stumble'.*ArithmeticError: stumbled over 1") as caught:
        home.pipelines.run(flow.falls, executor=workers)

    error = caught.value.pipeline_run.steps[1].error
    assert "in stumble\n" in error
    assert "treadle/execution" not in error


def test_a_step_no_worker_could_import_is_refused_before_anything_runs(home, workers):
    @step
    def local():
        return 1

    @pipeline
    def flow():
        return local()

    with pytest.raises(InvalidInput, match="No worker can import step 'local'"):
        home.pipelines.run(flow, executor=workers)
    assert home.pipelines.pipeline_runs().total == 0


def test_a_step_of_a_killed_worker_is_executed_by_another(home, workers, flow, folder):
    runs = []
    driver = threading.Thread(
        target=lambda: runs.append(
            home.pipelines.run(flow.waits, params={"folder": str(folder)}, executor=workers)
        )
    )
    driver.start()
    [killed] = started(folder)
    os.kill(killed, signal.SIGKILL)
    other = next(pid for pid in started(folder, count=2) if pid != killed)
    (folder / "open").touch()
    driver.join()

    assert home.pipelines.value(runs[0]) == other


@pytest.mark.parametrize("with_workers", [False, True])
def test_after_kill_9_the_same_run_goes_on_where_it_stopped(home, flow, folder, with_workers):
    program = DRIVE.format(
        home=str(home.settings.home), flow=flow.__file__, folder=str(folder), workers=with_workers
    )
    driver = subprocess.Popen([sys.executable, "-c", program])
    started(folder)

    driver.kill()
    driver.wait()
    (folder / "open").touch()
    run = home.pipelines.run(flow.waits, params={"folder": str(folder)})

    assert states(run) == {"first": "cached", "gate": "done"}
    killed = home.pipelines.pipeline_runs().items[1]
    assert (killed.state, states(killed)) == ("killed", {"first": "done", "gate": "killed"})
    assert home.tracking.run(killed.run_id).status == "killed"


def test_a_run_that_still_goes_on_elsewhere_is_left_alone(home, flow, folder):
    program = DRIVE.format(
        home=str(home.settings.home), flow=flow.__file__, folder=str(folder), workers=False
    )
    driver = subprocess.Popen([sys.executable, "-c", program])
    started(folder)

    gone = home.pipelines.end_abandoned()

    (folder / "open").touch()
    driver.wait()
    assert gone == ()
    assert home.pipelines.pipeline_runs().items[0].state == "done"


def test_steps_pass_values_through_postgresql_and_s3(tmp_path, flow, postgres_url, s3_url):
    home = Home(Settings(home=tmp_path / "team", metadata_url=postgres_url, objects_url=s3_url))
    home.commit_numbers(1, 2, 3, 4)
    jobs = Jobs(store=home.store)

    with WorkerProcesses(jobs=jobs, settings=home.settings, count=1) as workers:
        run = home.pipelines.run(flow.train, executor=workers)

    assert home.pipelines.value(run)["weights"] == [3, 7]
    home.store.close()
