"""Tell listening pages what happens: the event log, looked at while somebody listens."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import msgspec
from starlette.concurrency import run_in_threadpool

from treadle.kernel.errors import TreadleError, Unavailable
from treadle.server.ui.sentences import sentence

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from treadle.storage.events import Event
    from treadle.storage.log import EventLog

POLL_S = 0.25
# A sign of life, so that a connection whose reader is gone is found out.
QUIET_S = 15.0
LISTENERS_MOST = 64
BATCH_MOST = 200
WAITING_MOST = 16

_ENCODE = msgspec.json.Encoder().encode
_LOGGER = logging.getLogger(__name__)


class LiveFeed:
    """One look at the log serves all listeners; without listeners nothing is looked at.

    Bounded: at most LISTENERS_MOST streams; of a flood only the newest BATCH_MOST events are told;
    a reader that falls WAITING_MOST batches behind is cut off, and connects again by itself.
    """

    def __init__(self, log: EventLog, *, poll_s: float = POLL_S) -> None:
        self._log = log
        self._poll_s = poll_s
        self._listeners: set[asyncio.Queue[bytes | None]] = set()
        self._looking: asyncio.Task[None] | None = None
        self._placed = asyncio.Event()
        self._closed = False
        self._others: WeakKeyDictionary[EventLog, LiveFeed] = WeakKeyDictionary()

    def of(self, log: EventLog) -> LiveFeed:
        """Return the feed of a log: this one, or that of a tenant, which ends with this one."""
        if log is self._log:
            return self
        if log not in self._others:
            self._others[log] = LiveFeed(log, poll_s=self._poll_s)
        return self._others[log]

    @property
    def listeners(self) -> int:
        """How many streams are open."""
        return len(self._listeners)

    def admit(self) -> None:
        """Raise Unavailable when no more can listen."""
        if self._closed or len(self._listeners) >= LISTENERS_MOST:
            raise Unavailable(
                f"{len(self._listeners)} pages listen already.",
                hint="Close some; a page reads the same without live news.",
            )

    async def listen(self) -> AsyncIterator[bytes]:
        """Yield server-sent events until the reader goes or the server stops."""
        news: asyncio.Queue[bytes | None] = asyncio.Queue(WAITING_MOST)
        self._listeners.add(news)
        try:
            if self._looking is None or self._looking.done():
                self._placed.clear()
                self._looking = asyncio.create_task(self._look())
            # Only who knows where the log ends now can promise to tell what comes after.
            await self._placed.wait()
            yield b": listening\nretry: 1000\n\n"
            while not self._closed:
                try:
                    told = await asyncio.wait_for(news.get(), QUIET_S)
                except TimeoutError:
                    told = b": quiet\n\n"
                if told is None:
                    return
                yield told
        finally:
            self._listeners.discard(news)

    def close(self) -> None:
        """End every stream; called on the event loop's own thread."""
        self._closed = True
        for other in list(self._others.values()):
            other.close()
        for news in self._listeners:
            _cut(news)

    async def _look(self) -> None:
        seq: int | None = None
        while self._listeners and not self._closed:
            try:
                seq = await self._told_until(seq)
            except TreadleError as error:
                # The store is away: pages hear nothing new until it is back.
                _LOGGER.warning("cannot look at the event log: %s", error)
            self._placed.set()
            await asyncio.sleep(self._poll_s)

    async def _told_until(self, seq: int | None) -> int:
        if seq is None:
            return await self._newest()
        found = await run_in_threadpool(self._log.read, after=seq, limit=BATCH_MOST)
        if not found:
            return seq
        # More came than was read: the pages look anew anyhow, the middle can be left out. Its end
        # is known before they are told: what comes after they have looked is told again.
        end = found[-1].seq if len(found) < BATCH_MOST else await self._newest()
        self._tell(b"".join(map(fact, found)))
        return end

    async def _newest(self) -> int:
        last = await run_in_threadpool(self._log.last)
        return last.seq if last else 0

    def _tell(self, news: bytes) -> None:
        for listener in self._listeners:
            if listener.full():
                _cut(listener)
            else:
                listener.put_nowait(news)


def fact(event: Event) -> bytes:
    """Return an event as one server-sent event."""
    told = {
        "seq": event.seq,
        "kind": event.kind,
        "subject": event.subject,
        "line": sentence(event),
    }
    return b"event: fact\ndata: " + _ENCODE(told) + b"\n\n"


def _cut(listener: asyncio.Queue[bytes | None]) -> None:
    while not listener.empty():
        listener.get_nowait()
    listener.put_nowait(None)
