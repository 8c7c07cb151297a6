from __future__ import annotations

import textwrap

import numpy as np
import pyarrow as pa
import pyarrow.csv as pacsv
import pytest

import treadle
from treadle.client.project import Project, find_project
from treadle.errors import ContractBroken, InvalidInput
from treadle.release.entities import Decision

POLICY = """
endpoint = "late"
model = "late"
[data]
flights = "data/flights.csv"
[contract]
dataset = "flights"
roles = { flight = "id", late = "target" }
[gates]
beats_baseline = "log_loss"
[retrain]
pipeline = "pipeline.py:train"
"""

PIPELINE = """
import numpy as np
from treadle import Trained, dataset, pipeline, probe, step


def model_of(weight):
    def answer(table):
        return 1 / (1 + np.exp(-weight * table["heat"].to_numpy()))
    return answer


@step
def fit(rows, weight: float):
    label = rows["late"].to_numpy().astype(float)
    value = model_of(weight)(rows)
    loss = -np.mean(np.where(label == 1, np.log(value), np.log1p(-value)))
    return Trained(
        model=model_of(weight),
        example=rows.select(["heat"]).slice(0, 5),
        metrics={"log_loss": float(loss)},
        baseline={"log_loss": float(np.log(2))},
        probes=probe({"heat": rows["heat"]}, target=label),
    )


@pipeline
def train(weight: float = 1.0):
    return fit(dataset("flights"), weight)


def no_pipeline():
    return 1


@pipeline
def returns_a_number():
    return one()


@step
def one():
    return 1
"""


@pytest.fixture
def folder(tmp_path):
    made = tmp_path / "project"
    (made / "data").mkdir(parents=True)
    (made / "policy.toml").write_text(POLICY)
    (made / "pipeline.py").write_text(textwrap.dedent(PIPELINE))
    rng = np.random.default_rng(5)
    heat = rng.normal(size=800)
    late = (rng.random(800) < 1 / (1 + np.exp(-heat))).astype(int)
    rows = pa.table({"flight": np.arange(800), "heat": heat, "late": late})
    pacsv.write_csv(rows, made / "data" / "flights.csv")
    return made


@pytest.fixture
def client(folder):
    with treadle.connect(folder / ".treadle") as made:
        yield made


@pytest.fixture
def project(folder, client):
    return Project(folder, client=client)


def with_pipeline(folder, name):
    text = POLICY.replace("pipeline.py:train", name)
    (folder / "policy.toml").write_text(text)


def test_one_run_goes_from_raw_files_to_a_live_version(project, client):
    outcome = project.run()

    assert [v.ref for v in outcome.data] == ["flights@1"]
    assert outcome.contract.verdict != "fail"
    assert outcome.pipeline.state == "done"
    assert outcome.made.version == "late@1"
    assert outcome.release.state == "live"
    assert client.releases.champion("late") == "late@1"
    run = client.tracking.run(outcome.made.run_id)
    assert run.parent_id == outcome.pipeline.run_id
    assert [i.ref for i in run.inputs] == ["flights@1"]


def test_a_second_run_executes_no_step_and_registers_nothing(project):
    first = project.run()

    again = project.run()

    assert all(step.cached for step in again.pipeline.steps)
    assert again.data[0].number == 1
    assert (first.is_new, again.is_new) == (True, False)
    assert (again.made, again.release) == (first.made, None)


def test_another_candidate_walks_in_shadow_and_the_next_one_waits_for_it(project):
    project.run()

    second, third = project.run({"weight": 0.9}), project.run({"weight": 0.8})

    assert (second.made.version, second.release.state) == ("late@2", "shadow")
    assert (third.made.version, third.release.candidate) == ("late@3", "late@2")


def test_data_that_broke_its_contract_gives_way_to_what_was_there_before(project, folder):
    project.run()
    good = (folder / "data" / "flights.csv").read_text()
    rows = pa.table({"flight": np.arange(800), "heat": np.full(800, 1e6), "late": [0, 1] * 400})
    pacsv.write_csv(rows, folder / "data" / "flights.csv")
    with pytest.raises(ContractBroken):
        project.run()
    (folder / "data" / "flights.csv").write_text(good)

    assert project.run().made.version == "late@1"


def test_a_candidate_that_its_gates_block_is_no_version_and_no_release(project):
    outcome = project.run({"weight": -2.0})

    assert outcome.made.version is None
    assert outcome.release is None
    assert "not better" in outcome.made.report.reason


def test_data_that_breaks_its_contract_stops_before_anything_is_trained(project, client, folder):
    project.run()
    rows = pa.table({"flight": np.arange(800), "heat": np.full(800, 1e6), "late": [0, 1] * 400})
    pacsv.write_csv(rows, folder / "data" / "flights.csv")

    with pytest.raises(ContractBroken, match="flights@2 breaks its contract"):
        project.run()

    assert len(client.pipelines.pipeline_runs().items) == 1


def test_the_project_trains_the_challenger_that_the_policy_wants(project):
    project.run()

    made = project.retrain(project.policy, Decision(yes=True, reason="alert: off"))

    assert made.version == "late@2"


WRONG = {
    "no pipeline named": ("", "names no pipeline"),
    "a function that is none": ("pipeline.py:no_pipeline", "is no pipeline but function"),
    "one that returns something else": ("pipeline.py:returns_a_number", "returned int"),
}


@pytest.mark.parametrize(("name", "says"), WRONG.values(), ids=WRONG)
def test_a_pipeline_that_cannot_be_used_is_explained(folder, client, name, says):
    with_pipeline(folder, name)

    with pytest.raises(InvalidInput, match=says):
        Project(folder, client=client).run()


def test_a_project_is_found_from_below(folder):
    below = folder / "data" / "raw"
    below.mkdir()

    assert find_project(below) == folder.resolve()


def test_where_there_is_no_project_one_is_offered(tmp_path):
    with pytest.raises(InvalidInput, match="treadle init"):
        find_project(tmp_path)
