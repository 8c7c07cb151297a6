"""What worker processes do when they are killed, stopped, orphaned or told to give up."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.execution.until import until
from treadle.execution.entities import Work
from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.kernel.settings import Settings
from treadle.storage.metadata import open_metadata
from treadle.testing.executors import outcome, work

GATE = """
import os, time
from pathlib import Path

def wait(folder, stubborn=False):
    folder = Path(folder)
    (folder / f"started-{len(list(folder.glob('started-*')))}").write_text(str(os.getpid()))
    print("at the gate", flush=True)
    while not (folder / "open").exists():
        try:
            time.sleep(0.01)
        except BaseException:
            if not stubborn:
                raise
    return os.getpid()
"""


class Gate:
    """Work that waits in a worker until the test lets it through."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "gate.py").write_text(GATE)

    def work(self, **more) -> Work:
        arguments = {"folder": str(self.folder), **more}
        return Work(target=f"{self.folder / 'gate.py'}:wait", arguments=arguments)

    def started(self, number: int) -> int:
        """The process that began the attempt of this number, from 0."""
        file = self.folder / f"started-{number}"
        return int(until(lambda: file.exists() and file.read_text()))

    def open(self) -> None:
        (self.folder / "open").touch()


@pytest.fixture
def gate(tmp_path):
    folder = tmp_path / "gate"
    folder.mkdir()
    return Gate(folder)


@pytest.fixture
def queue(store):
    return Jobs(store=store)  # by the machine's clock, as in life


@pytest.fixture
def workers(queue, settings):
    with WorkerProcesses(jobs=queue, settings=settings, count=1, lease_s=3) as workers:
        yield workers


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_work_of_a_killed_worker_is_done_by_the_next(workers, gate, queue):
    handle = workers.submit(gate.work())
    os.kill(gate.started(0), signal.SIGKILL)
    second = gate.started(1)
    gate.open()

    assert outcome(workers, handle).result == second
    assert queue.job(handle).attempts == 2


def test_work_that_kills_its_worker_every_time_fails(workers, tmp_path):
    (tmp_path / "deadly.py").write_text(
        "import os, signal\ndef run():\n    os.kill(os.getpid(), signal.SIGKILL)\n"
    )

    handle = workers.submit(Work(target=f"{tmp_path / 'deadly.py'}:run"), max_attempts=2)

    assert "worker died at each of 2 attempts" in outcome(workers, handle).error


def test_a_worker_that_hangs_is_ended_and_its_work_done_by_the_next(queue, settings, gate):
    with WorkerProcesses(jobs=queue, settings=settings, count=1, lease_s=1) as workers:
        handle = workers.submit(gate.work())
        frozen = gate.started(0)
        os.kill(frozen, signal.SIGSTOP)
        second = gate.started(1)
        gate.open()

        assert outcome(workers, handle).result == second
        assert not is_alive(frozen)


def test_a_worker_told_to_stop_gives_its_job_back(workers, gate, queue):
    handle = workers.submit(gate.work())
    os.kill(gate.started(0), signal.SIGTERM)
    second = gate.started(1)
    gate.open()

    assert outcome(workers, handle).result == second
    assert queue.job(handle).attempts == 1


def test_closing_ends_the_workers_and_gives_their_jobs_back(workers, gate, queue):
    handle = workers.submit(gate.work())
    pid = gate.started(0)

    workers.close()

    assert not is_alive(pid)
    assert (queue.job(handle).state, queue.job(handle).attempts) == ("queued", 0)


def test_cancelled_work_is_interrupted_and_its_worker_lives_on(workers, gate):
    handle = workers.submit(gate.work())
    pid = gate.started(0)

    workers.cancel(handle)
    after = workers.submit(work("add", first=1, second=1))

    assert outcome(workers, after).result == 2
    assert outcome(workers, handle).state == "cancelled"
    assert workers.pids() == (pid,)


def test_work_that_will_not_be_interrupted_is_ended_with_its_worker(workers, gate):
    handle = workers.submit(gate.work(stubborn=True))
    pid = gate.started(0)

    workers.cancel(handle)
    after = workers.submit(work("add", first=1, second=1))

    assert outcome(workers, after).result == 2
    assert not is_alive(pid)


def test_words_can_be_read_while_work_goes_on(workers, gate):
    handle = workers.submit(gate.work())

    assert until(lambda: workers.logs(handle)) == "at the gate\n"
    gate.open()


def test_an_idle_worker_ends_and_comes_back_with_work(queue, settings):
    with WorkerProcesses(jobs=queue, settings=settings, count=1, idle_s=0.2) as workers:
        outcome(workers, workers.submit(work("add", first=1, second=1)))
        until(lambda: not workers.pids())

        assert outcome(workers, workers.submit(work("add", first=1, second=2))).result == 3


def test_no_worker_is_started_without_work(queue, settings):
    with WorkerProcesses(jobs=queue, settings=settings, count=2) as workers:
        workers.start()

        assert workers.pids() == ()


def test_work_queued_by_others_is_done_after_start(queue, settings):
    with WorkerProcesses(jobs=queue, settings=settings, count=1) as workers:
        workers.start()
        job = queue.enqueue(work("add", first=1, second=1))

        assert outcome(workers, job.id).result == 2


def test_two_workers_do_two_pieces_at_the_same_time(queue, settings, gate):
    with WorkerProcesses(jobs=queue, settings=settings, count=2) as workers:
        handles = [workers.submit(gate.work(), key=str(n)) for n in range(2)]
        pids = until(lambda: len(workers.pids()) == 2 and workers.pids())
        until(lambda: queue.load().running == 2)
        gate.open()

        assert {outcome(workers, handle).result for handle in handles} == set(pids)


def test_a_worker_ends_when_its_parent_is_killed(settings, gate, queue):
    env = {"TREADLE_METADATA_URL": settings.metadata_url}
    program = f"""
from treadle.execution.entities import Work
from treadle.execution.opened import metadata_of
from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.kernel.settings import load_settings
settings = load_settings({str(settings.home)!r}, env={env})
workers = WorkerProcesses(jobs=Jobs(store=metadata_of(settings)), settings=settings, count=1)
workers.submit(Work(target={gate.work().target!r}, arguments={gate.work().arguments!r}))
input()
"""
    parent = subprocess.Popen([sys.executable, "-c", program], stdin=subprocess.PIPE)
    worker = gate.started(0)

    parent.kill()
    parent.communicate()

    until(lambda: not is_alive(worker))
    assert queue.load().ready == 1


def test_a_worker_runs_the_code_that_is_on_disk_now(workers, tmp_path):
    file, part = tmp_path / "edited.py", tmp_path / "part_of_edited.py"
    file.write_text("import part_of_edited\ndef run():\n    return part_of_edited.VALUE\n")
    part.write_text("VALUE = 'old'\n")
    old = outcome(workers, workers.submit(Work(target=f"{file}:run"))).result

    part.write_text("VALUE = 'a newer one'\n")
    new = outcome(workers, workers.submit(Work(target=f"{file}:run"))).result

    assert (old, new) == ("old", "a newer one")


def test_a_file_that_submits_work_when_imported_is_refused(workers, settings, queue, tmp_path):
    file = tmp_path / "unguarded.py"
    file.write_text(f"""
from treadle.execution.entities import Work
from treadle.execution.opened import metadata_of
from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.kernel.settings import load_settings
def run():
    return 1
settings = load_settings({str(settings.home)!r})
workers = WorkerProcesses(jobs=Jobs(store=metadata_of(settings)), settings=settings, count=1)
workers.submit(Work(target=__file__ + ":run"))
""")

    handle = workers.submit(Work(target=f"{file}:run"))

    assert "starts work while it is imported" in outcome(workers, handle).error
    assert queue.jobs().total == 1


def test_workers_that_cannot_start_are_reported_with_their_last_words(
    queue, settings, monkeypatch, tmp_path
):
    (tmp_path / "msgspec.py").write_text("raise RuntimeError('a broken install')\n")
    monkeypatch.syspath_prepend(tmp_path)
    with WorkerProcesses(jobs=queue, settings=settings, count=1) as workers:
        handle = workers.submit(work("add", first=1, second=1))

        with pytest.raises(Unavailable, match="a broken install"):
            outcome(workers, handle)


def test_a_worker_that_did_small_work_stays_below_80_mb(queue, settings):
    with WorkerProcesses(jobs=queue, settings=settings, count=1) as workers:
        outcome(workers, workers.submit(work("echo", value=1)))
        [pid] = workers.pids()

        status = Path(f"/proc/{pid}/status").read_text()

    assert int(status.partition("VmRSS:")[2].split()[0]) < 80_000


def test_a_worker_refuses_to_start_workers(monkeypatch, tmp_path):
    settings = Settings(home=tmp_path)
    store = open_metadata(settings.where_metadata())
    monkeypatch.setenv("TREADLE_IN_WORKER", "1")

    with pytest.raises(InvalidInput, match="may not start workers"):
        WorkerProcesses(jobs=Jobs(store=store), settings=settings).start()

    store.close()
