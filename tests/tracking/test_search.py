from __future__ import annotations

import math

import pytest
from sqlalchemy import event

from treadle.errors import InvalidInput
from treadle.kernel.list_fields import check_filter
from treadle.storage.metadata import open_metadata
from treadle.tracking.filtering import RUNS
from treadle.tracking.store import search


@pytest.fixture
def three(tracking, clock):
    """Runs a, b, c, started one after the other."""
    made = {}
    values = {"a": (0.3, "2", "finished"), "b": (0.1, "10", "failed"), "c": (0.2, None, "finished")}
    for name, (loss, depth, status) in values.items():
        clock.advance(1000)
        run = tracking.start_run(experiment="late", name=name, tags={"who": name})
        tracking.log(run.id, metrics={"loss": loss}, params={"depth": depth} if depth else {})
        tracking.end_run(run.id, status=status)
        made[name] = run.id
    return made


def names(page):
    return [run.name for run in page.items]


@pytest.mark.parametrize(
    ("order_by", "expected"),
    [
        ("started_at desc", "cba"),
        ("started_at", "abc"),
        ("started_at ASC", "abc"),
        ("name desc", "cba"),
        ("metric.loss", "bca"),
        ("metric.loss desc", "acb"),
        ("param.depth", "bac"),
        ("param.depth desc", "abc"),
        ("tag.who desc", "cba"),
        ("metric.never", "cba"),
        ("metric.never, started_at", "abc"),
        (["status", "metrics.loss DESC"], "bac"),
        ("status", "bca"),
        ("ended_at desc", "cba"),
    ],
)
def test_runs_come_in_the_order_asked_for_and_missing_values_last(
    tracking, three, order_by, expected
):
    assert "".join(names(tracking.search_runs(order_by=order_by))) == expected


@pytest.mark.parametrize(
    ("order_by", "expected"), [("metric.loss", "xyz"), ("metric.loss desc", "xyz")]
)
def test_nan_stands_between_the_numbers_and_the_runs_without_a_value(tracking, order_by, expected):
    for name, metrics in {"z": {}, "y": {"loss": math.nan}, "x": {"loss": 1.0}}.items():
        tracking.log(tracking.start_run(experiment="late", name=name).id, metrics=metrics)

    assert "".join(names(tracking.search_runs(order_by=order_by))) == expected


@pytest.mark.parametrize(
    ("order_by", "hint"),
    [
        ("startd_at", "Did you mean 'started_at'"),
        ("metrc.loss", "Did you mean 'metric"),
        ("", "cannot be ordered"),
        ("name; DROP TABLE runs", "cannot be ordered"),
        ("metric.loss desc, metrics.loss", "only once"),
    ],
)
def test_an_order_that_is_none_is_refused_with_the_near_miss(solo, order_by, hint):
    with pytest.raises(InvalidInput, match=hint):
        solo.search_runs(order_by=order_by)


def test_a_metric_with_a_space_in_its_name_can_order(tracking, three):
    tracking.log(three["b"], metrics={"val loss": 1.0})
    tracking.log(three["c"], metrics={"val loss": 2.0})

    assert names(tracking.search_runs(order_by="metric.val loss desc")) == ["c", "b", "a"]


def test_runs_are_narrowed_by_experiment_status_and_parent(tracking, three):
    child = tracking.start_run(experiment="other", parent_id=three["a"])

    assert names(tracking.search_runs(experiment="late", status="failed")) == ["b"]
    assert [run.id for run in tracking.search_runs(parent_id=three["a"]).items] == [child.id]
    assert tracking.search_runs(experiment="nowhere").total == 0


def test_pages_hold_every_run_once_and_the_true_total(tracking, three):
    first = tracking.search_runs(limit=2)
    second = tracking.search_runs(limit=2, offset=2)

    assert names(first) + names(second) == ["c", "b", "a"]
    assert (first.total, first.next_offset) == (3, 2)
    assert (second.total, second.next_offset) == (3, None)


@pytest.mark.parametrize(("limit", "offset"), [(0, 0), (-1, 0), (50_002, 0), (10, -1)])
def test_a_page_that_cannot_be_is_refused(solo, limit, offset):
    with pytest.raises(InvalidInput, match="cannot be"):
        solo.search_runs(limit=limit, offset=offset)


def test_a_found_run_holds_all_it_logged(tracking, three):
    tracking.log_input(three["a"], kind="dataset", ref="flights@1", digest="d1")

    [run] = [run for run in tracking.search_runs().items if run.name == "a"]

    assert run == tracking.run(three["a"])
    assert run.metrics == {"loss": 0.3}
    assert run.params == {"depth": "2"}
    assert run.inputs[0].ref == "flights@1"


def test_a_page_costs_the_same_few_statements_however_long_it_is(tracking, store, three):
    def statements_of(limit: int) -> int:
        seen: list[str] = []
        listen = lambda _c, _cursor, sql, *_rest: seen.append(sql)  # noqa: E731 - removed by identity below
        event.listen(store._engine, "before_cursor_execute", listen)
        tracking.search_runs(limit=limit, count=False)
        event.remove(store._engine, "before_cursor_execute", listen)
        return sum(sql.lstrip().upper().startswith("SELECT") for sql in seen)

    assert statements_of(1) == statements_of(3) == 5
    tracking.log_input(three["a"], kind="dataset", ref="flights@1", digest="d")
    assert statements_of(3) == 8  # what went in and came out is asked for where there is any


def test_without_a_count_a_page_still_says_whether_another_follows(tracking, three):
    first = tracking.search_runs(limit=2, count=False)
    last = tracking.search_runs(limit=2, offset=2, count=False)

    assert (first.total, first.next_offset) == (3, 2)
    assert (last.total, last.next_offset) == (3, None)


def test_a_page_behind_the_end_is_empty_and_knows_the_total(tracking, three):
    found = tracking.search_runs(offset=7)

    assert (found.items, found.total, found.next_offset) == ((), 3, None)


def test_runs_are_narrowed_by_experiments_and_stage(tracking, three):
    other = tracking.start_run(experiment="other", name="d")
    tracking.delete_run(three["b"])

    both = [tracking.run(run_id).experiment_id for run_id in (three["a"], other.id)]

    assert names(tracking.search_runs(experiment_ids=both[1:])) == ["d"]
    assert names(tracking.search_runs(experiment_ids=both, order_by="name")) == ["a", "c", "d"]
    assert names(tracking.search_runs(experiment_ids=[])) == []
    assert names(tracking.search_runs(view="deleted")) == ["b"]
    assert names(tracking.search_runs(view="all", order_by="name")) == ["a", "b", "c", "d"]


@pytest.mark.parametrize(
    ("where", "index"),
    [
        ("params.depth = '6'", "ix_run_params_key_value"),
        ("params.depth IN ('6', '8')", "ix_run_params_key_value"),
        ("tags.team LIKE '%op%'", "ix_run_tags_key_value"),
        ("metrics.loss > 0.5", "ix_run_metrics_key_value"),
    ],
)
def test_an_index_alone_says_whether_few_runs_match(tmp_path, where, index):
    store = open_metadata(f"sqlite:///{tmp_path / 'home.db'}")
    asked: list[tuple[str, object]] = []
    listen = lambda _c, _cursor, sql, values, *_rest: asked.append((sql, values))  # noqa: E731 - for a moment
    event.listen(store._engine, "before_cursor_execute", listen)

    with store.read() as tx:
        search.count(tx, scope=search.Scope(), where=check_filter(where, RUNS))
        sql, values = next(each for each in asked if " LIMIT " in each[0])
        plan = tx.connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {sql}", values).all()
    store.close()

    assert f"USING COVERING INDEX {index}" in str(plan)
