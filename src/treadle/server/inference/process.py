"""The inference process as its supervisor sees it: start it, keep it, stop it."""

from __future__ import annotations

import contextlib
import http.client
import os
import subprocess
import sys
import threading
import time
from typing import IO, TYPE_CHECKING

import msgspec

from treadle.kernel.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

START_LIMIT_S = 30.0
STOP_LIMIT_S = 15.0
# A process that dies at once, again and again, is not helped by starting it faster.
FIRST_PAUSE_S = 0.1
LONGEST_PAUSE_S = 5.0
SOUND_AFTER_S = 10.0
TOLD_LINES = 5


class InferenceProcess:
    """One inference process of a home, started again when it dies.

    It ends with the process that started it, also when that is killed. Its messages go to
    `HOME/logs/inference.log`.
    """

    def __init__(self, home: Path, *, host: str, port: int) -> None:
        self._home = home
        self._host = host
        self._port = port
        self._log = home / "logs" / "inference.log"
        self._process: subprocess.Popen[str] | None = None
        self._watcher: threading.Thread | None = None
        self._stopping = threading.Event()
        self.restarts = 0
        """How often it died and was started again."""
        self.url = ""
        """Where it answers, once it is ready."""

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        """The id of the process that runs."""
        return self._process.pid if self._process is not None and self.alive else None

    def start(self, *, timeout_s: float = START_LIMIT_S) -> str:
        """Start it, wait until everything it should serve is loaded, and return its URL.

        Raises Unavailable with its last words when it ends before, or is not ready in time.
        """
        self._stopping.clear()
        self._process = self._begin()
        self.url = self._ready(self._process, timeout_s=timeout_s)
        self._watcher = threading.Thread(target=self._keep, name="inference-watch", daemon=True)
        self._watcher.start()
        return self.url

    def stop(self) -> None:
        """Let it finish the requests it has, and end it. Does nothing when it does not run."""
        self._stopping.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if self._watcher is not None:
            self._watcher.join()
            self._watcher = None

    def wait_serving(self, endpoint: str, *, revision: int, timeout_s: float = 10.0) -> None:
        """Wait until an endpoint is served as of a revision (`Endpoint.revision`) or a later one.

        Raises Unavailable, with what keeps it from being loaded, when it takes too long.
        """
        deadline, found = time.monotonic() + timeout_s, _Serves()
        while time.monotonic() < deadline:
            found = self._serves(endpoint)
            if found.revision >= revision:
                return
            time.sleep(0.02)
        raise Unavailable(
            f"Endpoint {endpoint!r} still serves revision {found.revision}, not {revision}, "
            f"after {timeout_s:g} s.",
            hint=found.problem or f"See {self._log}.",
        )

    def _begin(self) -> subprocess.Popen[str]:
        self._log.parent.mkdir(parents=True, exist_ok=True)
        command = [sys.executable, "-m", "treadle.server.inference", "--home", str(self._home)]
        command += ["--host", self._host, "--port", str(self._port), "--parent", str(os.getpid())]
        with self._log.open("ab") as log:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                env=_environment(),
            )

    def _ready(self, process: subprocess.Popen[str], *, timeout_s: float) -> str:
        timer = threading.Timer(timeout_s, process.kill)
        timer.start()
        try:
            # It closes this output after its one line; a model's own words go to the log.
            with _output(process) as output:
                line = output.read()
        finally:
            timer.cancel()
        word, _, url = line.strip().partition(" ")
        if word == "ready":
            # The port may have been any free one: started again, it must be the same.
            self._port = int(url.rpartition(":")[2])
            return url
        process.wait()
        raise Unavailable(
            f"The inference process did not start: {self._last_words()}",
            hint=f"More in {self._log}.",
            exit_code=process.returncode,
        )

    def _keep(self) -> None:
        pause = FIRST_PAUSE_S
        while self._process is not None:
            begun = time.monotonic()
            self._process.wait()
            if time.monotonic() - begun > SOUND_AFTER_S:
                pause = FIRST_PAUSE_S
            if self._stopping.wait(pause):
                return
            pause = min(2 * pause, LONGEST_PAUSE_S)
            self.restarts += 1
            self._process = self._begin()
            if self._stopping.is_set():  # stop came between: it may have seen only the old one
                self._process.terminate()
            with contextlib.suppress(Unavailable):  # its log says why; it is tried again
                self._ready(self._process, timeout_s=START_LIMIT_S)

    def _serves(self, endpoint: str) -> _Serves:
        connection = http.client.HTTPConnection(self.url.removeprefix("http://"), timeout=5)
        try:
            connection.request("GET", f"/v2/models/{endpoint}")
            body = connection.getresponse().read()
            return msgspec.json.decode(body, type=_Metadata).parameters
        except (OSError, http.client.HTTPException, msgspec.DecodeError):
            return _Serves()  # it is being started again
        finally:
            connection.close()

    def _last_words(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()
        return " ".join(lines[-TOLD_LINES:]) or "it said nothing."


def _output(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None  # noqa: S101 - it was asked for when the process was begun
    return process.stdout


class _Serves(msgspec.Struct):
    revision: int = -1
    problem: str = ""


class _Metadata(msgspec.Struct):
    parameters: _Serves = msgspec.field(default_factory=_Serves)


def _environment() -> dict[str, str]:
    # A request is a few rows: teams of threads in numerical libraries cost it more than they give,
    # and one team per prediction thread would fight for the cores.
    return {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", **os.environ}
