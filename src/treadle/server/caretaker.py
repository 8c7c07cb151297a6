"""Looks after the tenants: what a home does by itself is done for each of them, by one thread.

A tenant in which nothing waits is closed, and nothing of it is looked at but its mark
(`App.tenants`). One whose mark has changed is opened and given what the home itself has: its
duties, and worker processes while jobs wait.
"""

from __future__ import annotations

import contextlib
import logging
import math
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from treadle.execution.processes import WorkerProcesses
from treadle.kernel.actors import acting_as
from treadle.kernel.errors import TreadleError
from treadle.monitoring.webhooks.courier import Courier
from treadle.server.scheduler import ACTOR, Scheduler

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

    from treadle.app import App

LOOK_S = 1.0
# Each has connections of its own, of which a PostgreSQL allows 100 unless told otherwise.
MOST_AWAKE = 16
# How long a tenant stays open after the last thing that happened in it.
QUIET_S = 30.0
CHECK_S = 5.0
# When more want to be awake than may be, each is so for a turn, and again after a while.
TURN_S = 10.0
AGAIN_S = 30.0
# A worker of a tenant ends soon when there is nothing to do, and takes no further job after its
# turn: others may wait for its place.
WORKER_IDLE_S = 2.0
WORKER_TURN_S = 60.0

_LOGGER = logging.getLogger(__name__)


class Caretaker:
    """Does the duties of every tenant there is, and of those that come, in a thread of its own.

    At most `most_awake` are open at once. All of them together have as many worker processes as the
    home itself, one tenant after the other.
    """

    def __init__(self, app: App, *, most_awake: int = MOST_AWAKE, quiet_s: float = QUIET_S) -> None:
        self._app = app
        self._most_awake = most_awake
        self._quiet_s = quiet_s
        self._awake: dict[str, _Awake] = {}
        self._asleep: dict[str, _Asleep] = {}
        self._courier = Courier()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="treadle-tenants", daemon=True)

    @property
    def awake(self) -> tuple[str, ...]:
        """The tenants that are open now."""
        return tuple(self._awake)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End the workers of tenants, close the tenants."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join()
        self._courier.close()
        for tenant in self._awake.values():
            tenant.close()
        self._awake.clear()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def look(self) -> None:
        """Wake who must be looked after, do what is due for those awake, let the others sleep."""
        with acting_as(ACTOR):
            marks = self._app.tenants()
            for name in self._awake.keys() - marks.keys():  # deleted meanwhile
                self._awake.pop(name).close()
            self._asleep = {name: s for name, s in self._asleep.items() if name in marks}
            self._wake(marks)
            for name, tenant in list(self._awake.items()):
                if self._stopping.is_set():
                    return
                self._look_after(name, tenant, mark=marks[name])

    def _work(self) -> None:
        while not self._stopping.is_set():
            try:
                self.look()
            except (TreadleError, OSError) as error:
                _LOGGER.warning("tenants: %s", error)
            except Exception:
                # A bug must not end the care of all; it is told in full, every time.
                _LOGGER.exception("tenants could not be looked after")
            self._stopping.wait(LOOK_S)

    def _wake(self, marks: dict[str, Hashable]) -> None:
        now = time.monotonic()
        wanted = [
            name for name, mark in marks.items()
            if name not in self._awake and self._sleep_of(name).is_over(mark, now=now)
        ]  # fmt: skip
        for name in sorted(wanted, key=lambda name: self._sleep_of(name).since):
            if len(self._awake) >= self._most_awake and not self._make_room(marks):
                return
            self._open(name, mark=marks[name])

    def _sleep_of(self, name: str) -> _Asleep:
        return self._asleep.get(name, _NEVER_SEEN)

    def _open(self, name: str, *, mark: Hashable) -> None:
        try:
            tenant = _Awake(self._app.tenant(name, may_make=False), courier=self._courier)
        except TreadleError as error:
            _LOGGER.warning("tenant %s: %s", name, error)
            now = time.monotonic()
            self._asleep[name] = _Asleep(mark=mark, since=now, again_at=now + AGAIN_S)
            return
        self._awake[name] = tenant
        with self._alone(name, mark=mark):
            was = self._sleep_of(name)
            if was.head is None:
                tenant.look(room=0)
            if was.head in {None, tenant.head} and not tenant.has_work():
                # It was never seen, or only its file was touched, as by whoever closed it last.
                self._put_to_sleep(name, mark=mark)

    def _look_after(self, name: str, tenant: _Awake, *, mark: Hashable) -> None:
        with self._alone(name, mark=mark):
            tenant.look(room=self._app.settings.workers - self._workers_of_others(name))
            if tenant.is_quiet(self._quiet_s):
                tenant.app.log.seal()
                self._put_to_sleep(name, mark=mark)

    @contextlib.contextmanager
    def _alone(self, name: str, *, mark: Hashable) -> Iterator[None]:
        """Let what goes wrong in a tenant be its own: it sleeps a while, the others go on."""
        try:
            yield
        except TreadleError as error:
            _LOGGER.warning("tenant %s: %s", name, error)
        except Exception:
            # A bug is told in full, every time.
            _LOGGER.exception("tenant %s could not be looked after", name)
        else:
            return
        if name in self._awake:
            self._put_to_sleep(name, mark=mark, again_s=AGAIN_S)

    def _workers_of_others(self, name: str) -> int:
        return sum(len(t.workers.pids()) for other, t in self._awake.items() if other != name)

    def _make_room(self, marks: dict[str, Hashable]) -> bool:
        """Put to sleep who has been awake longest and is doing nothing just now."""
        now = time.monotonic()
        for name, tenant in self._awake.items():
            if now - tenant.woken_at >= TURN_S and not tenant.is_at_it():
                self._put_to_sleep(name, mark=marks[name], again_s=AGAIN_S)
                return True
        return False

    def _put_to_sleep(self, name: str, *, mark: Hashable, again_s: float = math.inf) -> None:
        # The mark is older than the last look into the tenant: what came after it changes the mark.
        tenant = self._awake.pop(name)
        now = time.monotonic()
        self._asleep[name] = _Asleep(mark=mark, head=tenant.head, since=now, again_at=now + again_s)
        tenant.close()


@dataclass(frozen=True, kw_only=True)
class _Asleep:
    """A tenant that is closed: how it looked, and when it is looked at again at the latest."""

    mark: Hashable = None
    head: int | None = None
    since: float = -math.inf
    again_at: float = math.inf

    def is_over(self, mark: Hashable, *, now: float) -> bool:
        return mark is None or mark != self.mark or now >= self.again_at


_NEVER_SEEN = _Asleep()


class _Awake:
    """A tenant that is open, with its duties and its workers."""

    def __init__(self, app: App, *, courier: Courier) -> None:
        self.app = app
        self._courier = courier
        self.woken_at = self._happened_at = self._checked_at = time.monotonic()
        self.head = self._head()
        self.workers = WorkerProcesses(
            jobs=app.jobs,
            settings=app.settings,
            idle_s=WORKER_IDLE_S,
            turn_s=WORKER_TURN_S,
        )
        self._scheduler = Scheduler(app, courier=courier)

    def look(self, *, room: int) -> None:
        """Do the duties that are due, and start workers where jobs wait and there is room."""
        self._scheduler.run_due()
        self.workers.tend(most=max(0, room))

    def is_at_it(self) -> bool:
        """Say whether a worker or a delivery of it is under way, which would be cut off."""
        return bool(self.workers.pids()) or self._courier.is_busy(self.app.webhooks)

    def has_work(self) -> bool:
        """Say whether something waits here that happens by itself."""
        return (
            not self.app.jobs.is_idle()
            or self.app.webhooks.is_any_behind()
            or self.app.tracking.is_any_watched()
            or bool(self.app.releases.policies())
        )

    def is_quiet(self, quiet_s: float) -> bool:
        """Say whether nothing waits and nothing has happened for so long."""
        now = time.monotonic()
        if now - self._checked_at < min(CHECK_S, quiet_s):
            return False
        self._checked_at = now
        head = self._head()
        if head != self.head or self.is_at_it() or self.has_work():
            self.head, self._happened_at = head, now
            return False
        return now - self._happened_at >= quiet_s

    def close(self) -> None:
        """End its workers and let go of its connections."""
        with contextlib.closing(self.app):
            try:
                self.workers.close()
            except TreadleError as error:  # whoever deleted it has no more use for its queue
                _LOGGER.warning("%s: %s", self.app.home, error)

    def _head(self) -> int:
        last = self.app.log.last()
        return last.seq if last else 0
