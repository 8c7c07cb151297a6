"""What a worker does when a policy wants a challenger."""

from __future__ import annotations

import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

import treadle
from treadle.client.challenger import TARGET, train, work_for
from treadle.client.project import Project
from treadle.errors import Conflict
from treadle.execution.context import WorkContext, working
from treadle.execution.targets import resolve

POLICY = """
endpoint = "late"
model = "late"
[data]
flights = "flights.csv"
[gates]
leak = false
[retrain]
pipeline = "pipeline.py:train"
every_days = 0
cooldown_days = 0
minimum_labels = 0
"""

PIPELINE = """
import numpy as np
from treadle import Trained, dataset, pipeline, step


@step
def fit(rows):
    return Trained(
        model=lambda table: np.full(table.num_rows, 0.3),
        example=rows.select(["heat"]).slice(0, 5),
        metrics={"log_loss": 0.6},
    )


@pipeline
def train():
    return fit(dataset("flights"))
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "policy.toml").write_text(POLICY)
    (folder / "pipeline.py").write_text(textwrap.dedent(PIPELINE))
    rows = pa.table({"heat": np.linspace(0, 1, 50), "late": np.arange(50) % 2})
    pacsv.write_csv(rows, folder / "flights.csv")
    with treadle.connect(folder / ".treadle") as client:
        Project(folder, client=client).run()
    return folder


def test_a_challenger_is_trained_and_starts_its_walk(project):
    home = project / ".treadle"

    with working(WorkContext(home=home, job_id="1", worker="w")):
        told = train(project=str(project), endpoint="late")

    with treadle.connect(home) as client:
        release = client.releases.current("late")
    assert told["version"] == release.candidate == "late@2"
    assert told["release"] == release.id
    assert told["decision"].startswith("schedule")


def test_outside_of_a_worker_it_says_how_to_train_by_hand(project):
    with pytest.raises(Conflict, match="treadle run"):
        train(project=str(project), endpoint="late")


def test_its_work_names_a_function_a_worker_finds(tmp_path):
    work = work_for(tmp_path, endpoint="late")

    assert work.target == TARGET
    assert resolve(work.target) is train
    assert work.arguments == {"project": str(tmp_path), "endpoint": "late"}
