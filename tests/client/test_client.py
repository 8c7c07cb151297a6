from __future__ import annotations

import pytest

import treadle
from treadle.app import App, open_app
from treadle.errors import InvalidInput, NotFound, Unavailable
from treadle.kernel.clock import PlayedClock, SystemClock, parse_instant
from treadle.kernel.settings import Settings

NOON = parse_instant("2013-07-04T12:00")


@pytest.fixture
def client(tmp_path):
    with treadle.connect(tmp_path / "home") as made:
        yield made


def test_a_home_is_made_on_first_use_and_found_again(tmp_path):
    with treadle.connect(tmp_path / "a" / "home") as first, first.run("one") as run:
        run.log(loss=0.5)

    with treadle.connect(tmp_path / "a" / "home") as second:
        assert second.tracking.run(run.id).metrics == {"loss": 0.5}


def test_a_block_is_tracked_with_everything_it_logs(client, tmp_path):
    (tmp_path / "plot.txt").write_text("a plot")

    with client.run("first", experiment="late", params={"depth": 6}) as run:
        run.log(loss=0.7, step=1)
        run.log(loss=0.5, step=2)
        run.params(rate=0.1)
        run.tags(team="ops")
        run.artifact("plots/loss.txt", tmp_path / "plot.txt")

    found = client.tracking.run(run.id)
    assert (found.name, found.experiment, found.status) == ("first", "late", "finished")
    assert found.params == {"depth": "6", "rate": "0.1"}
    assert found.tags["team"] == "ops"
    assert [p.value for p in client.tracking.history(run.id, "loss")] == [0.7, 0.5]
    assert "plots/loss.txt" in {a.path for a in client.tracking.artifacts(run.id)}


def test_an_error_in_the_block_marks_the_run_failed_and_goes_on(client):
    with pytest.raises(ZeroDivisionError), client.run("broken") as run:
        1 / 0  # noqa: B018 - the error is the point

    found = client.tracking.run(run.id)
    assert found.status == "failed"
    assert "ZeroDivisionError: division by zero" in found.error


def test_every_noun_is_there_and_each_is_made_once(client):
    nouns = {
        name
        for name, kind in vars(type(client)).items()
        if type(kind).__name__ == "cached_property"
    }

    assert {"data", "tracking", "registry", "serving", "releases", "loop", "log"} <= nouns
    assert all(getattr(client, noun) is getattr(client, noun) for noun in nouns)


def test_a_home_that_replays_tells_the_time_it_is_told(tmp_path):
    home = tmp_path / "home"
    home.mkdir()
    (home / "settings.toml").write_text('clock = "played"\n')

    with treadle.connect(home) as client:
        client.replay_to(NOON)
        client.tracking.experiment("late")

        assert client.now() == NOON
        assert client.tracking.experiments()[0].created_at == NOON
        assert client.serving.clock.now() == NOON


def test_a_home_of_the_present_cannot_be_moved(client):
    with pytest.raises(InvalidInput, match="lives in the present"):
        client.replay_to(NOON)


def test_the_report_of_an_endpoint_nobody_made_says_so(client):
    with pytest.raises(NotFound, match="nowhere"):
        client.report("nowhere")


def test_a_home_where_nobody_may_write_says_what_to_do(tmp_path):
    (tmp_path / "taken").write_text("a file")

    with pytest.raises(Unavailable, match="Cannot write in") as caught:
        open_app(tmp_path / "taken" / "home")

    assert "--home" in caught.value.hint


def test_the_clock_is_the_machines_unless_the_home_replays(tmp_path):
    assert isinstance(App(Settings(home=tmp_path)).clock, SystemClock)
    assert isinstance(App(Settings(home=tmp_path, clock="played")).clock, PlayedClock)


def test_closing_an_app_that_was_never_used_does_nothing(tmp_path):
    App(Settings(home=tmp_path)).close()

    assert list(tmp_path.iterdir()) == []


def test_metadata_and_objects_may_live_elsewhere(tmp_path, postgres_url, s3_url, monkeypatch):
    monkeypatch.setenv("TREADLE_METADATA_URL", postgres_url)
    monkeypatch.setenv("TREADLE_OBJECTS_URL", s3_url)

    with treadle.connect(tmp_path / "home") as client, client.run("afar") as run:
        run.artifact("note.txt", b"far away")

    with (
        treadle.connect(tmp_path / "home") as again,
        again.tracking.open_artifact(run.id, "note.txt") as stream,
    ):
        assert stream.read() == b"far away"
    assert not (tmp_path / "home" / "treadle.db").exists()
    assert not (tmp_path / "home" / "objects").exists()


def test_webhooks_of_the_settings_are_told_of_alerts_only_at_allowed_hosts(tmp_path):
    settings = Settings(
        home=tmp_path, webhooks=("https://hooks.example/a",), webhook_hosts=("other.example",)
    )

    with App(settings) as app, pytest.raises(treadle.errors.Refused, match=r"hooks\.example"):
        _ = app.monitoring
