"""The processes of a home: who is up, and the inference and worker processes that belong to it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from typing import TYPE_CHECKING, Self

import msgspec

from treadle.execution.processes import WorkerProcesses
from treadle.kernel.errors import Conflict, Unavailable
from treadle.server.inference.process import InferenceProcess

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.app import App

FOLDER = "run"
LOCK = "up.lock"
ABOUT = "up.json"


class Running(msgspec.Struct, frozen=True, kw_only=True):
    """A control process that is up: its process id and where it and its inference answer."""

    pid: int
    url: str
    inference_url: str
    started_at: int


def running(home: Path) -> Running | None:
    """Return who is up for a home, or None.

    Whoever is up holds a lock, which the kernel takes back however it dies: what a dead process
    left behind is never believed.
    """
    if not (home / FOLDER / LOCK).exists():
        return None
    with _locked(home) as is_free:
        return None if is_free else _about(home)


class Presence:
    """Holds the place of the one control process of a home on this machine."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._stack = contextlib.ExitStack()

    def __enter__(self) -> Self:
        """Take the place. Raises Conflict, with its address, when another process has it."""
        with _explained(self._home):
            (self._home / FOLDER).mkdir(parents=True, exist_ok=True)
            is_free = self._stack.enter_context(_locked(self._home))
        if not is_free:
            self._stack.close()
            other = _about(self._home)
            raise Conflict(
                f"{self._home} is up already{f': {other.url}' if other else ', it is starting'}.",
                hint=f"Stop it with: kill {other.pid}" if other else "Give it a moment.",
            )
        _forget(self._home)
        return self

    def announce(self, *, url: str, inference_url: str) -> Running:
        """Say where this process answers."""
        told = Running(
            pid=os.getpid(),
            url=url,
            inference_url=inference_url,
            started_at=time.time_ns() // 1000,
        )
        path = self._home / FOLDER / ABOUT
        draft = path.with_suffix(".draft")
        with _explained(self._home):
            draft.write_bytes(msgspec.json.encode(told))
            draft.replace(path)
        return told

    def __exit__(self, *_: object) -> None:
        _forget(self._home)
        self._stack.close()


class Supervisor:
    """Keeps the inference process and the worker processes of a home alive."""

    def __init__(self, app: App, *, host: str) -> None:
        self.inference = InferenceProcess(app.home, host=host, port=app.settings.inference_port)
        self._workers = WorkerProcesses(jobs=app.jobs, settings=app.settings)

    def start(self) -> str:
        """Start both; return where inference answers. Raises Unavailable with its last words."""
        url = self.inference.start()
        self._workers.start()
        return url

    def stop(self) -> None:
        """End both; what workers had in hand goes back to the queue."""
        self._workers.close()
        self.inference.stop()


@contextlib.contextmanager
def _locked(home: Path) -> Iterator[bool]:
    """Try to hold the lock of a home for the block; say whether it was free."""
    handle = os.open(home / FOLDER / LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        is_free = True
    except BlockingIOError:
        is_free = False
    try:
        yield is_free
    finally:
        os.close(handle)


def _about(home: Path) -> Running | None:
    try:
        return msgspec.json.decode((home / FOLDER / ABOUT).read_bytes(), type=Running)
    except FileNotFoundError:  # it holds its place, but does not answer yet
        return None


def _forget(home: Path) -> None:
    (home / FOLDER / ABOUT).unlink(missing_ok=True)


@contextlib.contextmanager
def _explained(home: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise Unavailable(
            f"Cannot write in {home}: {error.strerror or error}.",
            hint="Choose another folder with --home or TREADLE_HOME.",
        ) from error
