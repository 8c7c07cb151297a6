"""What pages ask to be there: a project made by `treadle init`, servers."""

from __future__ import annotations

import shutil
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.docs.pages import DOCS, Page
from tests.docs.runner import environment
from tests.mlflow.environments import peer

if TYPE_CHECKING:
    from pathlib import Path

TUTORIAL = Page(DOCS / "tutorial.md")


@pytest.fixture(scope="session")
def trained_project(tmp_path_factory) -> Path:
    """The project of the tutorial after its first `treadle run`, made once."""
    folder = tmp_path_factory.mktemp("tutorial")
    maker = next(block for block in TUTORIAL.blocks if block.file == "make_orders.py")
    (folder / maker.file).write_text(maker.text, encoding="utf-8")
    commands = [
        "python make_orders.py",
        "treadle init deliveries --from orders.csv --target late",
        "cd deliveries && treadle --home .treadle run",
    ]
    for command in commands:
        subprocess.run(
            ["bash", "-c", command],
            check=True,
            cwd=folder,
            env=environment({"7340": "0", "7341": "0"}),
            stdout=subprocess.DEVNULL,
        )
    return folder / "deliveries"


@pytest.fixture
def set_up(request, tmp_path, monkeypatch):
    """Return a function that prepares what a page asks for; it gives folder and replacements."""

    def prepare(page: Page) -> tuple[Path, dict[str, str]]:
        folder, served = tmp_path / "page", {}
        if "project" in page.set_up:
            shutil.copytree(request.getfixturevalue("trained_project"), folder)
        else:
            folder.mkdir()
        if "mlflow" in page.set_up:
            # The reader's training code runs where MLflow is, and Treadle is not.
            python = peer("newest") / "python"
            served |= {f"python {n}.py": f"{python} {n}.py" for n in ("train", "judge")}
        if "servers" in page.set_up:
            served["postgresql://app@db.example/treadle"] = request.getfixturevalue("postgres_url")
            served["s3://models/treadle"] = request.getfixturevalue("s3_url")
        return folder, served

    return prepare
