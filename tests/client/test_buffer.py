"""Nothing that was logged is lost: not while the place is away, not when it never comes back."""

from __future__ import annotations

import threading
import time

import pytest

from treadle.client import UnsentWarning, buffer
from treadle.client.buffer import BOUND_POINTS, Outbox
from treadle.client.local import LocalRuns
from treadle.client.ports import Draft
from treadle.client.tracker import Tracker
from treadle.errors import InvalidInput, NotFound, Unavailable

DEADLINE_S = 20.0


class Faulty(LocalRuns):
    """A home that can be away, refuse, or go away after some sends."""

    error: Exception | None = None
    sends_left = 1 << 62

    def send(self, run_id, points=(), **rest):
        self.sends_left -= 1
        if self.sends_left < 0:
            self.error = Unavailable("It is away.")
        if self.error is not None:
            raise self.error
        super().send(run_id, points, **rest)

    def end(self, run_id, **how):
        if isinstance(self.error, Unavailable):
            raise self.error
        super().end(run_id, **how)


@pytest.fixture
def place(home):
    return Faulty(home.app)


@pytest.fixture
def run_id(place):
    return place.start(Draft(experiment="Default")).id


@pytest.fixture
def outbox(place, run_id):
    made = Outbox(place, run_id, pause_s=0.001)
    yield made
    place.error = None
    made.close()


def steps(home, run_id):
    return [point.step for point in home.tracking.history(run_id, "loss")]


def fill(outbox, count, *, first=0):
    for step in range(first, first + count):
        outbox.put(("loss", 1.0, step, 1_000 + step))


def files(place):
    return sorted(place.spool.iterdir()) if place.spool.exists() else []


def test_points_are_sent_without_being_asked_for(outbox, home, run_id):
    fill(outbox, 3)

    deadline = time.monotonic() + DEADLINE_S
    while not steps(home, run_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert steps(home, run_id) == [0, 1, 2]


def test_points_held_while_the_place_is_away_are_sent_when_it_is_back(outbox, place, home, run_id):
    place.error = Unavailable("It is away.")
    fill(outbox, 5)
    with pytest.raises(Unavailable):
        outbox.flush(patience_s=0.01)

    place.error = None
    outbox.flush()

    assert steps(home, run_id) == [0, 1, 2, 3, 4]


def test_a_program_faster_than_its_place_does_not_fill_the_memory(outbox, place, home, run_id):
    fill(outbox, 3 * BOUND_POINTS)

    assert len(outbox._points) < BOUND_POINTS
    outbox.flush()
    assert steps(home, run_id) == list(range(3 * BOUND_POINTS))


def test_a_full_buffer_goes_to_a_file_while_the_place_is_away(outbox, place, home, run_id):
    place.error = Unavailable("It is away.")
    fill(outbox, 2 * BOUND_POINTS + 5)
    assert len(outbox._points) < BOUND_POINTS
    assert len(files(place)) == 1

    place.error = None
    outbox.flush()

    assert steps(home, run_id) == list(range(2 * BOUND_POINTS + 5))
    assert files(place) == []


def test_a_place_that_goes_away_in_the_middle_loses_no_point(outbox, place, home, run_id):
    place.batch_limit, place.sends_left = 10, 7
    fill(outbox, 200)
    with pytest.raises(Unavailable):
        outbox.flush(patience_s=0.01)

    place.error, place.sends_left = None, 1 << 62
    outbox.flush()

    assert steps(home, run_id) == list(range(200))


def test_points_of_many_threads_are_all_kept(outbox, home, run_id):
    writers = [
        threading.Thread(target=fill, args=(outbox, 2_000), kwargs={"first": 2_000 * number})
        for number in range(6)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()

    outbox.flush()

    assert steps(home, run_id) == list(range(12_000))


def test_what_the_place_refuses_is_told_at_the_next_call_and_kept_in_a_file(place, home):
    tracker = Tracker(place)
    run = tracker.run()
    run.log(loss=1)
    place.error = NotFound("run", run.id)

    with pytest.raises(NotFound, match="The points are in"):
        run.flush()
    with pytest.raises(NotFound):
        run.log(loss=2)
    with pytest.raises(NotFound):
        run.end()

    assert [path.suffix for path in files(place)] == [".jsonl"]
    assert home.tracking.run(run.id).status == "finished"


def test_a_run_that_cannot_be_sent_at_its_end_is_spooled_and_sent_later(place, home):
    tracker = Tracker(place)
    run = tracker.run()
    run.log(loss=float("nan"))
    run.log(loss=1.5)
    place.error = Unavailable("It is away.")

    with pytest.warns(UnsentWarning, match="send_unsent"):
        run.end("failed", error="it broke", patience_s=0)
    assert home.tracking.run(run.id).metrics == {}

    place.error = None
    assert tracker.send_unsent() == 1
    found = home.tracking.run(run.id)
    assert (found.status, found.error, found.metrics) == ("failed", "it broke", {"loss": 1.5})
    assert len(home.tracking.history(run.id, "loss")) == 2
    assert tracker.send_unsent() == 0


def test_what_another_place_left_is_not_sent_here(place, home):
    tracker = Tracker(place)
    place.name = "http://elsewhere"
    run = tracker.run()
    run.log(loss=1)
    place.error = Unavailable("It is away.")
    with pytest.warns(UnsentWarning):
        run.end(patience_s=0)

    place.error, place.name = None, str(home.home)

    assert tracker.send_unsent() == 0
    assert len(files(place)) == 1


def test_an_error_in_the_block_is_not_hidden_by_one_of_sending(place):
    run = Tracker(place).run()
    run.log(loss=1)
    place.error = InvalidInput("It is refused.")

    with pytest.warns(UnsentWarning, match="It is refused"), pytest.raises(ZeroDivisionError), run:
        1 / 0  # noqa: B018 - the error is the point


def test_waiting_longer_between_tries_has_an_end(outbox, place, monkeypatch):
    monkeypatch.setattr(buffer, "LONGEST_PAUSE_S", 0.004)
    place.error = Unavailable("It is away.")
    fill(outbox, 1)

    with pytest.raises(Unavailable):
        outbox.flush(patience_s=0.05)

    assert outbox._pause_s == pytest.approx(0.004)
