"""The command as a user has it: called by its words, judged by what it prints and its exit code."""

from __future__ import annotations

import io
import os
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import pytest

import treadle
from tests.cli.rows import rows_of, write_csv
from treadle.cli.root import run

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True)
class Said:
    """What a command printed, and its exit code."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return msgspec.json.decode(self.out)


def call(*words: object, cwd: Path, stdin: str = "") -> Said:
    """Call `treadle` with these words in a folder."""
    out, err = io.StringIO(), io.StringIO()
    before = Path.cwd()
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(out), redirect_stderr(err):
        patch.setattr(sys, "argv", ["treadle", *(str(word) for word in words)])
        patch.setattr(sys, "stdin", io.StringIO(stdin))
        patch.delenv("TREADLE_HOME", raising=False)
        os.chdir(cwd)
        try:
            run()
        except SystemExit as stop:
            return Said(int(stop.code or 0), out.getvalue(), err.getvalue())
        finally:
            os.chdir(before)
    raise AssertionError("the command did not exit")


@pytest.fixture
def cli(tmp_path) -> Callable[..., Said]:
    """Call `treadle` in the test's own folder, or in `cwd`."""

    def called(*words: object, cwd: Path | None = None, stdin: str = "") -> Said:
        return call(*words, cwd=cwd or tmp_path, stdin=stdin)

    return called


@pytest.fixture
def csv(tmp_path) -> Path:
    return write_csv(tmp_path / "flights.csv", rows_of())


@pytest.fixture(scope="session")
def seed(tmp_path_factory) -> Path:
    """A project with a live version, one in shadow, predictions and a version in quarantine."""
    around = tmp_path_factory.mktemp("seed")
    folder = around / "late"
    write_csv(around / "flights.csv", rows_of())
    assert call("init", "late", "--from", "flights.csv", "--target", "late", cwd=around).code == 0
    assert call("run", cwd=folder).code == 0
    assert call("run", "--param", "seed=8", cwd=folder).code == 0
    write_csv(around / "truth.csv", {"key": ["k1", "k2"], "label": [0, 0]})
    call("data", "commit", "../truth.csv", "--name", "late-outcomes", cwd=folder)
    reason = ("--reason", "the feed says no for everybody")
    assert call("data", "quarantines", "hold", "late-outcomes", *reason, cwd=folder).code == 0
    with treadle.connect(folder / ".treadle") as client:
        inputs = [f.name for f in client.registry.version("late").signature.inputs]
        rows = client.data.table("flights").select(inputs).slice(0, 40)
        keys, now = [f"k{i}" for i in range(40)], client.now()
        client.serving.score_batch("late", rows, keys=keys, times=[now] * 40)
    return folder


@pytest.fixture
def project(seed, tmp_path) -> Path:
    """The seeded project, to do with as a test pleases."""
    return Path(shutil.copytree(seed, tmp_path / "late"))


@pytest.fixture(scope="session")
def prediction(seed) -> str:
    with treadle.connect(seed / ".treadle") as client:
        found = client.serving.predictions("late", start=0, end=client.now() + 1)
        return found["id"][0].as_py()
