"""Whether the event log's chain holds, looked at as it grows.

Links that were checked once in this process are not checked again, so a page costs only what is
new. Signatures and everything from the start are what `treadle audit verify` checks.
"""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

from treadle.server.ui.contexts import Chain
from treadle.storage.events import FIRST_LINK, link

if TYPE_CHECKING:
    from treadle.storage.events import Event
    from treadle.storage.log import EventLog

LINKS_AT_ONCE = 1500


class ChainWatch:
    """Remembers how far the chain was found whole. May be shared by threads."""

    def __init__(self, log: EventLog) -> None:
        self._log = log
        self._lock = threading.Lock()
        self._seq = 0
        self._head = FIRST_LINK
        self._broken: int | None = None
        self._checked_us: int | None = None
        self._catching_up: threading.Thread | None = None
        self._others: WeakKeyDictionary[EventLog, ChainWatch] = WeakKeyDictionary()

    def of(self, log: EventLog) -> ChainWatch:
        """Return the watch over a log: this one, or that over a tenant's."""
        if log is self._log:
            return self
        with self._lock:
            return self._others.setdefault(log, ChainWatch(log))

    def look(self) -> Chain:
        """Check some new links and say what is known; what is left is checked in the background."""
        with self._lock:
            self._check(self._log.read(after=self._seq, limit=LINKS_AT_ONCE))
            last = self._log.last()
            events = last.seq if last else 0
            if self._broken is None and self._seq < events:
                self._catch_up()
            return self._said(events)

    def _check(self, found: list[Event]) -> None:
        if self._broken is not None:
            return
        for event in found:
            whole = event.seq == self._seq + 1 and event.previous == self._head
            if not whole or link(event) != event.hash:
                self._broken = event.seq
                return
            self._seq, self._head = event.seq, event.hash
        self._checked_us = time.time_ns() // 1000

    def _catch_up(self) -> None:
        if self._catching_up is None or not self._catching_up.is_alive():
            self._catching_up = threading.Thread(
                target=self._follow, name="treadle-chain", daemon=True
            )
            self._catching_up.start()

    def _follow(self) -> None:
        while True:
            found = self._log.read(after=self._seq, limit=LINKS_AT_ONCE)
            with self._lock:
                # A page may have checked the same links while they were read.
                self._check([event for event in found if event.seq > self._seq])
            if len(found) < LINKS_AT_ONCE or self._broken is not None:
                return

    def _said(self, events: int) -> Chain:
        if self._broken is not None:
            state, note = "broken", f"event {self._broken} is not what was written"
        elif self._seq < events:
            state, note = "unchecked", f"checked up to {self._seq:,}"
        else:
            state, note = "verified", ""
        return Chain(
            state=state, events=events, head=self._head, checked_us=self._checked_us, note=note
        )
