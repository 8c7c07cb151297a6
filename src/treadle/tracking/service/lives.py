"""The verbs that tell runs whose process is gone from those that go on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import InvalidInput
from treadle.tracking import store
from treadle.tracking.facts import RunUpdated
from treadle.tracking.processes import is_gone
from treadle.tracking.service.runs import found, tell_end

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracking.processes import Process
    from treadle.tracking.service.doors import Doors
    from treadle.tracking.store import Watched

GONE = "its process is gone"
SECOND_US = 1_000_000
MOST_BEATS = 1000
REMEMBERED_US = 30 * DAY_US
"""How long a run that was failed can still come back to life."""


def watch_run(self: Doors, run_id: str, *, process: Process) -> None:
    """Fail a run from now on should that process be gone before it has ended it."""
    now = self.machine_clock.now()

    def work(tx: Transaction) -> None:
        store.watch(tx, run_id, process=process, at=now)

    self.together.write(work)


def beat(self: Doors, run_ids: Sequence[str]) -> tuple[str, ...]:
    """Say that the process of some runs lives; return those of them that are running.

    From the first beat on the next one is missed: a run whose beats stay away for `gone_after_s`
    fails. One that was failed so is running again.
    """
    if len(run_ids) > MOST_BEATS:
        raise InvalidInput(f"At most {MOST_BEATS} runs can beat at once, not {len(run_ids)}.")
    now = self.machine_clock.now()

    def work(tx: Transaction) -> tuple[str, ...]:
        # In order, so that two who beat for the same runs do not wait for each other.
        return tuple(each for each in sorted(set(run_ids)) if _lives(tx, each, now=now))

    return self.together.write(work)


def fail_gone(self: Doors) -> tuple[str, ...]:
    """Fail the runs of our own client whose process is gone; return them.

    Of a process of this machine that is seen at once; one elsewhere is missed when its beats have
    stayed away for `gone_after_s`. Runs of MLflow's clients, which do not beat, stay as they are.
    """
    now = self.machine_clock.now()
    missed = now - self.gone_after_s * SECOND_US
    with self.metadata.read() as tx:
        watched = store.list_watched(tx)
    lost = [each for each in watched if _is_lost(each, missed=missed)]
    failed: list[str] = []
    for each in lost:
        with self.metadata.write() as tx:
            failed += [each.run_id] if _fail(tx, each) else []
            store.forget_gone(tx, until=now - REMEMBERED_US)
    return tuple(failed)


def is_any_watched(self: Doors) -> bool:
    """Say whether there is a run that `fail_gone` has to look at."""
    with self.metadata.read() as tx:
        return store.is_any_watched(tx)


def _is_lost(watched: Watched, *, missed: int) -> bool:
    if watched.process is None:
        return watched.beat_at <= missed
    return is_gone(watched.process)


def _lives(tx: Transaction, run_id: str, *, now: int) -> bool:
    standing = store.standing(tx, run_id, lock=True)
    if standing is None or standing.lifecycle_stage != "active":
        return False
    if standing.status == "running":
        store.watch(tx, run_id, process=None, at=now)
        return True
    watched = store.find_watched(tx, run_id)
    if watched is None or not watched.gone:
        return False
    store.watch(tx, run_id, process=None, at=now)
    store.change_run(tx, run_id, {"status": "running", "error": "", "ended_at": None})
    tx.emit(RunUpdated(run_id=run_id, name=found(tx, run_id).name, status="running"))
    return True


def _fail(tx: Transaction, lost: Watched) -> bool:
    standing = store.standing(tx, lost.run_id, lock=True)
    if standing is None or standing.status != "running":  # it ended meanwhile
        store.unwatch(tx, lost.run_id)
        return False
    if store.find_watched(tx, lost.run_id) != lost:  # a beat came meanwhile
        return False
    store.change_run(tx, lost.run_id, {"status": "failed", "error": GONE, "ended_at": tx.at})
    store.mark_gone(tx, lost.run_id)
    tell_end(tx, found(tx, lost.run_id))
    return True
