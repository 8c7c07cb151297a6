"""Every listing: on an empty home, on a full one, as a table and as JSON."""

from __future__ import annotations

import pytest

import treadle
from treadle.kernel.clock import DAY_US
from treadle.kernel.ids import new_id
from treadle.monitoring.entities import Alert
from treadle.monitoring.store import insert_alert

LISTINGS = {
    "data": ("No datasets yet", "flights"),
    "data versions flights": (None, "flights@1"),
    "data quarantines": ("Nothing is in quarantine.", "late-outcomes@1"),
    "runs": ("No runs yet. Make one: treadle run", "treadle run"),
    "evaluation": ("No evaluation datasets", None),
    "models": ("No models yet", "champion = 1"),
    "models versions late": (None, "late@2"),
    "endpoints": ("No endpoints yet", "late@1 live 100%, late@2 in shadow"),
    "alerts": ("No open alerts", None),
}
FIELDS = {
    "data": {"name", "versions", "latest", "contract_number", "verdict", "held"},
    "data versions flights": {
        "id", "dataset", "number", "digest", "files", "table", "columns", "rows", "size_bytes",
        "message", "actor", "code_commit", "created_at", "tree", "file_count", "stored_bytes",
        "branch", "parents", "removed_at", "removed_by",
        "source", "identity", "same_as",
    },
    "data quarantines": {
        "id", "dataset", "version_number", "reason", "rows", "state", "evidence", "at", "kind",
        "table", "checks", "clean_number", "released_number", "part_of",
    },
    "runs": {
        "id", "experiment", "name", "status", "parent_id", "actor", "started_at", "ended_at",
        "params", "metrics", "tags", "inputs", "error", "experiment_id", "user_id", "latest",
        "lifecycle_stage", "deleted_at", "datasets", "model_inputs", "model_outputs",
        "artifact_location",
    },
    "models": {
        "name", "latest", "versions", "aliases", "created_at", "updated_at", "description", "tags",
    },
    "models versions late": {
        "id", "model", "number", "run_id", "flavor", "files", "digest", "signature", "key_id",
        "signed", "description", "metadata", "created_at", "actor", "sealing", "source",
        "run_link", "logged_model_id", "status", "status_message", "stage", "updated_at", "tags",
    },
    "endpoints": {
        "name", "model", "variants", "revision", "created_at", "updated_at", "contract",
    },
}  # fmt: skip
ON_EMPTY = {words: says for words, (says, _) in LISTINGS.items() if says}
ON_FULL = {words: shows for words, (_, shows) in LISTINGS.items() if shows}


@pytest.mark.parametrize(("words", "says"), ON_EMPTY.items(), ids=ON_EMPTY)
def test_an_empty_home_says_what_to_do(cli, words, says):
    said = cli(*words.split())

    assert said.code == 0
    assert says in said.out


@pytest.mark.parametrize("words", ON_EMPTY)
def test_an_empty_list_is_an_empty_page_of_json(cli, words):
    said = cli(*words.split(), "--json")

    assert said.json == {"items": [], "total": 0, "next_offset": None}


@pytest.mark.parametrize(("words", "shows"), ON_FULL.items(), ids=ON_FULL)
def test_a_full_home_is_shown(cli, seed, words, shows):
    said = cli(*words.split(), cwd=seed)

    assert said.code == 0
    assert shows in said.out
    assert "(UTC)" in said.out.splitlines()[0]


@pytest.mark.parametrize(("words", "fields"), FIELDS.items(), ids=FIELDS)
def test_the_json_of_a_listing_has_the_same_fields_for_ever(cli, seed, words, fields):
    page = cli(*words.split(), "--json", cwd=seed).json

    assert set(page) == {"items", "total", "next_offset"}
    assert set(page["items"][0]) == fields


def test_list_may_be_written_out(cli, seed):
    assert cli("data", "list", "--json", cwd=seed) == cli("data", "--json", cwd=seed)


def test_a_page_says_how_to_go_on(cli, seed):
    first = cli("runs", "--limit", "1", cwd=seed)
    second = cli("runs", "--limit", "1", "--offset", "1", "--json", cwd=seed)

    assert "1 of 4; go on with --offset 1" in first.err
    assert second.json["next_offset"] == 2
    assert second.json["items"][0]["id"][:12] not in first.out


def test_runs_are_narrowed_sorted_and_show_the_metric_that_sorts_first(cli, seed):
    said = cli("runs", "--experiment", "late", "--sort", "metric.log_loss desc", cwd=seed)

    lines = said.out.splitlines()[1:]
    losses = [float(line.split("log_loss=")[1].split()[0]) for line in lines]
    assert len(lines) == 2
    assert losses == sorted(losses, reverse=True)
    assert all(line.index("log_loss=") < line.index("auc=") for line in lines)


def test_runs_are_filtered_by_status_and_by_conditions(cli, seed):
    assert cli("runs", "--status", "failed", cwd=seed).out == "No such runs.\n"
    assert cli("runs", "--where", "params.seed = '8'", "--json", cwd=seed).json["total"] == 2


def test_a_run_is_shown_with_all_it_logged_by_the_beginning_of_its_id(cli, seed):
    found = cli("runs", "--experiment", "late", "--json", cwd=seed).json["items"][0]

    said = cli("runs", "show", found["id"][:20], cwd=seed)

    assert f"run                         {found['id']}" in said.out or found["id"] in said.out
    assert "metric log_loss" in said.out
    assert "flights@1" in said.out
    assert "evidence/heldout.parquet" in said.out


def test_what_is_shown_is_there_as_json(cli, seed):
    run = cli("runs", "--json", cwd=seed).json["items"][0]["id"]

    assert set(cli("runs", "show", run, "--json", cwd=seed).json) == {"run", "artifacts"}
    assert set(cli("models", "show", "late", "--json", cwd=seed).json) == {"version", "gates"}
    assert set(cli("endpoints", "show", "late", "--json", cwd=seed).json) == {
        "endpoint",
        "releases",
    }
    assert cli("data", "show", "flights", "--json", cwd=seed).json["number"] == 1
    assert cli("data", "profile", "flights", "--json", cwd=seed).json["rows"] == 600
    assert cli("data", "contract", "flights", "--json", cwd=seed).json["number"] == 1
    assert cli("data", "validate", "flights", "--json", cwd=seed).json["verdict"] == "pass"


def test_a_model_version_shows_its_gates_inputs_and_that_its_signature_was_checked(cli, seed):
    said = cli("models", "show", "late@champion", cwd=seed)

    assert "late@1" in said.out
    assert "(checked)" in said.out
    assert "gate leak      pass" in said.out
    assert "input          heat  double" in said.out


def test_status_counts_what_the_home_holds(cli, seed):
    said = cli("status", cwd=seed)
    facts = cli("status", "--json", cwd=seed).json

    assert "release        late@2 in shadow on late" in said.out
    assert "no; start it: treadle up" in said.out
    assert (facts["datasets"], facts["runs"], facts["models"]) == (2, 4, 1)
    assert facts["url"] is None


def test_status_of_an_empty_home_says_that_nothing_is_there(cli, tmp_path):
    said = cli("status")

    assert said.code == 0
    assert said.out.splitlines()[0].split() == ["home", str(tmp_path / ".treadle")]
    assert said.out.splitlines()[-1].split() == ["events", "0"]


MISSING = {
    "runs show abc123": "No run 'abc123'.",
    "models show laet": "Did you mean 'late'?",
    "models versions laet": "Did you mean 'late'?",
    "models show late@champ": "Did you mean 'champion'?",
    "endpoints show laet": "Did you mean 'late'?",
    "alerts --endpoint laet": "Did you mean 'late'?",
    "data show flihgts": "Did you mean 'flights'?",
    "data versions flihgts": "Did you mean 'flights'?",
    "data profile flihgts": "Did you mean 'flights'?",
    "data contract flihgts": "Did you mean 'flights'?",
    "data validate flihgts": "Did you mean 'flights'?",
    "at 2026-01-01 laet": "Did you mean 'late'?",
    "report laet": "laet",
    "trace laet@1": "Did you mean 'late'?",
}


@pytest.mark.parametrize(("words", "says"), MISSING.items(), ids=MISSING)
def test_what_is_not_there_is_a_user_error_with_the_near_miss(cli, seed, words, says):
    said = cli(*words.split(), cwd=seed)

    assert said.code == 1
    assert said.err.startswith("error: ")
    assert says in said.err


def test_with_json_an_error_is_json_as_well(cli, seed):
    said = cli("runs", "show", "abc123", "--json", cwd=seed)

    assert said.code == 1
    assert '"code": "not_found"' in said.err


def test_alerts_say_what_moved_and_those_that_are_closed_are_asked_for(cli, project):
    alert = Alert(
        id=new_id(),
        monitor="late",
        endpoint="late",
        kind="calibration",
        title="Observed rate is 1.8 times the predicted",
        cause="stops moved",
        size=1.8,
        interval=(1.6, 2.0),
        window_start=0,
        window_end=7 * DAY_US,
        state="open",
        opened_at=8 * DAY_US,
    )
    with treadle.connect(project / ".treadle") as client, client.app.store.write() as tx:
        insert_alert(tx, alert)

    open_ones = cli("alerts", cwd=project)
    with treadle.connect(project / ".treadle") as client:
        client.monitoring.close_alert(alert.id, reason="seen")

    assert "1970-01-01 to 1970-01-08" in open_ones.out
    assert "1.8 times the predicted" in open_ones.out
    assert "1.8 times" not in cli("alerts", cwd=project).out
    assert cli("alerts", "--all", "--json", cwd=project).json["items"][0]["state"] == "closed"
