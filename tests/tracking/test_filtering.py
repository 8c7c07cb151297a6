from __future__ import annotations

import math

import pytest

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
        ("metrics.loss != 0.1", "a"),
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
        ("metrc.loss < 1", "Did you mean 'metrics'?"),
        ("loss < 1", "metrics.NAME"),
        ("metrics = 1", "cannot ask for 'metrics'"),
        ("status.x = 'a'", "cannot ask for 'status.x'"),
        ("metrics.loss = 'low'", "Leave the quotes out"),
        ("params.depth = 2", "params.depth = '2'"),
        ("params.depth < '2'", "= and != only"),
        ("metrics.loss", "character 1"),
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

    assert counts == {"running": 1, "finished": 2, "failed": 1, "killed": 0}
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
