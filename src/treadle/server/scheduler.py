"""What happens by itself while a home is up: logs compacted and sealed, loops moved."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from treadle.kernel.actors import acting_as
from treadle.kernel.errors import TreadleError
from treadle.monitoring.webhooks.courier import Courier

if TYPE_CHECKING:
    from treadle.app import App
    from treadle.release.entities import Decision

ACTOR = "scheduler"
COMPACT_S = 5.0
REQUEUE_S = 5.0
LOOP_S = 30.0
SEAL_S = 60.0
WEBHOOKS_S = 2.0
SWEEP_S = 3600.0
RUNS_S = 15.0

_LOGGER = logging.getLogger(__name__)

Retrain = Callable[[str, "Decision"], object]
"""What to do when the policy of an endpoint wants a challenger."""


@dataclass(frozen=True, kw_only=True)
class Duty:
    """Something to do every so often. A `shared` one is done by one control process of many."""

    name: str
    every_s: float
    do: Callable[[], object]
    shared: bool = False


class Scheduler:
    """Does its duties in a thread of its own, one after the other.

    With several control processes on one metadata store each turn of a shared duty is taken once.
    A duty that fails is told in the log and done again at its next turn.
    """

    def __init__(
        self, app: App, *, retrain: Retrain | None = None, courier: Courier | None = None
    ) -> None:
        self._app = app
        self._retrain = retrain
        self._courier = courier or Courier()
        self._owns_courier = courier is None
        self._duties = self._plan()
        self._due = dict.fromkeys((duty.name for duty in self._duties), 0.0)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treadle-scheduler", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Finish the duty in hand and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        if self._owns_courier:
            self._courier.close()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def run_due(self) -> tuple[str, ...]:
        """Do every duty whose time has come; return their names."""
        now = time.monotonic()
        due = [duty for duty in self._duties if self._due[duty.name] <= now]
        for duty in due:
            if self._stopping.is_set():
                break
            self._due[duty.name] = now + duty.every_s
            self._try(duty)
        return tuple(duty.name for duty in due)

    def move_loops(self) -> None:
        """Move the loop of every endpoint that follows a policy, and ask for challengers."""
        for policy in self._app.releases.policies():
            tick = self._app.loop.tick(policy.endpoint)
            if self._retrain is not None and tick.decision.yes:
                self._retrain(policy.endpoint, tick.decision)

    def _plan(self) -> tuple[Duty, ...]:
        app = self._app
        duties = (
            # Segments lie on this machine: every control process compacts its own.
            Duty(name="compact", every_s=COMPACT_S, do=app.serving.compact),
            Duty(name="requeue", every_s=REQUEUE_S, do=app.jobs.requeue_expired),
            Duty(name="seal", every_s=SEAL_S, do=app.log.seal, shared=True),
            # Processes are of this machine: every control process looks for its own.
            Duty(name="runs", every_s=RUNS_S, do=app.tracking.fail_gone),
            # Each webhook is claimed by who tells it.
            Duty(name="webhooks", every_s=WEBHOOKS_S, do=self._send_courier),
            Duty(name="sweep", every_s=SWEEP_S, do=app.artifacts.sweep_drafts, shared=True),
        )
        if app.replays:  # who plays the past also moves its loops, at its own pace
            return duties
        return (*duties, Duty(name="loops", every_s=LOOP_S, do=self.move_loops, shared=True))

    def _send_courier(self) -> None:
        self._courier.send(self._app.webhooks)

    def _work(self) -> None:
        while not self._stopping.is_set():
            self.run_due()
            soonest = min(self._due.values(), default=time.monotonic())
            self._stopping.wait(max(0.05, soonest - time.monotonic()))

    def _try(self, duty: Duty) -> None:
        try:
            with acting_as(ACTOR):
                if not duty.shared or self._app.jobs.take_turn(duty.name, every_s=duty.every_s):
                    duty.do()
        except TreadleError as error:
            _LOGGER.warning("%s: %s", duty.name, error)
        except Exception:
            # A bug in one duty must not end the others; it is told in full, every time.
            _LOGGER.exception("%s failed", duty.name)
