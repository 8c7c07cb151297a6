from __future__ import annotations

import asyncio

import numpy as np
import pyarrow as pa
import pytest


def only_run(home):
    (run,) = home.runs()
    return run


def test_a_tracked_function_is_a_run_with_its_arguments_and_its_numbers(home):
    @home.tracked
    def train(rows, depth=6, *, rate=0.1):
        return {"loss": np.float64(0.5), "best": True, "note": "text", "curve": [1, 2]}

    answer = train(pa.table({"a": [1]}), rate=0.2)

    run = only_run(home)
    assert (run.name, run.experiment, run.status) == ("train", "Default", "finished")
    assert run.params == {"rows": "<Table>", "depth": "6", "rate": "0.2"}
    assert run.metrics == {"loss": 0.5, "best": 1.0}
    assert answer["note"] == "text"
    assert train.__name__ == "train"


def test_a_tracked_function_can_name_its_run_and_log_in_it(home):
    @home.tracked(name="nightly", experiment="late")
    def train():
        home.current_run.log(loss=0.5)

    train()

    run = only_run(home)
    assert (run.name, run.experiment, run.metrics) == ("nightly", "late", {"loss": 0.5})
    assert home.current_run is None


def test_a_tracked_function_called_in_a_run_is_its_child(home):
    @home.tracked
    def fold(number):
        return {"loss": number}

    with home.run("folds", experiment="late") as run:
        fold(1)

    child = next(found for found in home.runs() if found.id != run.id)
    assert (child.parent_id, child.experiment) == (run.id, "late")


def test_a_tracked_function_that_fails_marks_its_run_failed(home):
    @home.tracked
    def train():
        raise ValueError("no rows")

    with pytest.raises(ValueError, match="no rows"):
        train()

    assert (only_run(home).status, only_run(home).error) == ("failed", "ValueError: no rows")


def test_a_tracked_coroutine_is_a_run_until_it_is_done(home):
    @home.tracked
    async def train(depth):
        await asyncio.sleep(0)
        assert home.current_run is not None
        return {"depth": depth}

    asyncio.run(train(3))

    assert only_run(home).metrics == {"depth": 3.0}


def test_an_argument_longer_than_a_param_may_be_is_cut(home):
    @home.tracked
    def train(text):
        pass

    train("x" * 7000)

    assert len(only_run(home).params["text"]) == 6000
