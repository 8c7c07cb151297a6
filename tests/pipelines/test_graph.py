"""What is checked before anything runs."""

from __future__ import annotations

import math

import numpy as np
import pytest

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.pipelines import dataset, pipeline, step
from treadle.pipelines.entities import Constant, FromDataset, FromStep, Several
from treadle.pipelines.graph import wire


@step
def number(value=0):
    return value


@step(outputs=("low", "high"))
def split(value, at=1):
    return value, at


def test_calls_become_nodes_in_their_order():
    @pipeline
    def flow(start=1):
        low, _ = split(number(start), at=number())
        return [low, dataset("flights@3")]

    graph = wire(flow, {})

    assert [node.name for node in graph.nodes] == ["number", "number_2", "split"]
    assert graph.nodes[2].arguments == {"value": FromStep("number"), "at": FromStep("number_2")}
    assert graph.result == Several((FromStep("split", "low"), FromDataset("flights@3")))


def test_a_name_that_looks_like_a_second_call_is_kept_apart():
    @step
    def number_2():
        return 0

    @pipeline
    def flow():
        number_2()
        number(1)
        return number(2)

    assert [n.name for n in wire(flow, {}).nodes] == ["number_2", "number", "number_3"]


def test_positions_and_names_mean_the_same_argument():
    @pipeline
    def flow():
        split(1, 2)
        split(at=2, value=1)

    first, second = wire(flow, {}).nodes

    assert first.arguments == second.arguments == {"value": Constant(1), "at": Constant(2)}


def test_defaults_are_params():
    @pipeline
    def flow(start=1, stop=2):
        return number(start + stop)

    assert wire(flow, {"stop": 5}).params == {"start": 1, "stop": 5}


def test_an_unknown_param_is_answered_with_the_near_miss():
    @pipeline
    def flow(start=1):
        return number(start)

    with pytest.raises(InvalidInput, match=r"no param 'strat'\. Did you mean 'start'"):
        wire(flow, {"strat": 2})


def test_a_missing_param_is_named():
    @pipeline
    def flow(start):
        return number(start)

    with pytest.raises(InvalidInput, match="needs start"):
        wire(flow, {})


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (math.nan, "nan is no JSON number"),
        (math.inf, "inf is no JSON number"),
        (2**64, "more than 64 bits"),
        ({1: 2}, "a key that is no text"),
        ([{"a": {1, 2}}], "builtins.set"),
        (np.array([1]), "numpy.ndarray"),
        (b"bytes", "builtins.bytes"),
    ],
)
def test_params_and_constants_that_are_not_json_are_refused(value, reason):
    @pipeline
    def flow(start=1):
        return number(value if start else 0)

    with pytest.raises(InvalidInput, match=f"Param 'start'.*{reason}"):
        wire(flow, {"start": value})
    with pytest.raises(InvalidInput, match=f"Argument 'value' of step 'number'.*{reason}"):
        wire(flow, {})


def test_numbers_of_numpy_become_plain_numbers():
    @pipeline
    def flow():
        return number(np.float64(0.5))

    [node] = wire(flow, {}).nodes

    assert type(node.arguments["value"].value) is float


def test_an_unknown_argument_of_a_step_is_refused():
    @pipeline
    def flow():
        return number(valu=1)

    with pytest.raises(InvalidInput, match=r"'number' cannot be called.*number\(value=0\)"):
        wire(flow, {})


def test_a_pipeline_without_steps_is_refused():
    @pipeline
    def flow():
        return 1

    with pytest.raises(InvalidInput, match="calls no step"):
        wire(flow, {})


def test_what_is_no_pipeline_is_refused():
    with pytest.raises(InvalidInput, match="Decorate the function with @pipeline"):
        wire(lambda: None, {})


def test_deciding_by_a_value_not_known_yet_is_refused():
    @pipeline
    def flow():
        return number(1) if number(2) else number(3)

    with pytest.raises(InvalidInput, match="value of 'number' is not known"):
        wire(flow, {})


def test_unpacking_a_single_result_is_refused():
    @pipeline
    def flow():
        low, _high = number(1)
        return low

    with pytest.raises(InvalidInput, match="names them"):
        wire(flow, {})


def test_a_failed_wiring_leaves_steps_callable():
    @pipeline
    def flow():
        raise RuntimeError

    with pytest.raises(RuntimeError):
        wire(flow, {})

    assert number(3) == 3


def test_a_pipeline_is_not_called():
    @pipeline
    def flow():
        return number(1)

    with pytest.raises(InvalidInput, match=r"client\.pipelines\.run"):
        flow()


@pytest.mark.parametrize("outputs", [("one",), ("a", "a"), ("a", "not a name")])
def test_results_have_names_of_their_own(outputs):
    with pytest.raises(InvalidInput, match="cannot"):
        step(outputs=outputs)(lambda: None)


def test_steps_take_named_arguments():
    with pytest.raises(InvalidInput, match=r"'parts'.*has no name"):

        @step
        def join(*parts):
            return parts


def test_more_named_arguments_are_passed_by_their_names():
    @step
    def join(**parts):
        return parts

    @pipeline
    def flow():
        return join(a=1, b=2)

    [node] = wire(flow, {}).nodes

    assert node.arguments == {"a": Constant(1), "b": Constant(2)}


@pytest.mark.parametrize("ref", ["", "@3"])
def test_a_dataset_has_a_name(ref):
    with pytest.raises(InvalidInput, match="names no dataset"):
        dataset(ref)


def test_a_misspelt_dataset_is_answered_before_anything_runs(home):
    home.commit_numbers(1, name="flights")

    @pipeline
    def flow():
        number(1)
        return number(dataset("fligths"))

    with pytest.raises(NotFound, match="Did you mean 'flights'"):
        home.pipelines.run(flow)
    assert home.pipelines.pipeline_runs().total == 0
