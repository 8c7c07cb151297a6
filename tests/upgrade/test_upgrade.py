"""Old data opens for ever: what each release state wrote is opened by this one."""

from __future__ import annotations

import shutil
import sqlite3
from pathlib import Path

import pyarrow as pa
import pytest

from treadle import connect
from treadle.kernel.clock import PlayedClock, parse_instant

OBJECTS = Path(__file__).parent / "objects"
STATES = sorted((Path(__file__).parent / "states").glob("*.sql"))


@pytest.fixture(params=STATES, ids=lambda path: path.stem)
def old_home(request, tmp_path):
    (tmp_path / "settings.toml").write_text('clock = "played"\n', encoding="utf-8")
    PlayedClock(tmp_path / "clock").set(parse_instant("2024-01-20"))
    database = sqlite3.connect(tmp_path / "treadle.db")
    database.executescript(request.param.read_text(encoding="utf-8"))
    database.close()
    return tmp_path


def test_there_is_a_state_to_open():
    assert STATES


def test_everything_an_old_home_holds_is_read(old_home):
    with connect(old_home) as client:
        datasets = [d.name for d in client.data.datasets().items]
        run = client.tracking.search_runs(experiment="even").items[-1]
        champion = client.registry.version("even@champion").ref
        served = client.serving.endpoint("even").variants[0].version
        releases = client.releases.releases("even")
        alerts = client.monitoring.alerts()
        named = {v.identity == v.digest for v in client.data.versions("rows").items}

    assert named == {True}
    assert datasets == ["rows", "truth"]
    assert (run.name, run.metrics) == ("by hand", {"loss": 0.7})
    assert champion == served == "even@1"
    assert [r.state for r in releases] == ["live"]
    assert alerts.total == 0


def test_a_table_that_is_one_object_is_read_and_stays_whole(old_home):
    for path in OBJECTS.iterdir():
        (old_home / "objects" / path.name[:2]).mkdir(parents=True)
        shutil.copy(path, old_home / "objects" / path.name[:2] / path.name)
    with connect(old_home) as client:
        version = client.dataset("rows").version(1)
        checked = client.data.verify("rows@1")
        # Only the datasets' objects were kept for this test: those of runs and models are gone.
        damage = tuple(each for each in client.data.fsck().damage if each.versions)
        swept = client.data.gc(older_than=0)
        verdict = client.data.validate("rows@1").verdict
        table, parts = version.arrow(), list(version.path().iterdir())
        batches = version.batches(["y"]).read_all()

    assert (checked.tree, checked.rows, damage, swept.packs, verdict) == ("", 400, (), (), "pass")
    assert table.to_pydict() == {"x": [float(i % 17) for i in range(400)], "y": [0, 1] * 200}
    assert batches.equals(table.select(["y"]))
    assert [path.name for path in parts] == ["part-00000.parquet"]


def test_what_was_committed_before_there_were_branches_lies_on_main(old_home):
    with connect(old_home) as client:
        before = client.data.version("rows@main")
        after = client.data.commit("rows", pa.table({"x": [1.5], "y": [0]}))
        names = [p.name for p in client.data.pointers("rows")]
        log = client.data.log("rows")

    assert (before.ref, before.parents, before.branch) == ("rows@1", (), "main")
    assert (after.ref, after.parents) == ("rows@2", (1,))
    assert names == ["main"]
    assert [entry.version.number for entry in log.items] == [2, 1]


def test_the_log_of_an_old_home_verifies_and_goes_on(old_home):
    with connect(old_home) as client:
        before = client.governance.verify()
        client.tracking.end_run(client.tracking.start_run(experiment="new").id)
        client.log.seal()
        after = client.governance.verify()

    assert before.ok
    assert after.ok
    assert after.events > before.events
