"""Several writers log points of one metric at once: each point is stored once, none is refused."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import pytest

from treadle.storage.metadata import open_metadata
from treadle.tracking.service import Tracking

WRITERS = 4
ROUNDS = 6


@pytest.fixture
def writers(store, objects):
    """As many processes would write: each with a store of its own."""
    url = store.url.set(drivername=store.dialect).render_as_string(hide_password=False)
    stores = [open_metadata(url) for _ in range(WRITERS)]
    yield [Tracking(store=each, objects=objects) for each in stores]
    for each in stores:
        each.close()


def batch_of(writer: int, turn: int):
    """Return points that half the other writers log too, each time behind those before."""
    first = turn * 100 + writer * 25
    return [
        (key, float(step % 7), step, step)
        for key in ("b", "a")
        for step in range(first, first + 50)
    ]


def log_in_turns(writer, tracking, run_id, barrier):
    for turn in range(ROUNDS):
        barrier.wait(timeout=60)
        tracking.log_points(run_id, batch_of(writer, turn))


def test_points_that_several_log_at_once_are_stored_once(tracking, writers):
    run = tracking.start_run(experiment="late", capture=False)
    barrier = Barrier(WRITERS)

    with ThreadPoolExecutor(WRITERS) as together:
        done = [
            together.submit(log_in_turns, number, each, run.id, barrier)
            for number, each in enumerate(writers)
        ]
    for each in done:
        each.result()

    sent = {p for w in range(WRITERS) for turn in range(ROUNDS) for p in batch_of(w, turn)}
    for key in ("a", "b"):
        stored = [(p.key, p.value, p.step, p.at) for p in tracking.history(run.id, key)]
        assert stored == sorted((p for p in sent if p[0] == key), key=lambda p: p[2])
    summaries = tracking.metric_summaries(run.id)
    assert [s.points for s in summaries] == [len(sent) // 2] * 2
    assert {(s.lowest, s.highest) for s in summaries} == {(0.0, 6.0)}


@pytest.mark.parametrize("later", [0.5, math.inf, math.nan], ids=repr)
def test_a_batch_that_begins_with_the_last_point_stores_it_once(tracking, later):
    run = tracking.start_run(experiment="late", capture=False)
    tracking.log_points(run.id, [("a", later, 5, 5)])

    tracking.log_points(run.id, [("a", later, 5, 5), ("a", 9.0, 6, 6)])

    assert [p.step for p in tracking.history(run.id, "a")] == [5, 6]
    assert [s.points for s in tracking.metric_summaries(run.id)] == [2]


@pytest.mark.parametrize("size", [1, 7], ids="{} points a call".format)
def test_points_sent_again_by_several_are_counted_once(tracking, writers, size):
    run = tracking.start_run(experiment="late", capture=False)
    points = [("a", float(step), step, step) for step in range(28)]
    calls = [points[first : first + size] for first in range(0, len(points), size)]

    with ThreadPoolExecutor(WRITERS) as together:
        done = [
            together.submit(each.log_points, run.id, call) for call in calls for each in writers
        ]
    for each in done:
        each.result()

    assert [p.step for p in tracking.history(run.id, "a")] == list(range(28))
    assert [s.points for s in tracking.metric_summaries(run.id)] == [28]
    assert tracking.run(run.id).metrics == {"a": 27.0}
