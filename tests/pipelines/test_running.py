"""Pipelines run in this process."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from treadle.kernel.errors import Conflict, InvalidInput, NotFound, Refused
from treadle.pipelines import current_run_id, dataset, pipeline, step
from treadle.pipelines.service import StepFailed
from treadle.storage import events


class Calls:
    """Counts what steps did; an object counts by type and repr in their keys, a list by content."""

    def __init__(self) -> None:
        self.made: list[str] = []


CALLS = Calls()


@pytest.fixture(autouse=True)
def no_calls():
    CALLS.made.clear()


@step
def scaled(table, factor=1):
    CALLS.made.append("scaled")
    return table.append_column("scaled", pc.multiply(table["n"], factor))


@step
def total(table):
    CALLS.made.append("total")
    return {"sum": pc.sum(table["scaled"]).as_py()}


@pipeline
def sums(factor=2):
    return total(scaled(dataset("numbers"), factor=factor))


@step
def stumbling(value):
    raise ArithmeticError(f"stumbled over {value}")


@pipeline
def falls():
    return stumbling(stumbling_after(dataset("numbers")))


@step
def stumbling_after(table):
    return table.num_rows


def states(run) -> dict[str, str]:
    return {s.step: "cached" if s.cached else s.state for s in run.steps}


def test_a_pipeline_returns_what_its_function_returned(either_home):
    either_home.commit_numbers(1, 2, 3)

    run = either_home.pipelines.run(sums)

    assert run.state == "done"
    assert either_home.pipelines.value(run) == {"sum": 12}


def test_a_second_run_executes_no_step(either_home):
    either_home.commit_numbers(1, 2, 3)
    first = either_home.pipelines.run(sums)
    CALLS.made.clear()

    second = either_home.pipelines.run(sums)

    assert CALLS.made == []
    assert states(second) == {"scaled": "cached", "total": "cached"}
    assert [s.key for s in second.steps] == [s.key for s in first.steps]


def test_another_param_executes_only_what_depends_on_it(home):
    home.commit_numbers(1, 2, 3)

    @pipeline
    def two_sums(factor=2):
        fixed = total(scaled(dataset("numbers"), factor=1))
        return fixed, total(scaled(dataset("numbers"), factor=factor))

    home.pipelines.run(two_sums)
    run = home.pipelines.run(two_sums, params={"factor": 5})

    assert states(run) == {
        "scaled": "cached",
        "total": "cached",
        "scaled_2": "done",
        "total_2": "done",
    }
    assert home.pipelines.value(run) == ({"sum": 6}, {"sum": 30})


def test_a_new_dataset_version_executes_the_steps_that_read_it(home):
    home.commit_numbers(1, 2, 3)
    home.pipelines.run(sums)
    home.commit_numbers(4, 5, 6)

    run = home.pipelines.run(sums)

    assert states(run) == {"scaled": "done", "total": "done"}
    assert run.datasets == ("numbers@2",)


def test_equal_results_of_different_inputs_spare_the_steps_after(home):
    @step
    def smallest(table):
        return pc.min(table["n"]).as_py()

    @step
    def doubled(value):
        return value * 2

    @pipeline
    def flow():
        return doubled(smallest(dataset("numbers")))

    home.commit_numbers(1, 2)
    home.pipelines.run(flow)
    home.commit_numbers(1, 9)

    assert states(home.pipelines.run(flow)) == {"smallest": "done", "doubled": "cached"}


def test_force_executes_every_step(home):
    home.commit_numbers(1)
    home.pipelines.run(sums)
    CALLS.made.clear()

    home.pipelines.run(sums, force=True)

    assert CALLS.made == ["scaled", "total"]


def test_a_step_that_says_so_is_never_cached(home):
    @step(cache=False)
    def fresh():
        CALLS.made.append("fresh")
        return 1

    @pipeline
    def flow():
        return fresh()

    home.pipelines.run(flow)
    home.pipelines.run(flow)

    assert CALLS.made == ["fresh", "fresh"]


def test_a_result_that_was_removed_is_made_again(home):
    home.commit_numbers(1)
    run = home.pipelines.run(sums)
    home.objects.delete(run.steps[0].outputs[0].digest)

    again = home.pipelines.run(sums)

    assert states(again) == {"scaled": "done", "total": "cached"}


def test_a_version_that_is_pinned_is_read(home):
    home.commit_numbers(1, 2)
    home.commit_numbers(100)

    @pipeline
    def pinned():
        return total(scaled(dataset("numbers@1")))

    run = home.pipelines.run(pinned)

    assert home.pipelines.value(run) == {"sum": 3}
    assert run.datasets == ("numbers@1",)


def test_a_version_in_quarantine_is_passed_over(home):
    good, bad = home.commit_numbers(1, 2), home.commit_numbers(100)
    home.data.quarantine(bad.ref, reason="all the same", evidence={})

    run = home.pipelines.run(sums)

    assert run.datasets == (good.ref,)


def test_a_pinned_version_in_quarantine_is_refused(home):
    bad = home.commit_numbers(100)
    home.data.quarantine(bad.ref, reason="all the same", evidence={})

    @pipeline
    def pinned():
        return total(scaled(dataset("numbers@1")))

    with pytest.raises(Refused, match="numbers@1 is held in quarantine"):
        home.pipelines.run(pinned)


def test_a_step_may_return_named_parts(home):
    @step(outputs=("low", "high"))
    def split(table):
        return table.slice(0, 1), table.slice(1)

    @step
    def rows(low, high):
        return [low.num_rows, high.num_rows]

    @pipeline
    def flow():
        low, high = split(dataset("numbers"))
        return {"rows": rows(low, high), "low": low}

    home.commit_numbers(1, 2, 3)
    run = home.pipelines.run(flow)

    value = home.pipelines.value(run)
    assert value["rows"] == [1, 2]
    assert value["low"].to_pydict() == {"n": [1]}
    assert home.pipelines.value(run, "split.high").num_rows == 2
    assert len(home.pipelines.value(run, "split")) == 2


@pytest.mark.parametrize("returned", [1, (1, 2, 3)])
def test_the_wrong_number_of_parts_is_named(home, returned):
    @step(outputs=("low", "high"))
    def split():
        return returned

    @pipeline
    def flow():
        return split()[0]

    with pytest.raises(StepFailed, match=r"must return 2 values \(low, high\)"):
        home.pipelines.run(flow)


def test_steps_take_lists_and_dicts_of_results(home):
    @step
    def number(value):
        return value

    @step
    def best(candidates, named):
        return max(candidates) + named["a"]["b"]

    @pipeline
    def flow():
        return best([number(n) for n in (3, 7, 5)], named={"a": {"b": number(10)}})

    run = home.pipelines.run(flow)

    assert home.pipelines.value(run) == 17
    assert run.steps[-1].after == ("number", "number_2", "number_3", "number_4")


def test_a_step_cannot_change_what_another_one_sees(home):
    @step
    def made():
        return {"list": [1]}

    @step
    def spoil(value):
        value["list"].append(2)
        return 0

    @step
    def seen(value, after):
        return value["list"]

    @pipeline
    def flow():
        first = made()
        return seen(first, spoil(first))

    assert home.pipelines.value(home.pipelines.run(flow)) == [1]


def test_a_pipeline_in_a_pipeline_becomes_part_of_it(home):
    home.commit_numbers(1, 2, 3)

    @pipeline
    def outer():
        return total(scaled(dataset("numbers"), factor=10)), sums(factor=2)

    assert home.pipelines.value(home.pipelines.run(outer)) == ({"sum": 60}, {"sum": 12})


def test_a_failing_step_is_named_with_its_traceback(home):
    home.commit_numbers(1)

    with pytest.raises(StepFailed, match=r"'stumbling'.*stumbled over 1") as caught:
        home.pipelines.run(falls)

    run = caught.value.pipeline_run
    assert (run.state, states(run)) == (
        "failed",
        {"stumbling_after": "done", "stumbling": "failed"},
    )
    assert run.error == "Step 'stumbling' failed: ArithmeticError: stumbled over 1"
    assert "in stumbling\n" in run.steps[1].error
    assert "treadle/pipelines" not in run.steps[1].error
    assert isinstance(caught.value.__cause__, ArithmeticError)
    assert home.tracking.run(run.run_id).status == "failed"


def test_steps_after_a_failure_are_skipped(home):
    @step
    def after(value):
        return value

    @pipeline
    def flow():
        return after(stumbling(1))

    with pytest.raises(StepFailed) as caught:
        home.pipelines.run(flow)

    assert states(caught.value.pipeline_run) == {"stumbling": "failed", "after": "skipped"}


def test_what_a_step_returns_must_be_storable(home):
    @step
    def lazy():
        return (number for number in range(3))

    @pipeline
    def flow():
        return lazy()

    with pytest.raises(StepFailed, match="generator, which cannot be stored"):
        home.pipelines.run(flow)


def test_being_interrupted_marks_the_run_killed(home):
    @step
    def interrupted():
        raise KeyboardInterrupt

    @pipeline
    def flow():
        return interrupted()

    with pytest.raises(KeyboardInterrupt):
        home.pipelines.run(flow)

    [run] = home.pipelines.pipeline_runs().items
    assert (run.state, states(run)) == ("killed", {"interrupted": "killed"})
    assert home.tracking.run(run.run_id).status == "killed"


def test_a_run_is_tracked_with_params_inputs_and_results(home):
    version = home.commit_numbers(1, 2)

    run = home.pipelines.run(sums, params={"factor": 3})

    tracked = home.tracking.run(run.run_id)
    assert (tracked.experiment, tracked.status) == ("sums", "finished")
    assert tracked.params == {"factor": "3"}
    assert [(i.kind, i.ref, i.digest) for i in tracked.inputs] == [
        ("dataset", "numbers@1", version.digest)
    ]
    assert tracked.tags["step.total"] == "done"
    assert tracked.tags["output.total"] == f"json:{run.steps[1].outputs[0].digest}"
    assert set(tracked.metrics) == {"seconds.scaled", "seconds.total"}


def test_steps_know_the_run_they_belong_to(home):
    @step
    def asks():
        return current_run_id()

    @pipeline
    def flow():
        return asks()

    run = home.pipelines.run(flow)

    assert home.pipelines.value(run) == run.run_id
    assert current_run_id() is None


def test_a_run_is_found_by_its_tracking_run_its_prefix_and_in_lists(home):
    home.commit_numbers(1)
    runs = [home.pipelines.run(sums) for _ in range(3)]

    assert home.pipelines.of_run(runs[1].run_id) == runs[1]
    assert home.pipelines.pipeline_run(runs[1].id[:30]) == runs[1]
    assert home.pipelines.of_run("nope") is None
    page = home.pipelines.pipeline_runs(name="sums", limit=2)
    assert (page.items, page.total, page.next_offset) == ((runs[2], runs[1]), 3, 2)


def test_runs_that_are_not_there_are_not_found(home):
    with pytest.raises(NotFound):
        home.pipelines.pipeline_run("nope")


def test_a_step_that_is_not_there_is_answered_with_the_near_miss(home):
    home.commit_numbers(1)
    run = home.pipelines.run(sums)

    with pytest.raises(NotFound, match="'total'"):
        home.pipelines.value(run, "totl")


def test_a_step_that_failed_has_no_value(home):
    home.commit_numbers(1)
    with pytest.raises(StepFailed) as caught:
        home.pipelines.run(falls)

    with pytest.raises(Conflict, match="it is failed"):
        home.pipelines.value(caught.value.pipeline_run, "stumbling")


def test_a_pipeline_that_returned_nothing_says_what_to_ask_for(home):
    @pipeline
    def silent():
        total(scaled(dataset("numbers")))

    home.commit_numbers(1)
    run = home.pipelines.run(silent)

    with pytest.raises(InvalidInput, match="Ask for a step: scaled, total"):
        home.pipelines.value(run)


def test_what_happens_is_in_the_log(home):
    home.commit_numbers(1)
    run = home.pipelines.run(sums)

    with home.store.read() as tx:
        found = [e for e in events.read(tx.connection) if e.subject == "pipeline/sums"]

    assert [e.kind for e in found] == [
        "pipeline.started",
        "step.finished",
        "step.finished",
        "pipeline.finished",
    ]
    assert found[0].facts()["datasets"] == ["numbers@1"]
    assert found[1].facts()["key"] == run.steps[0].key


def test_each_step_that_is_over_is_reported(home):
    home.commit_numbers(1)
    home.pipelines.run(sums)
    seen = []

    home.pipelines.run(sums, params={"factor": 2}, on_step=seen.append)

    assert [(s.step, s.state, s.cached) for s in seen] == [
        ("scaled", "done", True),
        ("total", "done", True),
    ]


def test_every_kind_of_value_passes_from_step_to_step(home):
    @step(outputs=("table", "array", "plain", "other"))
    def make():
        return (
            pa.table({"a": [1, None], "b": pa.array(["x", "y"]).dictionary_encode()}),
            np.array([1.5, np.nan]),
            {"text": "Zürich", "numbers": [1, 2.5, True, None]},
            {("a", 1), ("b", 2)},
        )

    @step
    def look(table, array, plain, other):
        return [table.num_rows, array.shape[0], plain["text"], len(other)]

    @pipeline
    def flow():
        return look(*make())

    run = home.pipelines.run(flow)

    assert home.pipelines.value(run) == [2, 2, "Zürich", 2]
    assert [o.kind for o in run.steps[0].outputs] == ["arrow", "npy", "json", "pickle"]
