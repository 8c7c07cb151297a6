from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import event

from treadle.errors import Conflict, NotFound
from treadle.storage.metadata import open_metadata
from treadle.tracking.service import Tracking
from treadle.tracking.service.together import _Waiting

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 20.0


@pytest.fixture
def store(tmp_path, clock):
    opened = open_metadata(f"sqlite:///{tmp_path / 'treadle.db'}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def tracking(store, objects) -> Tracking:
    return Tracking(store=store, objects=objects)


@pytest.fixture
def run(tracking):
    return tracking.start_run(experiment="late", params={"depth": 3}, capture=False)


class Meanwhile:
    """Threads that all come while another write is on its way; then they are let go."""

    def __init__(self, tracking: Tracking, store) -> None:
        self._tracking, self._store = tracking, store
        self.errors: dict[int, BaseException] = {}
        self.commits = 0

    def write(self, works: list[Callable[[], None]]) -> None:
        threads = [
            threading.Thread(target=self._caught, args=(place, work))
            for place, work in enumerate(works)
        ]
        with self._store.write():
            for thread in threads:
                thread.start()
            until(lambda: len(self._tracking.together._waiting) == len(works) - 1)
        event.listen(self._store._engine, "commit", self._count)
        for thread in threads:
            thread.join(DEADLINE_S)
        event.remove(self._store._engine, "commit", self._count)

    def _caught(self, place: int, work: Callable[[], None]) -> None:
        try:
            work()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.errors[place] = error

    def _count(self, _connection: object) -> None:
        self.commits += 1


def until(claim: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not claim():
        assert time.monotonic() < deadline
        time.sleep(0.001)


@pytest.fixture
def meanwhile(tracking, store) -> Meanwhile:
    return Meanwhile(tracking, store)


def test_who_comes_while_the_disk_is_busy_shares_the_next_commit(tracking, run, meanwhile):
    meanwhile.write(
        [lambda i=i: tracking.log_batch(run.id, points=[("loss", i, i, i)]) for i in range(8)]
    )

    assert meanwhile.errors == {}
    assert [p.step for p in tracking.history(run.id, "loss")] == list(range(8))
    # The first of them was on its way already; the other seven went together.
    assert meanwhile.commits <= 2


def test_one_that_fails_is_undone_alone(tracking, run, meanwhile):
    works = [lambda i=i: tracking.log(run.id, params={f"p{i}": i}) for i in range(4)]
    works[2] = lambda: tracking.log(run.id, params={"p2": 2, "depth": 4}, metrics={"loss": 1})
    works.append(lambda: tracking.log("nobody", metrics={"loss": 1}))

    meanwhile.write(works)

    assert {place: type(error) for place, error in meanwhile.errors.items()} == {
        2: Conflict,
        4: NotFound,
    }
    assert tracking.run(run.id).params == {"depth": "3", "p0": "0", "p1": "1", "p3": "3"}
    assert tracking.run(run.id).metrics == {}


def test_a_write_inside_another_joins_it_and_is_undone_with_it(tracking, store, run):
    def both() -> None:
        with store.write():
            tracking.log(run.id, metrics={"loss": 1})
            tracking.log("nobody", metrics={"loss": 1})

    with pytest.raises(NotFound):
        both()

    assert tracking.run(run.id).metrics == {}


def test_a_commit_that_fails_is_told_to_everyone_who_waits_for_it(tracking, run, store, meanwhile):
    def fail(_connection: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            raise OSError("no space left")

    event.listen(store._engine, "commit", fail)
    meanwhile.write([lambda: tracking.log(run.id, metrics={"auc": 1})] * 4)
    event.remove(store._engine, "commit", fail)

    assert len(meanwhile.errors) == 4
    assert tracking.run(run.id).metrics == {}


def test_who_is_interrupted_while_waiting_keeps_nobody_from_writing(tracking, store, run):
    class Broken:
        def acquire(self) -> None:
            raise KeyboardInterrupt

    together, entered, go_on = tracking.together, threading.Event(), threading.Event()

    def slow(_tx: object) -> None:
        entered.set()
        go_on.wait(DEADLINE_S)

    leader = threading.Thread(target=together.write, args=(slow,))
    leader.start()
    entered.wait(DEADLINE_S)
    interrupted = _Waiting(lambda _tx: None)
    interrupted.gate = Broken()
    together._first(interrupted)
    with pytest.raises(KeyboardInterrupt):
        together._wait(interrupted)
    go_on.set()
    leader.join(DEADLINE_S)

    tracking.log(run.id, metrics={"loss": 1})
    assert tracking.run(run.id).metrics == {"loss": 1.0}
