"""Points on their way from the program to where they are kept."""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import TYPE_CHECKING

from treadle.client.spool import Spool
from treadle.kernel.errors import Conflict, TreadleError, Unavailable

if TYPE_CHECKING:
    from treadle.client.ports import Place, Point

WAKE_POINTS = 1_000
INTERVAL_S = 1.0
BOUND_POINTS = 10_000
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 5.0
PATIENCE_S = 30.0
"""How long the end of a run waits for a place that does not answer."""

MAY_PASS = (Unavailable, Conflict)
"""Errors of sending points that may be gone at the next try."""


class Outbox:
    """A run's points, in order, until the place has acknowledged them.

    `put` only appends. A thread sends what has gathered, after a second or a thousand points; when
    the program is faster than it, `put` sends too, so that the buffer stays small. A send that
    fails is repeated; while the place is away and the buffer is full, points go to a file.
    Nothing is dropped: `flush` returns when the place has all of it or raises.
    """

    def __init__(self, place: Place, run_id: str, *, pause_s: float = FIRST_PAUSE_S) -> None:
        self._place = place
        self._run_id = run_id
        self._points: deque[Point] = deque()
        self._head: list[Point] = []
        self._spool = Spool(place.spool, place=place.name, run_id=run_id)
        self._sending = threading.RLock()
        self._wake = threading.Event()
        self._closed = threading.Event()
        self._thread: threading.Thread | None = None
        self._first_pause_s = self._pause_s = pause_s
        self._is_away = False
        self._refusal: TreadleError | None = None

    def put(self, point: Point) -> None:
        """Take a point; raises what a send was refused with, so that it is not missed."""
        if self._refusal is not None:
            raise self._refusal
        points = self._points
        points.append(point)
        if self._thread is None:
            self._start()
        gathered = len(points)
        if gathered >= WAKE_POINTS and not self._wake.is_set():
            self._wake.set()
        if gathered >= BOUND_POINTS:
            self._make_room()

    def flush(self, *, patience_s: float = PATIENCE_S) -> None:
        """Return when everything put before is acknowledged.

        Raises Unavailable when the place does not answer in time (the points are still held), and
        what it refused them with.
        """
        deadline = time.monotonic() + patience_s
        while True:
            try:
                with self._sending:
                    self._send_all()
                return
            except MAY_PASS:
                rest = deadline - time.monotonic()
                if rest <= 0:
                    raise
                time.sleep(min(self._pause_s, rest))

    def close(self, *, patience_s: float = PATIENCE_S) -> None:
        """Flush and let the thread end; it ends also when the flush fails."""
        try:
            self.flush(patience_s=patience_s)
        finally:
            self._closed.set()
            self._wake.set()

    def spooled(self) -> Spool:
        """Write every unacknowledged point to the spool file and return it."""
        with self._sending:
            self._spill()
        return self._spool

    def forget(self) -> None:
        """Begin anew in a forked child: what was put before is the parent's to send."""
        self._points = deque()
        self._head = []
        self._spool = self._spool.of_this_process()
        self._sending = threading.RLock()
        self._wake = threading.Event()
        self._thread = None

    def _start(self) -> None:
        with self._sending:
            if self._thread is None:
                name = f"treadle-log-{self._run_id[-6:]}"
                self._thread = threading.Thread(target=self._work, name=name, daemon=True)
                self._thread.start()

    def _work(self) -> None:
        while not self._closed.is_set() and self._refusal is None:
            self._wake.wait(INTERVAL_S)
            self._wake.clear()
            try:
                with self._sending:
                    if self._closed.is_set():
                        return  # what is left is in a file that is another's to send by now
                    self._send_all()
            except MAY_PASS:
                self._closed.wait(self._pause_s)
            except TreadleError:
                return  # kept as the refusal: the next `put` or `flush` raises it

    def _make_room(self) -> None:
        with self._sending:
            if len(self._points) < BOUND_POINTS:
                return
            if self._is_away:
                self._spill()
                return
            try:
                self._send_all()
            except MAY_PASS:
                self._spill()

    def _send_all(self) -> None:
        """Send what is held, oldest first; the caller holds the lock."""
        if self._refusal is not None:
            raise self._refusal
        try:
            self._spool.replay(self._send, limit=self._place.batch_limit)
            # No more than is there now: a program that goes on logging would never let us end.
            left = len(self._points)
            while self._head or left:
                if not self._head:
                    self._head = self._taken(left)
                    left -= len(self._head)
                self._send(self._head)
                self._head = []
        except MAY_PASS:
            self._is_away = True
            self._pause_s = min(2 * self._pause_s, LONGEST_PAUSE_S)
            raise
        except TreadleError as error:
            self._spill()
            error.hint = f"{error.hint} The points are in {self._spool.path}.".strip()
            self._refusal = error
            raise
        self._is_away, self._pause_s = False, self._first_pause_s

    def _send(self, points: list[Point]) -> None:
        self._place.send(self._run_id, points)

    def _taken(self, count: int) -> list[Point]:
        # Only who holds the lock takes from the left; appending on the right needs none.
        few = min(count, self._place.batch_limit)
        return [self._points.popleft() for _ in range(few)]

    def _spill(self) -> None:
        # Into the head first: should the file fail too, they are still held.
        self._head += [self._points.popleft() for _ in range(len(self._points))]
        if self._head:
            self._spool.append(self._head)
            self._head = []
