"""Autologging of one framework after the other, by unchanged training code, and what came of it.

XGBoost, LightGBM and Keras stand beside Treadle already: MLflow's client is put in front of them.
Statsmodels is in the peer's own environment.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer

from tests.mlflow.conftest import peer_environment
from tests.mlflow.environments import peer, peer_with
from treadle.app import App
from treadle.errors import Refused
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

SCRIPT = Path(__file__).parent / "peer" / "autologging.py"
ROUNDS = [0, 1, 2, 3]
BOOSTED = ("xgboost", "lightgbm")
PARAMS = {
    "xgboost": {"max_depth": "3", "num_boost_round": "4", "objective": "binary:logistic"},
    "lightgbm": {"num_leaves": "7", "num_boost_round": "4", "objective": "binary"},
    "keras": {"epochs": "4", "optimizer_name": "adam"},
    "statsmodels": {"method": "pinv", "cov_type": "nonrobust"},
}
HISTORIES = {
    "xgboost": {"train-auc", "train-logloss", "valid-auc", "valid-logloss"},
    "lightgbm": {"train-auc", "train-binary_logloss", "valid-auc", "valid-binary_logloss"},
    "keras": {"accuracy", "loss", "val_accuracy", "val_loss"},
}
ARTIFACTS = {
    "xgboost": {"feature_importance_weight.json", "feature_importance_weight.png"},
    "lightgbm": {
        f"feature_importance_{by}.{kind}" for by in ("split", "gain") for kind in ("json", "png")
    },
    "keras": {"model_summary.txt"},
    "statsmodels": {"model_summary.txt"},
}


@pytest.fixture(scope="module")
def app(tmp_path_factory):
    home = tmp_path_factory.mktemp("autologging") / "home"
    with App(Settings(home=home)) as opened:
        yield opened


@pytest.fixture(scope="module")
def trained(app, tmp_path_factory):
    """Return what the client found after training with a framework; each is trained once."""
    known = {}

    def of(framework):
        if framework not in known:
            known[framework] = _train(
                framework, server.url, folder=tmp_path_factory.mktemp(framework)
            )
        return known[framework]

    with ControlServer(app, port=0) as server:
        yield of


def _train(framework, address, *, folder):
    environment = {**os.environ, **peer_environment("newest"), "KERAS_BACKEND": "torch"}
    if framework == "statsmodels":
        python = str(peer_with("newest", framework) / "python")
    else:
        python = sys.executable
        found = sorted(peer("newest").parent.glob("lib/python*/site-packages"))
        environment["PYTHONPATH"] = os.pathsep.join(map(str, found))
    done = subprocess.run(
        [python, str(SCRIPT), address, framework],
        env=environment,
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.timeout(300)  # the first one of a framework trains
@pytest.mark.parametrize("framework", PARAMS)
def test_a_watched_training_leaves_a_finished_run_with_its_params(trained, framework):
    found = trained(framework)

    assert found["status"] == "FINISHED"
    assert PARAMS[framework].items() <= found["params"].items()


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", HISTORIES)
def test_every_round_of_every_metric_arrives(trained, framework):
    histories = trained(framework)["histories"]

    steps = {key: [step for step, _ in histories[key]] for key in HISTORIES[framework]}
    assert steps == dict.fromkeys(HISTORIES[framework], ROUNDS)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", BOOSTED)
def test_the_loss_that_arrives_falls_and_the_data_is_named(trained, framework):
    found = trained(framework)

    (loss,) = (key for key in HISTORIES[framework] if key.startswith("train") and "loss" in key)
    values = [value for _, value in found["histories"][loss]]
    assert values == sorted(values, reverse=True)
    assert found["inputs"] == [["dataset", "train"], ["train", "eval"], ["valid", "eval"]]


@pytest.mark.timeout(300)
def test_what_is_measured_once_of_a_fit_arrives(trained):
    histories = trained("statsmodels")["histories"]

    assert len(histories) >= 15
    assert 0 < histories["rsquared"][0][1] < 1


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", ARTIFACTS)
def test_importances_and_summaries_are_files_of_the_run(trained, framework):
    assert set(trained(framework)["artifacts"]) == ARTIFACTS[framework]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", PARAMS)
def test_the_model_is_ready_an_output_of_its_run_and_answers(trained, framework):
    found = trained(framework)

    assert found["model"] == ["READY", sorted(["python_function", framework])]
    assert found["outputs"] == [True]
    assert len(found["answers"]) == 5


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", BOOSTED)
def test_a_model_that_was_watched_is_loaded_by_us_with_the_same_answers(app, trained, framework):
    expected = trained(framework)["answers"]
    rows, _ = load_breast_cancer(return_X_y=True, as_frame=True)

    loaded = app.registry.load(f"{framework}@1")

    answers = loaded.predict(pa.Table.from_pandas(rows[:5]))
    np.testing.assert_allclose(answers, expected, rtol=1e-6)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("framework", ["keras", "statsmodels"])
def test_a_model_whose_file_may_run_code_is_kept_and_not_loaded(app, trained, framework):
    trained(framework)

    with pytest.raises(Refused, match="could run code"):
        app.registry.load(f"{framework}@1")
