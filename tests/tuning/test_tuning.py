from __future__ import annotations

import math
import subprocess
import sys

import pytest

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events
from treadle.tuning import current_run_id, integer, uniform

SPACE = {"x": uniform(-1.0, 1.0), "depth": integer(1, 5)}


def bowl(params) -> float:
    return params["x"] ** 2


def numbers(trials) -> list[int]:
    return [trial.number for trial in trials]


def test_the_best_trial_has_the_lowest_value(either_home):
    result = either_home.tuning.optimize("bowl", bowl, space=SPACE, trials=8, seed=1)

    assert numbers(result.trials) == list(range(8))
    assert result.best.value == min(trial.value for trial in result.trials)
    assert result.best.params["x"] ** 2 == result.best.value


def test_maximizing_takes_the_highest(home):
    result = home.tuning.optimize("bowl", bowl, space=SPACE, trials=8, direction="maximize")

    assert result.best.value == max(trial.value for trial in result.trials)


def test_of_equal_trials_the_first_is_best(home):
    result = home.tuning.optimize("flat", lambda _: 1.0, space=SPACE, trials=3)

    assert result.best.number == 0


def test_every_trial_is_a_run_under_the_searchs_run(home):
    result = home.tuning.optimize(
        "bowl", bowl, space=SPACE, trials=3, metric="loss", experiment="flights"
    )

    children = home.tracking.search_runs(parent_id=result.study.run_id, order_by="started_at")
    assert [run.id for run in children.items] == [trial.run_id for trial in result.trials]
    first = children.items[0]
    assert (first.experiment, first.status) == ("flights", "finished")
    assert first.params == {k: str(v) for k, v in result.trials[0].params.items()}
    assert first.metrics == {"loss": result.trials[0].value}
    whole = home.tracking.run(result.study.run_id)
    assert whole.metrics == {"loss": result.best.value}
    assert whole.tags["treadle.best_run"] == result.best.run_id


def test_an_objective_may_return_metrics(home):
    result = home.tuning.optimize(
        "bowl",
        lambda params: {"loss": params["x"] ** 2, "size": 3},
        space=SPACE,
        trials=2,
        metric="loss",
    )

    assert result.trials[0].metrics == {"loss": result.trials[0].value, "size": 3.0}


def test_an_objective_knows_its_run(home):
    seen = []

    result = home.tuning.optimize(
        "bowl", lambda _: seen.append(current_run_id()) or 1.0, space=SPACE, trials=2
    )

    assert seen == [trial.run_id for trial in result.trials]
    assert current_run_id() is None


def test_a_finished_search_tries_nothing_again(home):
    first = home.tuning.optimize("bowl", bowl, space=SPACE, trials=3)

    again = home.tuning.optimize("bowl", pytest.fail, space=SPACE, trials=3)

    assert again == first


def test_more_trials_continue_a_search(home):
    first = home.tuning.optimize("bowl", bowl, space=SPACE, trials=3, seed=5)

    more = home.tuning.optimize("bowl", bowl, space=SPACE, trials=5, seed=5)
    other = home.tuning.optimize("bowl at once", bowl, space=SPACE, trials=5, seed=5)

    assert more.trials[:3] == first.trials
    assert [t.params for t in more.trials] == [t.params for t in other.trials]


def test_an_error_ends_the_search_and_only_its_trial_is_tried_again(home):
    def stumbling(params):
        if len(tried) == 2:
            raise ArithmeticError("stumbled")
        tried.append(params)
        return 1.0

    tried: list[dict] = []
    with pytest.raises(ArithmeticError):
        home.tuning.optimize("bowl", stumbling, space=SPACE, trials=4)
    stopped = home.tuning.study("bowl")
    kept = stopped.trials[:2]

    tried = []
    result = home.tuning.optimize("bowl", lambda _: 2.0, space=SPACE, trials=4)

    assert [t.state for t in stopped.trials] == ["finished", "finished", "failed"]
    assert stopped.trials[2].error == "ArithmeticError: stumbled"
    assert home.tracking.run(stopped.trials[2].run_id).status == "failed"
    assert home.tracking.run(stopped.study.run_id).status == "failed"
    assert result.trials[:2] == kept
    assert [t.state for t in result.trials] == ["finished"] * 4


def test_an_interrupted_search_is_killed_and_goes_on(home):
    def interrupted(_params):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        home.tuning.optimize("bowl", interrupted, space=SPACE, trials=1)
    [trial] = home.tuning.study("bowl").trials

    assert trial.state == "killed"
    assert home.tuning.optimize("bowl", bowl, space=SPACE, trials=1).best.number == 0


KILLED = """
import os, signal, sys
from pathlib import Path
from tests.tuning.conftest import Home
from treadle.tuning import integer, uniform
home = Home(sys.argv[1], Path(sys.argv[2]))
left = [2]
def objective(params):
    if not left[0]:
        os.kill(os.getpid(), signal.SIGKILL)
    left[0] -= 1
    return params["x"] ** 2
space = {"x": uniform(-1.0, 1.0), "depth": integer(1, 5)}
home.tuning.optimize("bowl", objective, space=space, trials=4, seed=3)
"""


def test_after_kill_9_the_same_search_goes_on(home, tmp_path):
    url = f"sqlite:///{tmp_path / 'treadle.db'}"
    done = subprocess.run([sys.executable, "-c", KILLED, url, str(tmp_path)], check=False)
    stopped = home.tuning.study("bowl")

    tried = []
    result = home.tuning.optimize(
        "bowl", lambda params: tried.append(params) or bowl(params), space=SPACE, trials=4, seed=3
    )

    assert done.returncode == -9
    assert [t.state for t in stopped.trials] == ["finished", "finished", "running"]
    assert result.trials[:2] == stopped.trials[:2]
    assert tried == [t.params for t in result.trials[2:]]
    assert home.tracking.run(stopped.trials[2].run_id).status == "killed"
    assert home.tracking.run(stopped.study.run_id).status == "killed"


@pytest.mark.parametrize(
    "change",
    [
        {"seed": 2},
        {"direction": "maximize"},
        {"metric": "loss"},
        {"space": {"x": uniform(-2.0, 2.0)}},
    ],
)
def test_a_study_keeps_what_makes_its_trials_comparable(home, change):
    home.tuning.optimize("bowl", bowl, space=SPACE, trials=1, seed=1)

    with pytest.raises(Conflict, match=f"has {next(iter(change))}"):
        home.tuning.optimize("bowl", bowl, **{"space": SPACE, "trials": 2, "seed": 1, **change})


def test_a_study_is_searched_by_one_at_a_time(home):
    def another(_params):
        with pytest.raises(Conflict, match="is being searched by"):
            home.tuning.optimize("bowl", bowl, space=SPACE, trials=1)
        return 1.0

    assert home.tuning.optimize("bowl", another, space=SPACE, trials=1).best.value == 1.0


@pytest.mark.parametrize("value", [math.nan, math.inf, "high", None, {}, {"other": 1.0}])
def test_a_value_that_cannot_be_compared_is_refused(home, value):
    with pytest.raises(InvalidInput, match="The objective returned"):
        home.tuning.optimize("bowl", lambda _: value, space=SPACE, trials=1)


@pytest.mark.parametrize("change", [{"trials": 0}, {"space": {}}, {"direction": "up"}])
def test_a_search_for_nothing_is_refused(home, change):
    with pytest.raises(InvalidInput):
        home.tuning.optimize("bowl", bowl, **{"space": SPACE, "trials": 1, **change})


def test_each_finished_trial_is_reported_and_a_fact(home):
    seen = []

    result = home.tuning.optimize("bowl", bowl, space=SPACE, trials=2, on_trial=seen.append)

    with home.store.read() as tx:
        found = [e for e in events.read(tx.connection) if e.subject == "study/bowl"]
    assert tuple(seen) == result.trials
    assert [e.kind for e in found] == ["study.created", "trial.finished", "trial.finished"]
    assert found[2].facts()["params"] == result.trials[1].params


def test_a_misspelt_study_is_answered_with_the_near_miss(home):
    home.tuning.optimize("bowl", bowl, space=SPACE, trials=1)

    with pytest.raises(NotFound, match="Did you mean 'bowl'"):
        home.tuning.study("bowls")


def test_studies_are_listed_newest_first(home):
    for name in ("first", "second"):
        home.tuning.optimize(name, bowl, space=SPACE, trials=1)

    assert [study.name for study in home.tuning.studies()] == ["second", "first"]
