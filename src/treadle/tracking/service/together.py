"""Writes that wait for the disk together."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Any, TypeVar

from treadle.kernel.actors import current_actor

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction

MOST = 64

T = TypeVar("T")


class _Waiting:
    __slots__ = ("actor", "done", "error", "found", "gate", "leads", "work")

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self.work = work
        self.actor = current_actor()
        self.found: Any = None
        self.done = False
        self.leads = False
        self.error: BaseException | None = None
        self.gate = threading.Lock()
        self.gate.acquire()


class Together:
    """One commit for all threads that came while the last one was on its way to the disk.

    SQLite commits one after the other, each as long as the disk's sync takes; eight clients that
    log at once would wait for seven of them. Each work stands alone all the same: an error undoes
    it and nothing else, and nobody is answered before the commit. The log says of a commit who did
    it: only works of one actor go together.
    """

    def __init__(self, metadata: MetadataStore) -> None:
        self._metadata = metadata
        self._lock = threading.Lock()
        self._waiting: deque[_Waiting] = deque()
        self._led = False

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Do a work in a write transaction; what it gives back is durable when it comes."""
        # PostgreSQL writes side by side and shares its syncs itself; and who is inside a write
        # holds the turn that others wait for.
        if self._metadata.dialect != "sqlite" or self._metadata.is_writing():
            with self._metadata.write() as tx:
                return work(tx)
        mine = _Waiting(work)
        if not self._first(mine):
            self._wait(mine)
        if not mine.done:
            self._lead()
        if mine.error is not None:
            raise mine.error
        found: T = mine.found
        return found

    def _first(self, mine: _Waiting) -> bool:
        with self._lock:
            self._waiting.append(mine)
            first, self._led = not self._led, True
            return first

    def _wait(self, mine: _Waiting) -> None:
        try:
            # Opened by who has done it with his own, or who makes us the next to lead.
            mine.gate.acquire()
        except BaseException:  # interrupted: nobody must wait for us to lead
            with self._lock:
                if mine in self._waiting:
                    self._waiting.remove(mine)
                if mine.leads:
                    self._pass_on()
            raise

    def _pass_on(self) -> None:
        self._led = bool(self._waiting)
        if self._led:
            self._waiting[0].leads = True
            self._waiting[0].gate.release()

    def _lead(self) -> None:
        with self._lock:
            taken = [self._waiting.popleft()]
            while self._waiting and len(taken) < MOST and self._waiting[0].actor == taken[0].actor:
                taken.append(self._waiting.popleft())
        self._do(taken)
        with self._lock:
            self._pass_on()
        for each in taken[1:]:
            each.gate.release()

    def _do(self, taken: list[_Waiting]) -> None:
        try:
            with self._metadata.write() as tx:
                if len(taken) == 1:
                    taken[0].found = taken[0].work(tx)
                else:
                    for each in taken:
                        self._try(each)
        except BaseException as error:  # noqa: BLE001 - each raises it in its own thread
            for each in taken:
                each.error = each.error or error
        finally:
            for each in taken:
                each.done = True

    def _try(self, each: _Waiting) -> None:
        try:
            with self._metadata.write() as tx:
                each.found = each.work(tx)
        except Exception as error:  # noqa: BLE001 - raised in the thread that waits for it
            each.error = error
