"""Counting the request log part by part."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.release.world import GOOD, ROUGH, START, World
from treadle.kernel.clock import DAY_US
from treadle.serving import parts
from treadle.serving.tallies import _quantiles, count_part


@pytest.fixture
def world(tmp_path):
    world = World(tmp_path)
    world.release(ROUGH, why="first")
    yield world
    world.app.close()


def table(*, latencies, status=None, version="late@1"):
    rows = len(latencies)
    return pa.table(
        {
            "version": [version] * rows,
            "variant": ["late-1"] * rows,
            "role": ["live"] * rows,
            "status": status or ["ok"] * rows,
            "at": [START + i * DAY_US // 2 for i in range(rows)],
            "latency_us": pa.array(latencies, pa.int64()),
        }
    )


def test_an_endpoint_nobody_asked_has_counted_nothing(world):
    tally = world.app.serving.tally("late")

    assert (tally.counts, tally.answered, tally.last_at, tally.latency) == ((), 0, None, None)


def test_answers_are_counted_by_version_role_and_day(world):
    rows = world.ask(0)
    world.release(GOOD, why="second")
    world.ask(1)

    tally = world.app.serving.tally("late")

    by_role = {}
    for count in tally.counts:
        key = (count.version, count.role)
        by_role[key] = by_role.get(key, 0) + count.rows
    assert by_role == {("late@1", "live"): 840, ("late@2", "shadow"): 420}
    assert (tally.answered, tally.errors) == (840, 0)
    first_days = {c.day for c in tally.counts if c.version == "late@1"}
    assert min(first_days) == min(rows["at"].to_pylist()) // DAY_US * DAY_US


def test_a_part_is_read_once(world, monkeypatch):
    world.ask(0)
    first = world.app.serving.tally("late")
    monkeypatch.setattr(parts, "read_part", None)

    assert world.app.serving.tally("late") == first


def test_rows_scored_in_batch_say_nothing_about_latency(world):
    world.ask(0)

    assert world.app.serving.tally("late").latencies == {}


def test_errors_are_counted_and_their_latency_is_not():
    found = count_part(
        table(latencies=[1000, 1000, 9], status=["ok", "ok", "error"]), are_requests=True
    )

    assert sum(found.rows.values()) == 3
    assert sum(found.errors.values()) == 1
    assert sum(found.latencies["late@1"]) == 2


def test_latencies_are_within_six_per_cent():
    took = np.random.default_rng(7).lognormal(8, 0.6, 20_000).astype(np.int64)

    found = _quantiles(
        np.asarray(count_part(table(latencies=took), are_requests=True).latencies["late@1"])
    )

    assert found.p50_ms == pytest.approx(np.quantile(took, 0.5) / 1000, rel=0.06)
    assert found.p95_ms == pytest.approx(np.quantile(took, 0.95) / 1000, rel=0.06)
