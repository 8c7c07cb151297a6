"""A home with something to steal and to break, served on a real port."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SECRET = b"the secret that no answer may hold"


@dataclass(frozen=True)
class Target:
    """What is attacked."""

    app: App
    url: str
    folder: Path
    run_id: str
    experiment_id: str

    def files(self) -> set[str]:
        """Return every file on the disk that is not the home's own."""
        own = self.folder / "home"
        return {str(p) for p in self.folder.rglob("*") if p.is_file() and own not in p.parents}


@pytest.fixture(scope="session")
def target(tmp_path_factory) -> Iterator[Target]:
    folder = tmp_path_factory.mktemp("attacked")
    (folder / "secret.txt").write_bytes(SECRET)
    home = folder / "home"
    home.mkdir()
    (home / "secret.txt").write_bytes(SECRET)
    with App(Settings(home=home)) as app, ControlServer(app, port=0) as server:
        run = app.tracking.start_run(experiment="attacked", name="a run", params={"depth": 6})
        app.tracking.log(run.id, metrics={"loss": 0.3})
        app.tracking.log_artifact(run.id, "a.txt", b"harmless")
        yield Target(app, server.url, folder, run.id, app.tracking.experiment("attacked").id)


@pytest.fixture
def log_stays(target: Target) -> Iterator[None]:
    """Claim that the test changes nothing: no event is added."""
    before = target.app.log.last().seq
    yield
    assert target.app.log.last().seq == before
