"""Frozen states: dataset versions that lineage follows back to records."""

from __future__ import annotations

import json

import pytest

from treadle import connect
from treadle.kernel.errors import InvalidInput
from treadle.tracking.entities import LoggedDataset

TRACED = {
    "inputs": {"q": "why?"},
    "expectations": {"answer": "so"},
    "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}},
}


@pytest.fixture
def client(tmp_path):
    with connect(tmp_path / "home") as opened:
        yield opened


def names(node):
    return [(each.kind, each.name) for each in node.made_from]


def test_a_state_becomes_a_version_that_later_merges_do_not_touch(evaluation, data):
    evaluation.create("qa")
    evaluation.merge("qa", [TRACED, {"inputs": {"q": "how?"}}])

    frozen = evaluation.freeze("qa")
    evaluation.merge("qa", [{"inputs": {"q": "when?"}}])

    rows = data.table(frozen.version).to_pylist()
    assert (frozen.version, frozen.records) == ("qa@1", 2)
    assert [json.loads(row["inputs"])["q"] for row in rows] == ["why?", "how?"]
    assert [row["source_id"] for row in rows] == ["tr-1", None]


def test_an_unchanged_state_is_frozen_once(evaluation, clock):
    evaluation.create("qa")
    evaluation.merge("qa", [TRACED])

    first = evaluation.freeze("qa")
    clock.advance(1000)
    again = evaluation.freeze("qa")

    assert again.version == first.version
    assert evaluation.freezes("qa") == (first,)


def test_each_changed_state_is_a_version_of_its_own(evaluation, clock):
    evaluation.create("qa")
    for each in range(2):
        evaluation.merge("qa", [{"inputs": {"q": each}}])
        clock.advance(1000)
        evaluation.freeze("qa", dataset="frozen-qa")

    assert [freeze.version for freeze in evaluation.freezes("qa")] == ["frozen-qa@2", "frozen-qa@1"]
    assert evaluation.frozen_as("frozen-qa@2")[0].digest == evaluation.dataset("qa").digest


def test_a_name_that_no_dataset_can_have_needs_another(evaluation):
    evaluation.create("what customers ask?")
    evaluation.merge("what customers ask?", [TRACED])

    with pytest.raises(InvalidInput):
        evaluation.freeze("what customers ask?")

    assert evaluation.freeze("what customers ask?", dataset="asked").version == "asked@1"


def test_nothing_cannot_be_frozen(evaluation):
    evaluation.create("qa")

    with pytest.raises(InvalidInput, match="no records"):
        evaluation.freeze("qa")


def test_lineage_follows_a_version_to_the_traces_of_its_records(client):
    made = client.evaluation.create("qa")
    client.evaluation.merge("qa", [TRACED, {"inputs": {"q": "how?"}}])
    client.evaluation.freeze("qa")
    client.evaluation.delete("qa")

    node = client.governance.trace_dataset("qa@1")

    assert names(node)[-1] == ("evaluation dataset", made.id)
    assert sorted(names(node.made_from[-1])) == [("source", "unknown"), ("trace", "tr-1")]


def test_lineage_says_where_the_records_of_a_dataset_come_from(client):
    made = client.evaluation.create("qa")
    records = [
        {
            "inputs": {"q": each},
            "source": {"source_type": "DOCUMENT", "source_data": {"source_id": f"{each}.pdf"}},
        }
        for each in range(30)
    ]
    client.evaluation.merge("qa", records)

    node = client.governance.trace_evaluation(made.id)

    assert len(node.made_from) == 21
    assert {each.kind for each in node.made_from[:-1]} == {"document"}
    assert node.made_from[-1].name == "…"


def test_a_run_that_logged_one_leads_to_it(client, tmp_path):
    made = client.evaluation.create("qa")
    client.evaluation.merge("qa", [TRACED])
    run = client.tracking.start_run(experiment="late", name="eval")
    client.tracking.log_datasets(
        run.id,
        [
            LoggedDataset(
                name="qa",
                digest="abcd",
                source_type="mlflow_evaluation_dataset",
                source=json.dumps({"dataset_id": made.id}),
            ),
            LoggedDataset(
                name="odd", digest="x", source_type="mlflow_evaluation_dataset", source="[1]"
            ),
        ],
    )
    (tmp_path / "model.pkl").write_bytes(b"x")
    client.tracking.log_artifact(run.id, "model/MLmodel", b"flavors: {}\n")
    client.registry.create_model("late")
    client.registry.create_version("late", source=f"runs:/{run.id}/model", run_id=run.id)

    node = client.governance.trace_version("late@1").made_from[-1]

    assert sorted(names(node)) == [("evaluation dataset", made.id), ("file", "odd")]
    assert next(each for each in node.made_from if each.name == made.id).digest == "abcd"
