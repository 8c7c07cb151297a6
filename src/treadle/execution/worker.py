"""A worker: `python -m treadle.execution.worker --home H` takes jobs from the queue and does them.

SIGTERM gives the job in hand back to the queue and ends the worker. With `--parent` it does the
same when that process is gone. It starts itself anew when code it has imported was edited.
"""

from __future__ import annotations

import argparse
import ctypes
import gc
import os
import signal
import socket
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from treadle.execution.capture import Tail, capturing
from treadle.execution.context import WorkContext, working
from treadle.execution.edits import ImportedFiles
from treadle.execution.heartbeat import beating
from treadle.execution.opened import metadata_of
from treadle.execution.outcomes import Outcome, attempt
from treadle.execution.service import LEASE_S, Jobs
from treadle.kernel.actors import acting_as
from treadle.kernel.errors import Conflict, TreadleError
from treadle.kernel.ids import new_id
from treadle.kernel.settings import PREFIX, load_settings

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import FrameType

    from treadle.execution.entities import Job

FIRST_WAIT_S = 0.002
# A read of SQLite costs 0.1 ms, of PostgreSQL a round trip that others wait for too.
LONGEST_WAIT_S = {"sqlite": 0.05, "postgresql": 0.25}
# How often the job in hand and the parent are looked after.
TICK_S = 0.5
LOG_EVERY_S = 2.0
# Code that does not return to Python cannot be interrupted: then the whole process ends.
GRACE_S = 5.0
EXIT_STUCK = 70


class _Interrupted(BaseException):
    """Raised in the work: stop, this job is no longer to be done here."""


class Worker:
    """Takes one job at a time and does it in the main thread."""

    def __init__(
        self,
        *,
        jobs: Jobs,
        home: Path,
        name: str,
        lease_s: float = LEASE_S,
        idle_s: float | None = None,
        turn_s: float | None = None,
        parent: int | None = None,
        longest_wait_s: float = LONGEST_WAIT_S["sqlite"],
    ) -> None:
        self._jobs = jobs
        self._home = home
        self._name = name
        self._lease_s = lease_s
        self._idle_s = idle_s
        self._turn_s = turn_s
        self._parent = parent
        self._longest_wait_s = longest_wait_s
        self._imported = ImportedFiles()
        # Plain attributes, not events: they are written by signal handlers, which must not wait.
        self._stopping = False
        self._in_hand: _InHand | None = None

    def run(self) -> None:
        """Work until told to stop, idle for too long, orphaned, or its turn is over."""
        self._listen()
        wait, idle_since = FIRST_WAIT_S, time.monotonic()
        until = idle_since + (float("inf") if self._turn_s is None else self._turn_s)
        while not self._is_over(idle_since, until=until):
            job = self._lease()
            if job is None:
                time.sleep(wait)
                wait = min(wait * 2, self._longest_wait_s)
                continue
            self._do(job)
            wait, idle_since = FIRST_WAIT_S, time.monotonic()

    def _is_over(self, idle_since: float, *, until: float) -> bool:
        now = time.monotonic()
        idle = now - idle_since
        return (
            self._stopping
            or self._is_orphan()
            or now >= until
            or (self._idle_s is not None and idle >= self._idle_s)
        )

    def _is_orphan(self) -> bool:
        return self._parent is not None and os.getppid() != self._parent

    def _listen(self) -> None:
        signal.signal(signal.SIGTERM, self._on_stop)
        # Ctrl-C reaches every process of the terminal; who has a parent is told by it to stop.
        alone = self._parent is None
        signal.signal(signal.SIGINT, self._on_stop if alone else signal.SIG_IGN)
        signal.signal(signal.SIGUSR1, self._on_lost)

    def _on_stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        self._on_lost(_signal, _frame)

    def _on_lost(self, _signal: int, _frame: FrameType | None) -> None:
        hand = self._in_hand
        if hand is None or not hand.at_work or not (self._stopping or hand.lost):
            return
        if not hand.interrupted:  # once: what it left behind must be put in order undisturbed
            hand.interrupted = True
            raise _Interrupted

    def _lease(self) -> Job | None:
        try:
            job = self._jobs.lease(self._name, lease_s=self._lease_s)
        except TreadleError as error:
            _tell(f"cannot ask for work: {error}")
            time.sleep(self._longest_wait_s)
            return None
        if job is not None and self._imported.have_changed():
            self._jobs.release(job.id, worker=self._name)
            _start_anew()
        return job

    def _do(self, job: Job) -> None:
        hand = self._in_hand = _InHand(job)
        since_ns = time.time_ns()
        try:
            with acting_as(job.actor), beating(self._look_after, every_s=TICK_S):
                outcome = self._attempt(hand)
                self._record(hand, outcome)
        except _Interrupted:  # it came between two lines of ours
            self._record(hand, None)
        finally:
            self._in_hand = None
        self._imported.remember(since_ns=since_ns)
        _give_memory_back()

    def _attempt(self, hand: _InHand) -> Outcome | None:
        context = WorkContext(home=self._home, job_id=hand.job.id, worker=self._name)
        try:
            with capturing(hand.tail), working(context):
                hand.at_work = True
                if self._stopping:
                    return None
                outcome = attempt(hand.job.work)
                hand.at_work = False
                return outcome
        except _Interrupted:
            return None
        finally:
            hand.at_work = False

    def _record(self, hand: _InHand, outcome: Outcome | None) -> None:
        job, log = hand.job, hand.tail.text()
        try:
            if outcome is None:
                self._jobs.release(job.id, worker=self._name, log=log)
            elif outcome.state == "done":
                self._jobs.finish(job.id, worker=self._name, result=outcome.result, log=log)
            else:
                self._jobs.fail(
                    job.id, worker=self._name, error=outcome.error, log=log, retry=outcome.retry
                )
        except Conflict as lost:
            _tell(str(lost))

    def _look_after(self) -> None:
        hand = self._in_hand
        if hand is None:
            return
        self._stopping = self._stopping or self._is_orphan()
        if self._stopping or not self._still_ours(hand):
            self._interrupt(hand)

    def _still_ours(self, hand: _InHand) -> bool:
        now = time.monotonic()
        log = hand.tail.text() if now - hand.logged_at >= LOG_EVERY_S else None
        says_more = log is not None and log != hand.logged
        if now - hand.beaten_at < self._lease_s / 3 and not says_more:
            return self._jobs.holds(hand.job.id, worker=self._name)
        hand.beaten_at = now
        if log is not None:
            hand.logged_at, hand.logged = now, log
        return self._jobs.heartbeat(hand.job.id, worker=self._name, lease_s=self._lease_s, log=log)

    def _interrupt(self, hand: _InHand) -> None:
        hand.lost = True
        if not hand.at_work:
            return
        if hand.stuck_at is None:
            hand.stuck_at = time.monotonic() + GRACE_S
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)
        elif time.monotonic() > hand.stuck_at:
            self._record(hand, None)
            os._exit(EXIT_STUCK)


class _InHand:
    """The job in hand and what the heartbeat must know of it."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.tail = Tail()
        self.at_work = False
        self.lost = False
        self.interrupted = False
        self.stuck_at: float | None = None
        self.beaten_at = self.logged_at = time.monotonic()
        self.logged = ""


def worker_name() -> str:
    """Return a name no other worker has; it tells the machine it works on."""
    return f"{socket.gethostname()}-{new_id()[-8:]}"


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a worker with the arguments of the command line."""
    parser = argparse.ArgumentParser(prog="python -m treadle.execution.worker")
    parser.add_argument("--home", type=Path, help="folder that holds the state")
    parser.add_argument("--name", default=None, help="name in the queue; made up when left out")
    parser.add_argument("--parent", type=int, help="process whose end ends the worker")
    parser.add_argument("--idle-s", type=float, help="seconds without work that end the worker")
    parser.add_argument("--turn-s", type=float, help="seconds after which no job is begun")
    parser.add_argument("--lease-s", type=float, default=LEASE_S, help="seconds a lease lasts")
    chosen = parser.parse_args(arguments)
    settings = load_settings(chosen.home)
    # Work that connects without naming a home means the home it works for.
    os.environ[PREFIX + "HOME"] = str(settings.home)
    store = metadata_of(settings)
    worker = Worker(
        jobs=Jobs(store=store),
        home=settings.home,
        name=chosen.name or worker_name(),
        lease_s=chosen.lease_s,
        idle_s=chosen.idle_s,
        turn_s=chosen.turn_s,
        parent=chosen.parent,
        longest_wait_s=LONGEST_WAIT_S[store.dialect],
    )
    sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr] # a text file in every process of its own
    worker.run()


def _start_anew() -> NoReturn:
    os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])  # noqa: S606 - no shell is wanted


def _tell(message: str) -> None:
    print(f"treadle worker: {message}", file=sys.stderr, flush=True)  # noqa: T201 - its log file


def _give_memory_back() -> None:
    # Workers live long and steps are large: what the allocators kept is returned to the machine.
    gc.collect()
    pyarrow = sys.modules.get("pyarrow")
    if pyarrow is not None:
        pyarrow.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it, musl does not
    if trim is not None:
        trim(0)


if __name__ == "__main__":
    main()
