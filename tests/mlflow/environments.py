"""Where the peers are: environments with a genuine MLflow, made by `./run test`."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PEERS = {"newest": "mlflow-new", "3.6": "mlflow-36"}


def peer(version: str) -> Path:
    """Return the folder of programs of a peer. Skips at home, fails in CI, when it is not there."""
    folder = Path(os.environ.get("TREADLE_PEERS") or ROOT / ".peers") / PEERS[version] / "bin"
    if not (folder / "mlflow").exists():
        sentence = f"MLflow ({version}) to compare with is not in {folder}: ./run test installs it"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return folder


def peer_with(version: str, package: str) -> Path:
    """Return the same of a peer that has a package, for one that was added to its file later."""
    programs = peer(version)
    if not any(programs.parent.glob(f"lib/python*/site-packages/{package}")):
        sentence = f"{package} is not beside MLflow ({version}): ./run test installs it"
        if os.environ.get("CI"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return programs
