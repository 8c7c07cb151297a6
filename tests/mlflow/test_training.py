"""Training code made for MLflow works, unchanged: autologging, nested runs, files of every kind."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parent / "peer" / "training.py"


@pytest.fixture(scope="module", params=["newest", "3.6"])
def trained(request, our_server, run_peer):
    name = f"training-{request.param.replace('.', '-')}"
    printed = run_peer(request.param, SCRIPT, f"{our_server}/t/{name}")
    return json.loads(printed.splitlines()[-1])


def test_autologging_of_a_grid_search_leaves_a_parent_its_children_and_a_model(trained):
    found = trained["searched"]

    assert found["status"] == "FINISHED"
    assert found["score"][1]
    assert float(found["best"]) in {0.1, 1.0, 10.0}
    assert found["training_score"]
    assert found["children"] == [0.1, 1.0, 10.0]
    assert found["children_status"] == ["FINISHED"]
    assert "cv_results.csv" in found["artifacts"]
    assert set(found["model_status"]) == {"READY"}


def test_a_model_that_autologging_saved_is_loaded_and_answers_as_before(trained):
    assert trained["searched"]["answers"]


def test_what_the_fluent_api_logs_is_read_back(trained):
    found = trained["fluent"]

    assert found["status"] == "FINISHED"
    assert found["params"] == {"depth": "3", "kind": "tree"}
    assert found["metrics"] == {"loss": 1 / 3, "acc": 0.2}
    assert found["history"] == [0.0, 0.1, 0.2]
    assert found["tags"] == {"team": "red", "late": "yes", "mlflow.note.content": "how it went"}
    assert found["source"]
    assert found["input"] == [["letters", "training"]]


def test_files_of_every_kind_come_back_as_they_were(trained):
    found = trained["fluent"]

    assert found["plots"] == ["plots/black.png", "plots/curve.png"]
    assert found["is_png"] == [True]
    assert found["dict"] == {"a": [1, 2]}
    assert found["text"] == "hello"
    assert found["table"] == {"a": [1, 2, 1, 2], "b": ["x", "y", "x", "y"]}


def test_runs_are_found_as_a_table_with_parents_children_and_failures(trained):
    found = trained["fluent"]

    assert found["names"] == ["parent", "child", "fails"]
    assert found["statuses"] == ["FINISHED", "FINISHED", "FAILED"]
    assert found["loss"] == [1 / 3, 0.1, -1.0]
    assert found["parents"] == 1
