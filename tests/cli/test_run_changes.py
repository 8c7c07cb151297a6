"""Runs deleted, restored and removed for good; stores of other tools in and out."""

from __future__ import annotations

import pytest

from treadle.app import App
from treadle.kernel.settings import Settings


@pytest.fixture
def run_id(tmp_path):
    """A run of the home that the command finds in the test's folder."""
    with App(Settings(home=tmp_path / ".treadle")) as app:
        run = app.tracking.start_run(experiment="late", name="first", capture=False)
        app.tracking.log(run.id, metrics={"loss": 0.5}, params={"depth": 6})
        app.tracking.end_run(run.id)
        return run.id


def test_a_deleted_run_is_gone_from_the_list_and_can_be_restored(cli, run_id):
    deleted = cli("runs", "delete", run_id[:12])
    after = cli("runs", "--json").json["total"]
    restored = cli("runs", "restore", run_id[:12])

    assert (deleted.code, after, restored.code) == (0, 0, 0)
    assert f"treadle runs restore {run_id}" in deleted.out
    assert cli("runs", "--json").json["total"] == 1


def test_nothing_is_deleted_when_one_of_the_runs_is_unknown(cli, run_id):
    said = cli("runs", "delete", run_id[:12], "ffff")

    assert said.code == 1
    assert cli("runs", "--json").json["total"] == 1


def test_gc_asks_and_then_removes_for_good(cli, run_id):
    cli("runs", "delete", run_id)

    looked = cli("gc", "--dry-run")
    declined = cli("gc", stdin="n\n")
    spared = cli("gc", "--older-than", "1", "--yes")
    done = cli("gc", "--yes")

    assert "Would remove 0 experiments, 1 run" in looked.out
    assert declined.code != 0
    assert spared.out == "Nothing deleted is old enough to go.\n"
    assert "Removed 0 experiments, 1 run" in done.out
    assert cli("runs", "restore", run_id).code == 1


def test_gc_of_a_home_where_nothing_is_deleted_says_so(cli, run_id):
    assert cli("gc", "--yes").out == "Nothing is deleted.\n"


def test_a_run_goes_out_as_a_log_folder_and_comes_back(cli, run_id, tmp_path):
    out = cli("export", "tensorboard", run_id[:12], "logs")
    back = cli("import", "tensorboard", "logs", "--experiment", "back", "--json")

    assert (out.code, back.code) == (0, 0)
    assert [brought["points"] for brought in back.json] == [1]
    assert cli("runs", "--experiment", "back", "--json").json["items"][0]["metrics"] == {
        "loss": 0.5
    }


def test_an_export_says_what_it_wrote(cli, run_id):
    said = cli("export", "mlflow", "mlruns")

    assert said.code == 0
    assert "1 run written" in said.out


def test_an_import_of_what_is_no_store_is_a_clear_error(cli, run_id):
    said = cli("import", "mlflow", "mlruns")

    assert said.code == 1
    assert "neither a database URL nor an address" in said.err
    assert "Traceback" not in said.err
