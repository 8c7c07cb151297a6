"""What only a server brings: it can be away, and it streams."""

from __future__ import annotations

import sys

import pytest

import treadle
from treadle.client import Client, RemoteClient, UnsentWarning, wire
from treadle.errors import InvalidInput, Unavailable
from treadle.server.control import ControlServer


def test_a_url_gives_a_client_of_its_server_and_a_folder_a_home(server, tmp_path):
    with treadle.connect(server) as remote, treadle.connect(str(tmp_path / "home")) as own:
        assert isinstance(remote, RemoteClient)
        assert isinstance(own, Client)


def test_a_client_of_a_server_says_where_other_nouns_are_used(server):
    with treadle.connect(server) as client, pytest.raises(InvalidInput, match="only tracks runs"):
        client.data.datasets()


def test_points_for_a_server_that_goes_away_are_sent_when_it_is_back(home, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(wire, "PAUSES_S", ())
    with ControlServer(home.app, port=0) as first:
        client = treadle.connect(first.url)
        run = client.run("long")
        run.log(loss=1)
        run.flush()
    run.log(loss=2)
    with pytest.raises(Unavailable):
        run.flush(patience_s=0)
    with pytest.warns(UnsentWarning, match=r"unsent.*send_unsent"):
        run.end("failed", error="it broke", patience_s=0)

    port = int(first.url.rpartition(":")[2])
    with ControlServer(home.app, port=port), client:
        assert client.send_unsent() == 1

    found = home.tracking.run(run.id)
    assert (found.status, found.metrics) == ("failed", {"loss": 2})
    assert list((tmp_path / "cache").rglob("*.jsonl")) == []


def test_a_large_file_is_sent_piece_by_piece(server, home, tmp_path):
    big = tmp_path / "big.bin"
    with big.open("wb") as file:
        file.truncate(9_000_000)

    with treadle.connect(server) as client, client.run() as run:
        kept = run.artifact("deep/big.bin", big)

    stored = {artifact.path: artifact for artifact in home.tracking.artifacts(run.id)}
    assert stored["deep/big.bin"] == kept


def test_a_file_that_is_not_there_says_so(server, tmp_path):
    with treadle.connect(server) as client:
        run = client.run()

        with pytest.raises(InvalidInput, match="Cannot read"):
            run.artifact("x", tmp_path / "x")
        run.end()


def test_the_page_of_a_run_is_told_on_a_terminal(server, monkeypatch, capsys):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)

    with treadle.connect(server) as client, client.run("first") as run:
        pass

    assert capsys.readouterr().err == f"run first: {server}/runs/{run.id}\n"
