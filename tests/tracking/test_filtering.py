from __future__ import annotations

import math

import pytest
from sqlalchemy import text

from treadle.kernel.errors import InvalidInput


@pytest.fixture
def three(tracking, clock):
    """Runs a, b, c; c has a loss that is no number."""
    made = {}
    values = {"a": (0.3, "2"), "b": (0.1, "10"), "c": (math.nan, "2")}
    for name, (loss, depth) in values.items():
        clock.advance(1000)
        run = tracking.start_run(experiment="late", name=name, tags={"who": name})
        tracking.log(run.id, metrics={"loss": loss}, params={"depth": depth})
        tracking.end_run(run.id, status="failed" if name == "b" else "finished")
        made[name] = run.id
    return made


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "abc"),
        ("metrics.loss < 0.2", "b"),
        ("metric.loss >= 0.1", "ab"),
        ("metrics.loss != 0.1", "ac"),
        ("metrics.loss > 0.2 or tags.who like 'c'", "ac"),
        ("not metrics.loss < 0.2", "ac"),
        ("params.depth in ('2', '3') and attributes.status = 'FINISHED'", "ac"),
        ("attributes.run_name ILIKE 'B'", "b"),
        ("tags.`mlflow.runName` = 'b'", "b"),
        ("params.never IS NULL", "abc"),
        ("started_at > '2012-12-31' and duration < 1", "abc"),
        ("metrics.auc > 0", ""),
        ("params.depth = '2'", "ac"),
        ("params.depth != '2'", "b"),
        ("tags.who = 'c'", "c"),
        ("status = 'failed'", "b"),
        ("name != 'a' and params.depth = '2'", "c"),
        ("experiment = 'late' and metrics.loss < 1", "ab"),
    ],
)
def test_runs_are_found_by_what_they_logged(tracking, three, where, expected):
    found = tracking.search_runs(where=where, order_by="name")

    assert "".join(run.name for run in found.items) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("metrc.loss < 1", "Did you mean 'metric'?"),
        ("loss < 1", "metrics.NAME"),
        ("metrics = 1", "cannot ask for 'metrics'"),
        ("status.x = 'a'", "cannot ask for 'status.x'"),
        ("metrics.loss = 'low'", "Leave the quotes out"),
        ("params.depth = 2", "params.depth = '2'"),
        ("params.depth < '2'", "not by <"),
        ("metrics.loss", "character 13"),
    ],
)
def test_a_filter_that_asks_for_nothing_known_is_explained(solo, where, says):
    with pytest.raises(InvalidInput) as caught:
        solo.search_runs(where=where)

    assert says in str(caught.value)


def test_runs_are_found_by_what_they_were_made_from(tracking, three):
    for name in ("a", "c"):
        tracking.log_input(three[name], kind="dataset", ref="flights@3", digest="d" * 64)

    found = tracking.runs_using("flights@3")

    assert [run.name for run in found] == ["c", "a"]
    assert [run.name for run in tracking.runs_using("flights@3", limit=1)] == ["c"]
    assert tracking.runs_using("flights@4") == ()


def test_runs_are_counted_by_status(tracking, three):
    running = tracking.start_run(experiment="late")

    counts = tracking.run_counts()

    assert counts == {"running": 1, "scheduled": 0, "finished": 2, "failed": 1, "killed": 0}
    assert tracking.run(running.id).status == "running"


def test_the_metrics_of_several_runs_are_asked_for_at_once(tracking, three):
    found = tracking.metrics_of([three["a"], three["b"], "nobody"])

    assert found == {three["a"]: {"loss": 0.3}, three["b"]: {"loss": 0.1}}
    assert tracking.metrics_of([]) == {}


@pytest.mark.parametrize("order", ["metric.loss", "metric.loss desc"])
@pytest.mark.parametrize("limit", [1, 2, 3])
def test_pages_by_a_metric_join_where_runs_without_it_begin(tracking, three, order, limit):
    tracking.start_run(experiment="late", name="unmeasured")
    whole = tracking.search_runs(order_by=order).items

    pages = [
        tracking.search_runs(order_by=order, limit=limit, offset=offset).items
        for offset in range(0, 4, limit)
    ]

    assert [run for page in pages for run in page] == list(whole)
    assert {run.name for run in whole[2:]} == {"c", "unmeasured"}


def test_long_texts_that_begin_alike_are_told_apart(tracking):
    for name in ("a", "b"):
        run = tracking.start_run(experiment="late", name=name)
        tracking.log(run.id, params={"long": "x" * 300 + name})

    found = tracking.search_runs(where=f"params.long = '{'x' * 300}b'")

    assert [run.name for run in found.items] == ["b"]


def test_ilike_is_blind_to_the_case_of_ascii_letters_alone(tracking):
    for name in ("É1", "é2", "E3", "e4"):
        tracking.start_run(experiment="late", name=name)

    def found(pattern):
        return {run.name for run in tracking.search_runs(where=f"name ILIKE '{pattern}'").items}

    assert (found("É%"), found("é%"), found("E%")) == ({"É1"}, {"é2"}, {"E3", "e4"})


def test_names_order_by_their_bytes_whatever_the_collation_of_the_database(tracking, store):
    if store.dialect == "postgresql":
        with store.write() as tx:
            tx.execute(text('ALTER TABLE runs ALTER COLUMN name TYPE text COLLATE "en-x-icu"'))
    for name in ("b", "B", "a", "É", "Z"):
        tracking.start_run(experiment="late", name=name)

    found = tracking.search_runs(order_by="name")

    assert [run.name for run in found.items] == ["B", "Z", "a", "b", "É"]
