"""What the first schema held is there after the migration, and as it would be written today."""

from __future__ import annotations

import math

import pytest
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine, make_url, text

from treadle.storage.metadata import open_metadata
from treadle.storage.migrations import SCRIPTS
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking

POINTS = [
    *((f"loss{k}", float((7 * i) % 100), i, 10 * i) for k in range(2) for i in range(-100, 200)),
    ("loss0", math.nan, 7, 1),
    ("nan", math.nan, 0, 0),
    ("wide", math.inf, -(1 << 63), 5),
    ("wide", -1.0, (1 << 63) - 1, 5),
]
RUN = "INSERT INTO runs (id, experiment_id, name, status, parent_id, actor, started_at) VALUES "
DRIVERS = {"sqlite": "sqlite+pysqlite", "postgresql": "postgresql+psycopg"}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/treadle.db"
    return request.getfixturevalue("postgres_url")


@pytest.fixture
def old(url):
    """A database of the first schema with two runs, the second a child of the first."""
    parsed = make_url(url)
    engine = create_engine(parsed.set(drivername=DRIVERS[parsed.get_backend_name()]))
    with engine.connect() as connection:
        first_schema(connection)
        connection.execute(text("INSERT INTO experiments VALUES ('e', 'late', 'active', 1, 1)"))
        connection.execute(text(RUN + "('a', 'e', 'first', 'running', NULL, 'ann', 1)"))
        connection.execute(text(RUN + "('b', 'e', '', 'running', 'a', 'ann', 2)"))
        connection.execute(
            text("INSERT INTO metric_points VALUES ('a', :key, :step, :at, :value, :is_nan)"),
            [as_stored(point) for point in POINTS],
        )
        connection.execute(
            text("INSERT INTO run_metrics VALUES ('a', :key, :value, :is_nan, :step, :at)"),
            [as_stored(point) for point in {point[0]: point for point in sorted_points()}.values()],
        )
        connection.commit()
    engine.dispose()


def first_schema(connection) -> None:
    scripts = ScriptDirectory(str(SCRIPTS))
    context = MigrationContext.configure(
        connection, opts={"fn": lambda revision, _: scripts._upgrade_revs("0001", revision)}
    )
    with Operations.context(context):
        context.run_migrations()


def sorted_points():
    return sorted(POINTS, key=lambda p: (p[0], p[2], p[3]))


def as_stored(point) -> dict[str, object]:
    key, value, step, at = point
    nan = math.isnan(value)
    return {"key": key, "value": 0.0 if nan else value, "is_nan": nan, "step": step, "at": at}


@pytest.fixture
def tracking(old, url, objects):
    opened = open_metadata(url)
    yield Tracking(store=opened, objects=objects, capture=lambda: Capture(tags={}, files={}))
    opened.close()


def test_points_summaries_and_charts_are_what_they_would_be_written_today(tracking):
    today = tracking.start_run(experiment="late", capture=False)
    tracking.log_batch(today.id, points=POINTS)

    for read in (
        tracking.metric_summaries,
        lambda run: tracking.history(run, "loss0"),
        lambda run: tracking.history(run, "wide"),
        lambda run: tracking.chart([run], "loss1", points=50)[run],
        lambda run: tracking.run(run).latest,
    ):
        assert repr(read("a")) == repr(read(today.id))


def test_a_batch_that_was_sent_before_the_migration_stores_nothing_again(tracking):
    before = tracking.metric_summaries("a")

    tracking.log_batch("a", points=POINTS)

    assert repr(tracking.metric_summaries("a")) == repr(before)


def test_names_and_parents_become_tags(tracking):
    first, child = tracking.run("a"), tracking.run("b")

    assert first.tags == {"mlflow.runName": "first"}
    assert child.tags == {"mlflow.parentRunId": "a"}
    assert (first.experiment_id, first.lifecycle_stage, child.parent_id) == ("e", "active", "a")
    assert tracking.search_runs(experiment="late").total == 2
