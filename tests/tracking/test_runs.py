from __future__ import annotations

import math
import threading

import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.actors import acting_as
from treadle.storage import events
from treadle.tracking.entities import MetricPoint
from treadle.tracking.facts import InputLogged, RunEnded, RunStarted

LATER = 1_000_000


def kinds(store):
    with store.read() as tx:
        return [event.kind for event in events.read(tx.connection)]


def facts(store, kind):
    with store.read() as tx:
        return [event.as_fact(kind) for event in events.read(tx.connection, kinds=[kind.kind])]


def test_a_run_is_read_as_it_was_started(tracking, clock):
    with acting_as("user:ann"):
        run = tracking.start_run(
            experiment="late", name="trial 1", params={"depth": 3, "lr": 0.1}, tags={"team": "ops"}
        )

    assert tracking.run(run.id) == run
    assert run.experiment == "late"
    assert run.status == "running"
    assert run.actor == "user:ann"
    assert run.started_at == clock.instant
    assert run.ended_at is None
    assert run.params == {"depth": "3", "lr": "0.1"}
    assert run.tags["team"] == "ops"


def test_a_run_names_the_code_and_packages_it_ran_with(tracking):
    run = tracking.start_run(experiment="late")

    artifacts = tracking.artifacts(run.id)

    assert run.tags["treadle.code.commit"] == "c0ffee"
    assert [a.path for a in artifacts] == ["environment/packages.txt"]
    with tracking.open_artifact(run.id, "environment/packages.txt") as stream:
        assert stream.read() == b"numpy==2.4\n"


def test_a_given_tag_wins_over_a_captured_one(tracking):
    run = tracking.start_run(experiment="late", tags={"treadle.code.commit": "other"})

    assert run.tags == {"treadle.code.commit": "other"}


def test_an_experiment_is_made_on_first_use_and_only_once(tracking, store):
    first = tracking.experiment("late")
    tracking.start_run(experiment="late")

    assert tracking.experiment("late") == first
    assert tracking.experiments() == (first,)
    assert kinds(store).count("experiment.created") == 1


def test_a_started_and_ended_run_is_told_by_facts_that_hold_its_whole_story(tracking, store):
    run = tracking.start_run(experiment="late", params={"depth": 3})
    tracking.log(run.id, metrics={"loss": 0.5, "broken": math.nan})
    tracking.end_run(run.id)

    [started], [ended] = facts(store, RunStarted), facts(store, RunEnded)
    assert started.params == {"depth": "3"}
    assert started.tags == {"treadle.code.commit": "c0ffee"}
    assert [a.path for a in started.artifacts] == ["environment/packages.txt"]
    assert ended.status == "finished"
    assert ended.metrics == {"loss": 0.5, "broken": None}


def test_logging_metrics_adds_no_fact(tracking, store):
    run = tracking.start_run(experiment="late")
    before = kinds(store)

    tracking.log(run.id, metrics={"loss": 0.5}, params={"a": 1}, tags={"b": 2})

    assert kinds(store) == before


def test_a_run_ends_once_and_keeps_its_end(tracking, clock):
    run = tracking.start_run(experiment="late")
    clock.advance(LATER)
    tracking.end_run(run.id, status="failed", error="ValueError: no rows")
    clock.advance(LATER)

    again = tracking.end_run(run.id, status="failed", error="another story")

    assert again.status == "failed"
    assert again.error == "ValueError: no rows"
    assert again.duration_us == LATER


def test_a_run_that_ended_one_way_cannot_end_another(tracking):
    run = tracking.start_run(experiment="late")
    tracking.end_run(run.id, status="failed")

    with pytest.raises(Conflict, match="already failed; it cannot become finished"):
        tracking.end_run(run.id, status="finished")


def test_an_unknown_end_status_suggests_the_near_miss(solo):
    run = solo.start_run(experiment="late")

    with pytest.raises(InvalidInput, match="Did you mean 'finished'"):
        solo.end_run(run.id, status="finishd")


def test_a_child_needs_a_parent_that_is_there(tracking):
    with pytest.raises(NotFound, match="No run 'nobody'"):
        tracking.start_run(experiment="late", parent_id="nobody")

    assert tracking.search_runs().total == 0


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 501, "half \ud800"])
def test_a_name_that_cannot_be_an_experiments_is_refused(solo, name):
    with pytest.raises(InvalidInput):
        solo.experiment(name)


def test_a_run_is_found_by_the_beginning_of_its_id(tracking):
    run = tracking.start_run(experiment="late")

    assert tracking.run(run.id[:20].upper()) == run


def test_a_beginning_that_names_several_runs_lists_them(tracking):
    one, two = (tracking.start_run(experiment="late") for _ in range(2))

    with pytest.raises(InvalidInput, match="Several runs begin with '0'") as caught:
        tracking.run("0")

    assert caught.value.data["runs"] == [one.id, two.id]


@pytest.mark.parametrize("text", ["", "zz", "%", "0000"])
def test_a_run_that_is_not_there_is_not_found(solo, text):
    solo.start_run(experiment="late")

    with pytest.raises(NotFound):
        solo.run(text)


@pytest.mark.parametrize(
    ("verb", "arguments", "named"),
    [
        ("log", (), {"metrics": {"loss": 1}}),
        ("log_points", ([],), {}),
        ("log_input", (), {"kind": "dataset", "ref": "a@1", "digest": "d"}),
        ("log_artifact", ("a.txt", b""), {}),
        ("artifacts", (), {}),
        ("open_artifact", ("a.txt",), {}),
        ("end_run", (), {}),
        ("history", ("loss",), {}),
        ("metric_summaries", (), {}),
    ],
)
def test_a_run_that_is_not_there_is_refused_by_every_verb(solo, verb, arguments, named):
    with pytest.raises(NotFound, match="No run 'nobody'"):
        getattr(solo, verb)("nobody", *arguments, **named)


def test_an_input_is_logged_once_and_told_once(tracking, store):
    run = tracking.start_run(experiment="late")

    tracking.log_input(run.id, kind="dataset", ref="flights@3", digest="d3", context="training")
    tracking.log_input(run.id, kind="dataset", ref="flights@3", digest="d3", context="training")

    [seen] = tracking.run(run.id).inputs
    assert (seen.kind, seen.ref, seen.digest, seen.context) == (
        "dataset",
        "flights@3",
        "d3",
        "training",
    )
    assert len(facts(store, InputLogged)) == 1


def test_a_batch_with_one_wrong_value_stores_nothing(tracking):
    run = tracking.start_run(experiment="late", params={"depth": 3})

    with pytest.raises(Conflict):
        tracking.log(run.id, metrics={"loss": 1}, params={"new": 1, "depth": 4}, tags={"t": 1})

    after = tracking.run(run.id)
    assert after == run


@pytest.mark.parametrize(
    ("given", "rule"),
    [
        ({"metrics": {"loss@5": 1}}, "cannot name a metric"),
        ({"metrics": {"": 1}}, "cannot name a metric"),
        ({"metrics": {"x" * 251: 1}}, "cannot name a metric"),
        ({"metrics": {"loss": "0.5"}}, "A metric is a number"),
        ({"metrics": {"loss": None}}, "A metric is a number"),
        ({"metrics": {"loss": 1}, "step": 1 << 63}, "does not fit into 64 bits"),
        ({"params": {"a": "x" * 6001}}, "the limit is 6000"),
        ({"params": {"a": "x\x00y"}}, "NUL"),
        ({"params": {"a\n": "x"}}, "cannot name a param"),
        ({"tags": {"a": "\ud800"}}, "not valid Unicode"),
        ({"tags": {"a": "x" * 8001}}, "the limit is 8000"),
    ],
)
def test_what_breaks_a_rule_is_refused_with_the_rule(solo, given, rule):
    run = solo.start_run(experiment="late")

    with pytest.raises(InvalidInput, match=rule):
        solo.log(run.id, **given)


def test_metrics_keep_infinities_and_nan(tracking):
    run = tracking.start_run(experiment="late")

    tracking.log(run.id, metrics={"up": math.inf, "down": -math.inf, "none": math.nan})

    metrics = tracking.run(run.id).metrics
    assert metrics["up"] == math.inf
    assert metrics["down"] == -math.inf
    assert math.isnan(metrics["none"])
    assert math.isnan(tracking.history(run.id, "none")[0].value)


def test_a_history_is_in_the_order_of_steps(tracking, clock):
    run = tracking.start_run(experiment="late")
    for step in (2, 0, 1):
        tracking.log(run.id, metrics={"loss": step / 10}, step=step)

    history = tracking.history(run.id, "loss")

    assert [(p.step, p.value, p.at) for p in history] == [
        (0, 0.0, clock.instant),
        (1, 0.1, clock.instant),
        (2, 0.2, clock.instant),
    ]
    assert tracking.history(run.id, "never") == ()


def test_a_summary_leaves_nan_out_of_the_extremes(tracking):
    run = tracking.start_run(experiment="late")
    for step, value in enumerate([0.5, math.nan, 0.25, 1.0]):
        tracking.log(run.id, metrics={"loss": value, "nan": math.nan}, step=step)

    loss, nan = tracking.metric_summaries(run.id)

    assert (loss.key, loss.last, loss.lowest, loss.highest, loss.points) == (
        "loss",
        1.0,
        0.25,
        1.0,
        4,
    )
    assert math.isnan(nan.last)
    assert (nan.lowest, nan.highest, nan.points) == (None, None, 4)


def test_a_hundred_thousand_points_are_stored_once_though_sent_twice(tracking):
    run = tracking.start_run(experiment="late")
    points = [MetricPoint(key=f"m{i % 10}", value=i, step=i // 10, at=i) for i in range(100_000)]

    tracking.log_points(run.id, points)
    tracking.log_points(run.id, points)

    assert sum(s.points for s in tracking.metric_summaries(run.id)) == 100_000
    assert tracking.run(run.id).metrics["m9"] == 99_999


def test_a_finished_run_is_read_while_another_writes(tracking, store):
    done = tracking.start_run(experiment="late")
    tracking.end_run(done.id)
    seen = []

    with store.write():
        tracking.start_run(experiment="late")
        reader = threading.Thread(target=lambda: seen.append(tracking.run(done.id).status))
        reader.start()
        reader.join(timeout=10)

    assert seen == ["finished"]


def test_of_two_threads_that_write_one_param_one_wins_and_the_other_is_told(tracking):
    run = tracking.start_run(experiment="late")
    start, told = threading.Barrier(4), []

    def write(value: int) -> None:
        start.wait()
        try:
            tracking.log(run.id, params={"depth": value})
        except Conflict as conflict:
            told.append(conflict.data["new"])

    threads = [threading.Thread(target=write, args=(value,)) for value in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    kept = tracking.run(run.id).params["depth"]
    assert sorted([*told, kept]) == ["0", "1", "2", "3"]


def test_threads_that_start_the_same_experiment_share_it(tracking):
    start = threading.Barrier(4)

    def begin() -> None:
        start.wait()
        tracking.start_run(experiment="shared")

    threads = [threading.Thread(target=begin) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(tracking.experiments()) == 1
    assert tracking.search_runs(experiment="shared").total == 4
