"""The executor that keeps worker processes on this machine."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import sysconfig
import threading
import time
from typing import TYPE_CHECKING, Self

from treadle.execution.service import LEASE_S
from treadle.execution.targets import refuse_while_importing
from treadle.execution.worker import worker_name
from treadle.kernel.errors import InvalidInput, TreadleError, Unavailable
from treadle.kernel.settings import PREFIX

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    from treadle.execution.entities import Progress, Work
    from treadle.execution.service import Jobs
    from treadle.kernel.settings import Settings

TEND_S = 0.1
IDLE_S = 20.0
# A worker that dies so early never got to work: starting it again and again helps nobody.
EARLY_S = 5.0
EARLY_DEATHS = 3
STOP_S = 8.0
TOLD_BYTES = 2000
# Says to a process and to all it starts that it works for somebody.
WORKER_MARK = "TREADLE_IN_WORKER"


class WorkerProcesses:
    """Worker processes started when there is work, started again when killed, ended when idle.

    The queue is the home's: other machines' workers may do what is submitted here, and the workers
    here do what others submit once `start` was called.
    """

    def __init__(
        self,
        *,
        jobs: Jobs,
        settings: Settings,
        count: int | None = None,
        idle_s: float = IDLE_S,
        lease_s: float = LEASE_S,
        turn_s: float | None = None,
    ) -> None:
        self._jobs = jobs
        self._settings = settings
        self._idle_s = idle_s
        self._lease_s = lease_s
        self._turn_s = turn_s
        self._slots = [_Slot(number) for number in range(count or settings.workers)]
        self._lock = threading.Lock()
        self._tending: threading.Thread | None = None
        self._wake = threading.Event()
        self._closing = False
        self._early_deaths = 0

    def start(self) -> None:
        """Tend the queue from now on, whoever fills it; does nothing when that is so already.

        Raises InvalidInput inside a worker.
        """
        _refuse_in_a_worker()
        with self._lock:
            if self._tending is None:
                self._closing = False
                self._tending = threading.Thread(
                    target=self._tend, name="treadle-workers", daemon=True
                )
                self._tending.start()

    def submit(
        self, work: Work, *, kind: str = "work", key: str | None = None, max_attempts: int = 3
    ) -> str:
        """Put work in the queue and return its handle: the id of its job.

        Raises InvalidInput inside a worker.
        """
        _refuse_in_a_worker()
        job = self._jobs.enqueue(work, kind=kind, key=key, max_attempts=max_attempts)
        self._early_deaths = 0
        self.start()
        self._wake.set()
        return job.id

    def poll(self, handle: str) -> Progress:
        """Say how far the work is. Raises Unavailable when no worker stays alive to do it."""
        progress = self._jobs.job(handle).progress
        if not progress.is_over and self._early_deaths >= EARLY_DEATHS:
            raise Unavailable(
                f"Workers die as soon as they start; the last one said: {self._last_words()}",
                hint=f"All they say is in {self._log_of(0).parent}.",
            )
        return progress

    def cancel(self, handle: str) -> None:
        """Stop the work, or keep it from starting; a worker notices within a second."""
        self._jobs.cancel(handle)

    def logs(self, handle: str) -> str:
        """Return the end of what the work printed, as of a few seconds ago while it runs."""
        return self._jobs.job(handle).log

    def pids(self) -> tuple[int, ...]:
        """Return the ids of the worker processes that are alive."""
        processes = [slot.process for slot in self._slots]
        return tuple(p.pid for p in processes if p is not None and p.poll() is None)

    def close(self) -> None:
        """End the workers; what they had in hand goes back to the queue."""
        self._closing = True
        self._wake.set()
        if self._tending is not None:
            self._tending.join()
            self._tending = None
        for slot in self._slots:
            slot.terminate()
        deadline = time.monotonic() + STOP_S
        for slot in self._slots:
            slot.wait(until=deadline)
            self._bury(slot)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _tend(self) -> None:
        while not self._closing:
            try:
                self.tend()
            except TreadleError as error:  # the store is away: work waits until it is back
                print(f"treadle: cannot tend the queue: {error}", file=sys.stderr)  # noqa: T201 - nobody above this thread to tell
            self._wake.wait(TEND_S)
            self._wake.clear()

    def tend(self, *, most: int | None = None) -> None:
        """Bury the dead and start workers for what waits, at most so many alive at once.

        `start` does so in a thread; who tends several queues with one thread calls it instead.
        """
        for slot in self._slots:
            if slot.is_dead:
                self._bury(slot)
        load = self._jobs.load()
        if load.expired:
            self._end_stuck(self._jobs.requeue_expired())
        if not load.ready or self._early_deaths >= EARLY_DEATHS:
            return
        allowed = len(self._slots) if most is None else min(most, len(self._slots))
        wanted = min(allowed, load.ready + load.running)
        living = sum(slot.process is not None for slot in self._slots)
        for slot in [s for s in self._slots if s.process is None][: max(0, wanted - living)]:
            self._spawn(slot)

    def _end_stuck(self, silent: tuple[str, ...]) -> None:
        # No heartbeat for a whole lease: it hangs, and would hold its place for ever.
        for slot in self._slots:
            if slot.process is not None and slot.name in silent:
                slot.process.kill()

    def _bury(self, slot: _Slot) -> None:
        if slot.process is None:
            return
        code, age_s = slot.process.returncode, time.monotonic() - slot.started_at
        slot.process = None
        if code == 0:  # it ended by itself, with nothing in hand
            return
        had_work = self._jobs.forget_worker(slot.name) > 0
        killed = code in {-signal.SIGKILL, -signal.SIGTERM}
        if age_s < EARLY_S and not had_work and not killed:
            self._early_deaths += 1

    def _spawn(self, slot: _Slot) -> None:
        log = self._log_of(slot.number)
        log.parent.mkdir(parents=True, exist_ok=True)
        with log.open("wb") as words:
            slot.name, slot.started_at = worker_name(), time.monotonic()
            slot.process = subprocess.Popen(
                self._command(slot.name),
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=words,
                stderr=words,
            )

    def _command(self, name: str) -> list[str]:
        return [
            *(sys.executable, "-m", "treadle.execution.worker"),
            *("--home", str(self._settings.home)),
            *("--name", name),
            *("--parent", str(os.getpid())),
            *("--idle-s", str(self._idle_s)),
            *("--lease-s", str(self._lease_s)),
            *(() if self._turn_s is None else ("--turn-s", str(self._turn_s))),
        ]

    def _environment(self) -> dict[str, str]:
        threads = max(1, (os.cpu_count() or 1) // len(self._slots))
        return {
            "OMP_NUM_THREADS": str(threads),
            "OPENBLAS_NUM_THREADS": str(threads),
            **os.environ,
            # What this process was told, wherever it was told, the workers are told too.
            PREFIX + "METADATA_URL": self._settings.metadata_url,
            PREFIX + "OBJECTS_URL": self._settings.objects_url,
            PREFIX + "OBJECTS_KEY": self._settings.objects_key,
            PREFIX + "CLOCK": self._settings.clock,
            WORKER_MARK: "1",
            "PYTHONPATH": os.pathsep.join(_own_import_path()),
        }

    def _log_of(self, number: int) -> Path:
        return self._settings.home / "logs" / f"worker-{number}.log"

    def _last_words(self) -> str:
        logs = [self._log_of(slot.number) for slot in self._slots]
        newest = max((log for log in logs if log.exists()), key=lambda log: log.stat().st_mtime)
        return newest.read_bytes()[-TOLD_BYTES:].decode(errors="replace").strip()


class _Slot:
    """The place of one worker process; empty until there is work."""

    def __init__(self, number: int) -> None:
        self.number = number
        self.name = ""
        self.started_at = 0.0
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def is_dead(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def terminate(self) -> None:
        if self.process is not None:
            self.process.terminate()

    def wait(self, *, until: float) -> None:
        if self.process is None:
            return
        try:
            self.process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def _refuse_in_a_worker() -> None:
    # A script that starts workers and names its own functions as work is imported by each of them:
    # it would submit and start without end.
    refuse_while_importing()
    if WORKER_MARK in os.environ:
        raise InvalidInput(
            "A worker may not start workers.",
            hint='Put what runs the pipeline under: if __name__ == "__main__":',
        )


def _own_import_path() -> list[str]:
    # Modules this process can import by name must be found by the workers as well; what is
    # installed they find by themselves, in the right order.
    kinds = ("stdlib", "platstdlib", "purelib", "platlib")
    installed = {sysconfig.get_path(kind) for kind in kinds}
    installed.add(f"{sysconfig.get_path('platstdlib')}/lib-dynload")
    return [path for path in sys.path if path and path not in installed]
