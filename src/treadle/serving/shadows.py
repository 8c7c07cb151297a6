"""A bounded queue for answers nobody waits for."""

from __future__ import annotations

import logging
import queue
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

# At 5 ms a prediction this is more than a second behind: better to drop than to lag further.
CAPACITY = 256

_LOG = logging.getLogger(__name__)


class ShadowQueue:
    """Runs work after the caller was answered, one piece at a time, and never makes anybody wait.

    `reserve` first: it says at once whether there is room, so that what is dropped can be recorded
    with the answer. Each reservation is used by one `submit`.
    """

    def __init__(self, *, capacity: int = CAPACITY) -> None:
        self._room = threading.BoundedSemaphore(capacity)
        self._waiting: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._work, name="shadows", daemon=True)
        self._thread.start()

    def reserve(self) -> bool:
        """Take a place in the queue; False when it is full."""
        return self._room.acquire(blocking=False)

    def submit(self, work: Callable[[], None]) -> None:
        """Run work in a place that was reserved."""
        self._waiting.put(work)

    def close(self, *, timeout_s: float) -> bool:
        """Finish what waits, for so long; True when all of it was done."""
        self._waiting.put(None)
        self._thread.join(timeout_s)
        return not self._thread.is_alive()

    def settle(self, *, timeout_s: float) -> bool:
        """Wait until what was submitted before this call is done; True when it was in time."""
        deadline, done = time.monotonic() + timeout_s, threading.Event()
        if not self._room.acquire(timeout=timeout_s):
            return False
        self._waiting.put(done.set)
        return done.wait(max(0.0, deadline - time.monotonic()))

    def _work(self) -> None:
        while (work := self._waiting.get()) is not None:
            try:
                work()
            except Exception:  # noqa: BLE001 - nobody waits for a shadow; the next must run
                _LOG.exception("A shadow could not answer.")
            finally:
                self._room.release()
