"""Run what `peer/mlflow_models.py` does where a genuine MLflow is installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tests.mlflow.environments import peer

QUIET = {
    "DO_NOT_TRACK": "true",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # what fails is shown, not tried again for minutes
}
SCRIPT = Path(__file__).parent / "peer" / "mlflow_models.py"


def run_with_mlflow(*args, both, cwd, version="newest", beside=None):
    """Run the script where MLflow is installed; `both` with Treadle and its extras beside it.

    `beside` is a folder of further packages.
    """
    python = peer(version) / "python"
    environment = {**os.environ, **QUIET}
    if both:
        found = sorted(peer("newest").parent.glob("lib/python*/site-packages"))
        environment["PYTHONPATH"] = os.pathsep.join(str(folder) for folder in found)
    if beside is not None:
        environment["PYTHONPATH"] = str(beside)
    done = subprocess.run(
        [sys.executable if both else str(python), str(SCRIPT), *map(str, args)],
        env=environment,
        cwd=cwd,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return done.stdout.splitlines()[-1] if done.stdout else ""  # MLflow prints addresses first
