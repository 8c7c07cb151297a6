"""Old data opens for ever: what each release state wrote is opened by this one."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from treadle import connect
from treadle.kernel.clock import PlayedClock, parse_instant

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

    assert datasets == ["rows", "truth"]
    assert (run.name, run.metrics) == ("by hand", {"loss": 0.7})
    assert champion == served == "even@1"
    assert [r.state for r in releases] == ["live"]
    assert alerts.total == 0


def test_the_log_of_an_old_home_verifies_and_goes_on(old_home):
    with connect(old_home) as client:
        before = client.governance.verify()
        client.tracking.end_run(client.tracking.start_run(experiment="new").id)
        client.log.seal()
        after = client.governance.verify()

    assert before.ok
    assert after.ok
    assert after.events > before.events
