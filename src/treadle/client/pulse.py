"""Signs of life for runs on a server, so that it can tell a program that died from a slow one."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

import msgspec

from treadle.client.buffer import MAY_PASS
from treadle.kernel.errors import TreadleError

BEAT_S = 20.0
AT_ONCE = 500

Beat = Callable[[list[str]], list[str]]
"""Tells the server; returns the runs that it holds to be running."""


class Pulse:
    """Beats for this process's runs, in one thread, as long as there are any.

    A server that knows no beats, as MLflow's own, is asked once and then left alone; there a run
    whose program was killed stays running. A beat that does not get through is followed by the
    next: a machine that slept is back within BEAT_S.
    """

    def __init__(self, beat: Beat, *, every_s: float = BEAT_S) -> None:
        self._beat = beat
        self._every_s = every_s
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._runs: set[str] = set()
        self._thread: threading.Thread | None = None
        self._is_unknown = False

    def add(self, run_id: str) -> None:
        """Beat for a run, at once and from now on."""
        if os.getpid() != self._process:  # a forked child: its parent beats for what was before
            self._begin_anew()
        if self._is_unknown:
            return
        with self._lock:
            self._runs.add(run_id)
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._work, name="treadle-pulse", daemon=True
                )
                self._thread.start()
        self._tell([run_id])

    def drop(self, run_id: str) -> None:
        """Beat for a run no longer."""
        with self._lock:
            self._runs.discard(run_id)

    def close(self) -> None:
        """Beat no more."""
        self._closed.set()

    def _begin_anew(self) -> None:
        self._process = os.getpid()
        self._lock = threading.Lock()
        self._runs = set()
        self._thread = None

    def _work(self) -> None:
        while not self._closed.wait(self._every_s):
            with self._lock:
                runs = sorted(self._runs)
                if not runs or self._is_unknown:
                    self._thread = None
                    return
            for start in range(0, len(runs), AT_ONCE):
                self._tell(runs[start : start + AT_ONCE])

    def _tell(self, runs: list[str]) -> None:
        try:
            running = self._beat(runs)
        except MAY_PASS:  # the next one will get through
            return
        except (TreadleError, msgspec.DecodeError):  # it knows no beats: nothing is lost but this
            self._is_unknown = True
            return
        with self._lock:
            self._runs -= set(runs) - set(running)
