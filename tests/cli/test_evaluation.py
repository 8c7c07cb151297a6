"""`treadle evaluation`: list, show, freeze; and `treadle trace` from there."""

from __future__ import annotations

import json

import pytest

import treadle

RECORDS = [
    {
        "inputs": {"q": "why?"},
        "expectations": {"a": "so"},
        "source": {"source_type": "TRACE", "source_data": {"trace_id": "tr-1"}},
    },
    {"inputs": {"q": "how?"}, "outputs": ["thus"]},
]


@pytest.fixture
def made(tmp_path):
    with treadle.connect(tmp_path / ".treadle") as client:
        found = client.evaluation.create("qa", experiment_ids=["0"], tags={"team": "ops"})
        client.evaluation.merge("qa", RECORDS)
        client.evaluation.create("empty")
    return found


def test_they_are_listed_and_narrowed(cli, made):
    lines = cli("evaluation").out.splitlines()
    narrowed = cli("evaluation", "--where", "tags.team = 'ops'", "--json").json

    assert [line.split()[:2] for line in lines[1:]] == [["empty", "0"], ["qa", "2"]]
    assert [item["id"] for item in narrowed["items"]] == [made.id]


def test_one_is_shown_with_its_records(cli, made):
    shown = cli("evaluation", "show", "qa").out

    assert made.id in shown
    assert '{"q": "why?"}' in shown
    assert "trace tr-1" in shown


def test_records_come_page_by_page_as_json(cli, made):
    first = cli("evaluation", "show", made.id, "--limit", "1", "--json").json
    rest = cli("evaluation", "show", made.id, "--after", first["after"], "--json").json

    assert first["dataset"]["name"] == "qa"
    assert [r["inputs"]["q"] for r in (*first["records"], *rest["records"])] == ["why?", "how?"]
    assert rest["after"] is None


def test_a_frozen_state_is_a_version_that_can_be_traced(cli, made):
    said = cli("evaluation", "freeze", "qa", "-m", "for the release").out
    traced = cli("trace", "qa@1").out

    assert said.startswith("qa@1  2 records of qa at ")
    assert json.loads(cli("evaluation", "freeze", "qa", "--json").out)["version"] == "qa@1"
    assert f"evaluation dataset {made.id}" in traced
    assert "trace tr-1  1 record" in traced
    assert "trace tr-1  1 record" in cli("trace", made.id).out


def test_an_unknown_one_gets_the_near_miss(cli, made):
    del made

    failed = cli("evaluation", "show", "qaa")

    assert (failed.code, "Did you mean 'qa'?" in failed.err) == (1, True)


def test_what_is_neither_model_nor_dataset_version_is_said_of_models(cli, made):
    del made

    failed = cli("trace", "nobody@1")

    assert (failed.code, "No model 'nobody'" in failed.err) == (1, True)
