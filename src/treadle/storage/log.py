"""The event log's verbs: read it, seal it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import SystemClock
from treadle.kernel.paging import Page, page_of
from treadle.storage import events
from treadle.storage.events import Checkpoint, Event, checkpoint_message

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.storage.keys import Signer
    from treadle.storage.ports import MetadataStore

_MACHINE = SystemClock()


class EventLog:
    """Everything that happened, in order. Writing is done by transactions; this reads and seals."""

    def __init__(self, store: MetadataStore, *, signer: Signer) -> None:
        self._store = store
        self._signer = signer

    def read(
        self,
        *,
        after: int = 0,
        until: int | None = None,
        kinds: Iterable[str] = (),
        subject: str | None = None,
        limit: int | None = None,
    ) -> list[Event]:
        """Return events in log order: after a seq, until an instant, by kind, by subject."""
        with self._store.read() as tx:
            found = events.read(
                tx.connection, after=after, until=until, kinds=kinds, subject=subject, limit=limit
            )
            return list(found)

    def newest(
        self,
        *,
        limit: int,
        offset: int = 0,
        kinds: Iterable[str] = (),
        subject: str | Sequence[str] | None = None,
    ) -> Page[Event]:
        """Return a page of events, newest first: of some kinds, about a subject or several."""
        kinds = tuple(kinds)
        with self._store.read() as tx:
            total = events.count(tx.connection, kinds=kinds, subject=subject)
            found = events.read(
                tx.connection,
                kinds=kinds,
                subject=subject,
                limit=limit + offset,
                newest_first=True,
            )
            items = tuple(found)[offset:]
        return page_of(items, total=total, offset=offset)

    def last(self) -> Event | None:
        """Return the newest event, or None when nothing has happened yet."""
        with self._store.read() as tx:
            return events.last(tx.connection)

    def checkpoints(self) -> list[Checkpoint]:
        """Return every checkpoint in log order."""
        with self._store.read() as tx:
            return events.read_checkpoints(tx.connection)

    def seal(self) -> Checkpoint | None:
        """Sign where the log stands now; None when nothing happened since the last seal."""
        with self._store.write() as tx:
            last = events.last(tx.connection)
            sealed = events.read_checkpoints(tx.connection)
            if last is None or (sealed and sealed[-1].seq >= last.seq):
                return None
            now = _MACHINE.now()
            checkpoint = Checkpoint(
                seq=last.seq,
                hash=last.hash,
                recorded_at=now,
                key=self._signer.key_id,
                signature=self._signer.sign(checkpoint_message(last.seq, last.hash, now)),
            )
            events.write_checkpoint(tx.connection, checkpoint)
        return checkpoint
