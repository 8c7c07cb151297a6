"""Tells webhooks in threads of its own: no receiver holds up another, nor who sends the courier."""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING, Self

from treadle.kernel.actors import acting_as
from treadle.kernel.errors import TreadleError

if TYPE_CHECKING:
    from treadle.monitoring.webhooks.entities import Waiting
    from treadle.monitoring.webhooks.service import Webhooks

THREADS = 16
# Receivers that did not take the last thing they were told: they hang together, not with the rest.
THREADS_OF_FAILING = 4
STOP_S = 2.0
ACTOR = "scheduler"

_LOGGER = logging.getLogger(__name__)


class Courier:
    """Delivers for any number of homes, each webhook in one thread at a time.

    At most `threads` at once; of those at most `failing` for receivers that failed last time, so
    that they hold up none but each other. A receiver that hangs for the first time has a thread
    until its time is over; then it is one of the failing, and is asked ever later.
    """

    def __init__(self, *, threads: int = THREADS, failing: int = THREADS_OF_FAILING) -> None:
        self._threads = threads
        self._failing = failing
        self._changed = threading.Condition()
        # What is under way: the home's webhooks and the id, and whether it failed last time.
        self._under_way: dict[tuple[Webhooks, str], bool] = {}
        self._closing = False

    def send(self, webhooks: Webhooks) -> int:
        """Begin to tell the webhooks of a home that are due, as many as may be; return how many."""
        begun = 0
        for waiting in webhooks.due():
            begun += self._begin(webhooks, waiting)
        return begun

    def is_busy(self, webhooks: Webhooks) -> bool:
        """Say whether a delivery of this home is under way."""
        with self._changed:
            return any(home is webhooks for home, _ in self._under_way)

    def wait(self, *, seconds: float) -> bool:
        """Wait until nothing is under way, at most so long; say whether it is so."""
        with self._changed:
            return self._changed.wait_for(lambda: not self._under_way, timeout=seconds)

    def close(self) -> None:
        """Begin nothing more. What a receiver still has in hand it is told again, later."""
        self._closing = True
        self.wait(seconds=STOP_S)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _begin(self, webhooks: Webhooks, waiting: Waiting) -> bool:
        key = (webhooks, waiting.webhook.id)
        failing = waiting.attempts > 0 or bool(waiting.webhook.last_error)
        with self._changed:
            full = len(self._under_way) >= self._threads
            crowded = failing and sum(self._under_way.values()) >= self._failing
            if self._closing or full or crowded or key in self._under_way:
                return False
            self._under_way[key] = failing
        # A daemon: a receiver that hangs must not keep the process from ending.
        threading.Thread(
            target=self._deliver, args=key, name="treadle-courier", daemon=True
        ).start()
        return True

    def _deliver(self, webhooks: Webhooks, webhook_id: str) -> None:
        try:
            with acting_as(ACTOR):
                webhooks.deliver(webhook_id)
        except TreadleError as error:
            _LOGGER.warning("webhook %s: %s", webhook_id, error)
        except Exception:
            # A bug in one delivery must not end in silence: it is told in full.
            _LOGGER.exception("webhook %s could not be told", webhook_id)
        finally:
            with self._changed:
                del self._under_way[webhooks, webhook_id]
                self._changed.notify_all()
