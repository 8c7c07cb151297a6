"""A genuine MLflow server of each version beside ours, and what both answered to all calls."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.mlflow.environments import peer
from tests.servers import free_port, guard, temporary_folder, wait_for
from treadle.app import App
from treadle.kernel.settings import Settings
from treadle.server.control import ControlServer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

HERE = Path(__file__).parent
QUIET = {
    "DO_NOT_TRACK": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "0",  # a 500 is an answer to compare, not one to wait for
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
}


def _word(version: str) -> str:
    return version.replace(".", "-")


@contextmanager
def genuine_server(version: str) -> Iterator[str]:
    """Start a genuine server as most people do: one worker, SQLite, artifacts through it."""
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with temporary_folder() as folder:
        command = [str(peer(version) / "mlflow"), "server", "--host", "127.0.0.1"]
        command += ["--port", str(port), "--workers", "1"]
        command += ["--backend-store-uri", f"sqlite:///{folder}/mlflow.db"]
        command += ["--artifacts-destination", f"{folder}/artifacts"]
        environment = {**os.environ, **peer_environment(version)}
        log = folder / "server.log"
        with log.open("wb") as out:
            server = subprocess.Popen(
                [*guard(as_nobody=False), *command],
                stdout=out,
                stderr=out,
                env=environment,
                cwd=folder,
                start_new_session=True,
            )
        try:
            wait_for(server, is_up=lambda: answers(address), log=log)
            yield address
        finally:
            # It has children and grandchildren; they are one group, and nothing of it is kept.
            with suppress(ProcessLookupError):
                os.killpg(server.pid, signal.SIGKILL)
            server.wait()


def peer_environment(version: str) -> dict[str, str]:
    """Return what a peer's process needs: its own programs first, and nothing that calls home."""
    path = f"{peer(version)}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
    return {**QUIET, "PATH": path, "PYTHONDONTWRITEBYTECODE": ""}


def answers(address: str) -> bool:
    try:
        return httpx2.get(f"{address}/health", timeout=2, trust_env=False).status_code == 200
    except httpx2.HTTPError:
        return False


@pytest.fixture(scope="session")
def our_server(tmp_path_factory) -> Iterator[str]:
    """The address of our own server."""
    home = tmp_path_factory.mktemp("mlflow-door") / "home"
    settings = Settings(home=home, webhook_hosts=("93.184.216.34",))
    with App(settings) as app, ControlServer(app, port=0) as server:
        yield server.url


@pytest.fixture(scope="session")
def run_peer(tmp_path_factory) -> Callable[..., str]:
    """Run a script in a peer's Python; returns what it printed."""

    def run(version: str, script: Path, *args: str) -> str:
        done = subprocess.run(
            [str(peer(version) / "python"), str(script), *args],
            env={**os.environ, **peer_environment(version)},
            cwd=tmp_path_factory.mktemp("peer"),
            capture_output=True,
            text=True,
            timeout=800,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        return done.stdout

    return run


@pytest.fixture(scope="session")
def all_answers(our_server, run_peer, tmp_path_factory) -> Callable[[str], dict[str, Any]]:
    """Return what both servers answered to every call of a version's client; run at first use."""
    known: dict[str, dict[str, Any]] = {}

    def of(version: str) -> dict[str, Any]:
        if version not in known:
            out = tmp_path_factory.mktemp("answers") / "answers.json"
            files = sorted(str(path) for path in (HERE / "calls").glob("*.py"))
            with genuine_server(version) as genuine:
                # Each file has a tenant of ours for itself.
                servers = [f"genuine={genuine}", f"ours={our_server}/t/{_word(version)}-{{file}}"]
                run_peer(version, HERE / "peer" / "runner.py", str(out), *servers, "--", *files)
            found = json.loads(out.read_text())
            tenants = [f"{our_server}/t/{_word(version)}-{file}" for file in found]
            known[version] = {"files": found, "addresses": (genuine, *tenants, our_server)}
        return known[version]

    return of
