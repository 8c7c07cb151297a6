"""A store that MLflow made comes whole; what we write MLflow opens."""

from __future__ import annotations

import contextlib
import json
import math
import os
import shutil
import sqlite3
import subprocess
from pathlib import Path

import pytest

from tests.mlflow.conftest import peer_environment
from tests.mlflow.environments import peer
from treadle.app import App
from treadle.kernel.errors import Conflict, InvalidInput, Unavailable
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

HERE = Path(__file__).parent


def mlflow(script, *arguments, folder):
    done = subprocess.run(
        [str(peer("newest") / "python"), str(HERE / script), *map(str, arguments)],
        env={**os.environ, **peer_environment("newest"), "MLFLOW_ALLOW_FILE_STORE": "true"},
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=100,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def theirs(tmp_path_factory):
    """A database and a folder of artifacts that MLflow has made, and its outer run's id."""
    folder = tmp_path_factory.mktemp("theirs")
    url = f"sqlite:///{folder}/mlflow.db"
    outer = mlflow("fill_mlflow.py", url, folder=folder)
    return folder, url, outer


@pytest.fixture(scope="module")
def said(theirs):
    """What MLflow says of its store."""
    folder, url, _ = theirs
    return json.loads(mlflow("look_mlflow.py", url, folder=folder))


@pytest.fixture
def app(tmp_path):
    with App(Settings(home=tmp_path / "home")) as opened:
        yield opened


@pytest.fixture(scope="module")
def brought(theirs, tmp_path_factory):
    """A home into which that store was brought, and the report."""
    _, url, _ = theirs
    with App(Settings(home=tmp_path_factory.mktemp("brought") / "home")) as opened:
        yield opened, opened.exchange.import_mlflow(url)


def test_everything_comes(brought):
    _, report = brought

    assert report.left_out == ()
    assert report.came == {
        "experiments": 3,
        "runs": 3,
        "metric points": 1505,
        "files": 16,
        "logged models": 3,
        "models": 2,
        "model versions": 3,
        "aliases": 1,
    }


def test_a_run_comes_as_it_was(brought, theirs):
    app, _ = brought
    _, _, outer = theirs

    run = app.tracking.run(outer)

    inner = app.tracking.search_runs(parent_id=outer).items[0]
    history = app.tracking.history(outer, "loss")
    assert (run.experiment, run.name, run.status) == ("first", "outer", "finished")
    assert run.params == {"depth": "6", "a/b": "x\ny"}
    assert run.tags["team"] == "fraud é"
    assert [d.name for d in run.datasets] == ["numbers"]
    assert len(run.model_outputs) == 3
    assert [(p.step, p.at) for p in history[:2]] == [(0, 1_000_000), (1, 1_001_000)]
    assert (len(history), history[-1].value) == (1500, 1 / 1500)
    assert math.isnan(run.metrics["odd"])
    assert [p.value for p in app.tracking.history(outer, "wide")] == [-math.inf, math.inf, 0.5]
    assert inner.name == "inner"
    with app.artifacts.open(app.artifacts.of_run(outer, "notes/deep/a b é.txt")) as file:
        assert file.read() == b"hello"


def test_what_was_deleted_comes_deleted(brought):
    app, _ = brought

    deleted = app.tracking.search_runs(view="deleted").items

    assert [run.name for run in deleted] == ["deleted"]
    assert app.tracking.experiment_by_name("gone").lifecycle_stage == "deleted"


def test_versions_keep_their_numbers_aliases_and_files(brought):
    app, _ = brought

    versions = app.registry.versions("line")

    assert [version.number for version in versions] == [3, 2]
    assert app.registry.aliases("line") == {"champion": 2}
    assert versions[0].tags == {"approved": "no"}
    assert all("MLmodel" in {file.path for file in version.files} for version in versions)
    assert app.registry.verify("line@champion").number == 2


def test_brought_again_nothing_is_new(brought, theirs):
    app, first = brought
    _, url, _ = theirs

    again = app.exchange.import_mlflow(url)

    assert again.came == {}
    assert again.known["runs"] == first.came["runs"]


def test_a_dry_run_counts_and_brings_nothing(app, theirs):
    _, url, _ = theirs

    report = app.exchange.import_mlflow(url, dry_run=True)

    assert report.came["runs"] == 3
    assert app.tracking.search_runs(view="all").total == 0


def test_what_broke_off_goes_on(app, theirs, monkeypatch):
    _, url, outer = theirs
    put, stored = app.artifacts.put, []

    def breaks(place, stream):
        if stored:
            raise KeyboardInterrupt
        stored.append(place)
        return put(place, stream)

    monkeypatch.setattr(app.artifacts, "put", breaks)
    with pytest.raises(KeyboardInterrupt):
        app.exchange.import_mlflow(url)
    monkeypatch.undo()

    report = app.exchange.import_mlflow(url)

    assert (report.left_out, report.known["files"]) == ((), 1)
    assert len(app.tracking.history(outer, "loss")) == 1500
    assert [version.number for version in app.registry.versions("line")] == [3, 2]


def test_what_stays_behind_is_counted(app, theirs, tmp_path):
    folder, _, _ = theirs
    shutil.copy(folder / "mlflow.db", tmp_path / "copy.db")
    with contextlib.closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        row = "INSERT INTO trace_info (request_id, experiment_id, timestamp_ms, status)"
        copy.execute(f"{row} VALUES ('tr-1', 0, 1, 'OK'), ('tr-2', 0, 2, 'OK')")
        copy.commit()

    report = app.exchange.import_mlflow(f"sqlite:///{tmp_path}/copy.db", dry_run=True)

    assert [left.what for left in report.left_out] == ["2 traces"]


def test_files_that_are_gone_are_reported_and_stop_nothing(app, theirs, tmp_path):
    folder, _, outer = theirs
    shutil.copy(folder / "mlflow.db", tmp_path / "copy.db")
    moved = folder.with_name("moved")
    folder.rename(moved)
    try:
        report = app.exchange.import_mlflow(f"sqlite:///{tmp_path}/copy.db")
    finally:
        moved.rename(folder)

    assert app.tracking.run(outer).name == "outer"
    assert "files" not in report.came


def test_a_server_is_brought_in_as_a_database_is(brought, app):
    source, _ = brought

    with ControlServer(source, port=0) as server:
        report = app.exchange.import_mlflow(server.url)

    assert [left.what.partition(",")[0] for left in report.left_out] == ["traces"]
    assert (report.came["runs"], report.came["metric points"], report.came["files"]) == (
        3,
        1505,
        16,
    )
    assert app.registry.aliases("line") == {"champion": 2}


def test_mlflow_opens_what_we_write(brought, said, tmp_path):
    app, _ = brought

    report = app.exchange.export_mlflow(tmp_path / "mlruns")

    found = json.loads(mlflow("look_mlflow.py", tmp_path / "mlruns", folder=tmp_path))
    assert report.left_out == ()
    assert found == said


def test_a_folder_that_holds_something_is_not_written_into(app, tmp_path):
    (tmp_path / "precious").write_text("mine")

    with pytest.raises(Conflict, match="not empty"):
        app.exchange.export_mlflow(tmp_path)


@pytest.mark.parametrize("store", ["mlruns", "ftp://x/y", "sqlite:///not-there/x.db"])
def test_what_is_no_store_is_refused(app, store):
    with pytest.raises((InvalidInput, Unavailable)):
        app.exchange.import_mlflow(store)


def test_a_database_that_is_not_there_is_not_made(app, tmp_path):
    with pytest.raises(InvalidInput, match="no file"):
        app.exchange.import_mlflow(f"sqlite:///{tmp_path}/typo.db")

    assert not (tmp_path / "typo.db").exists()


def test_a_folder_of_artifacts_that_is_not_there_is_refused(app, tmp_path):
    with pytest.raises(InvalidInput, match="no folder"):
        app.exchange.import_mlflow("sqlite:///any.db", artifacts=str(tmp_path / "typo"))


def test_a_database_we_cannot_read_is_named(app):
    with pytest.raises(InvalidInput, match="mysql") as told:
        app.exchange.import_mlflow("mysql://app@127.0.0.1/mlflow")

    assert "mlflow server" in told.value.hint


def test_another_database_is_no_mlflow_store(app, tmp_path):
    with contextlib.closing(sqlite3.connect(tmp_path / "treadle-of-others.db")) as other:
        other.execute("CREATE TABLE t (a)")

    with pytest.raises(InvalidInput, match="no MLflow database"):
        app.exchange.import_mlflow(f"sqlite:///{tmp_path}/treadle-of-others.db")


def test_a_server_that_is_not_there_is_named(app):
    with pytest.raises(Unavailable, match=r"127\.0\.0\.1:9"):
        app.exchange.import_mlflow("http://127.0.0.1:9")
