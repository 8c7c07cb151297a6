"""Where runs can be kept: a home in this process, a server. Both must behave the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

import treadle
from treadle.server.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.client import Client
    from treadle.client.tracker import Tracker


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Client]:
    with treadle.connect(tmp_path / "home") as client:
        yield client


@pytest.fixture
def server(home: Client, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URL of a server of `home`; what its clients cannot send stays in the test's folder."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    with ControlServer(home.app, port=0) as started:
        yield started.url


@pytest.fixture(params=["home", "server"])
def tracker(request: pytest.FixtureRequest, home: Client) -> Iterator[Tracker]:
    """A client that tracks runs; what it keeps ends up in `home`."""
    if request.param == "home":
        yield home
        return
    with treadle.connect(request.getfixturevalue("server")) as client:
        yield client
