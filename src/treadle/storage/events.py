"""The event log: facts in order, chained by SHA-256, sealed by signed checkpoints.

A fact is a frozen struct a noun declares; an event is a fact with its place in the chain. The hash
of an event covers everything about it and the hash before it, so that no event can be changed,
removed or slipped in without every later hash being wrong. `treadle.governance.verify_log` checks a
log with nothing but the standard library.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, TypeVar

import msgspec
from msgspec.structs import astuple
from sqlalchemy import BigInteger, Column, Index, Table, Text, func, insert, select

from treadle.kernel.digests import canonical_json, sha256_hex
from treadle.storage.schema import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sqlalchemy import Connection

FIRST_LINK = "0" * 64
# Any number will do as long as every writer of the log takes the same one.
LOG_LOCK = 7_340_001

F = TypeVar("F", bound="Fact")

events = Table(
    "events",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("kind", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", Text, nullable=False),
    Column("hash", Text, nullable=False),
    Index("ix_events_subject_seq", "subject", "seq"),
    Index("ix_events_kind_seq", "kind", "seq"),
    Index("ix_events_at", "at"),
)

checkpoints = Table(
    "checkpoints",
    metadata,
    Column("seq", BigInteger, primary_key=True, autoincrement=False),
    Column("hash", Text, nullable=False),
    Column("recorded_at", Instant, nullable=False),
    Column("key", Text, nullable=False),
    Column("signature", Text, nullable=False),
)


_END = "SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1"
_APPEND = """
    INSERT INTO events (seq, at, recorded_at, kind, subject, actor, body, previous, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened to a noun. Subclasses name their `kind` and their subject.

    `kind` reads `noun.happened` (`model.registered`); `subject()` reads `noun/name` (`model/late`).
    The fields hold all that is needed to rebuild the noun's tables.
    """

    kind: ClassVar[str] = ""

    def subject(self) -> str:
        """Return what the fact is about, as `noun/name`."""
        return self.kind.split(".", maxsplit=1)[0]


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """A fact in its place in the log.

    `at` is the instant by the project's clock (a replay's own), `recorded_at` by the machine's.
    """

    seq: int
    at: int
    recorded_at: int
    kind: str
    subject: str
    actor: str
    body: str
    previous: str
    hash: str

    def facts(self) -> dict[str, Any]:
        """Return the fact's fields as plain values."""
        fields: dict[str, Any] = msgspec.json.decode(self.body)
        return fields

    def as_fact(self, kind: type[F]) -> F:
        """Return the fact as the struct it was written from."""
        return msgspec.json.decode(self.body, type=kind)


class Checkpoint(msgspec.Struct, frozen=True, kw_only=True):
    """A signed statement that the log ended with this hash at this place."""

    seq: int
    hash: str
    recorded_at: int
    key: str
    signature: str


def link(event: Event) -> str:
    """Return the hash an event must carry: SHA-256 of its other fields in canonical JSON."""
    fields = [
        event.seq,
        event.at,
        event.recorded_at,
        event.kind,
        event.subject,
        event.actor,
        event.body,
        event.previous,
    ]
    return sha256_hex(canonical_json(fields))


def locked_end(connection: Connection) -> tuple[int, str]:
    """Return the number and hash of the last event; nobody else appends until this one commits."""
    cursor = connection.connection.cursor()
    if connection.dialect.name == "postgresql":
        # One message, yet two statements: the second sees what was committed while the first
        # waited, which one statement with both in it would not.
        cursor.execute(f"SELECT pg_advisory_xact_lock({LOG_LOCK}); {_END}")
        cursor.nextset()
    else:
        cursor.execute(_END)  # SQLite has one writer anyway
    row = cursor.fetchone()
    cursor.close()
    return (0, FIRST_LINK) if row is None else (row[0], row[1])


def append(
    connection: Connection,
    facts: Sequence[Fact],
    *,
    after: tuple[int, str],
    at: int,
    recorded_at: int,
    actor: str,
) -> None:
    """Write facts behind the locked end of the log, chained."""
    seq, previous = after
    rows: list[tuple[int | str, ...]] = []
    for fact in facts:
        seq += 1
        draft = Event(
            seq=seq,
            at=at,
            recorded_at=recorded_at,
            kind=fact.kind,
            subject=fact.subject(),
            actor=actor,
            body=canonical_json(fact).decode(),
            previous=previous,
            hash="",
        )
        previous = link(draft)
        rows.append((*astuple(draft)[:-1], previous))
    place = "%s" if connection.dialect.name == "postgresql" else "?"
    connection.connection.cursor().executemany(_APPEND.replace("?", place), rows)


def read(
    connection: Connection,
    *,
    after: int = 0,
    until: int | None = None,
    kinds: Iterable[str] = (),
    subject: str | Sequence[str] | None = None,
    limit: int | None = None,
    newest_first: bool = False,
) -> Iterator[Event]:
    """Yield events in log order: after a seq, until an instant, by kinds, about some subjects."""
    query = _narrowed(select(events), after=after, until=until, kinds=kinds, subject=subject)
    query = query.order_by(events.c.seq.desc() if newest_first else events.c.seq)
    query = query.limit(limit).execution_options(yield_per=1000)
    # Who stops early must not leave the server's cursor open.
    with connection.execute(query) as rows:
        for row in rows.mappings():
            yield Event(**row)


def count(
    connection: Connection,
    *,
    kinds: Iterable[str] = (),
    subject: str | Sequence[str] | None = None,
) -> int:
    """Return how many events there are, of some kinds, about a subject."""
    query = select(func.count()).select_from(events)
    return int(connection.execute(_narrowed(query, kinds=kinds, subject=subject)).scalar_one())


def last(connection: Connection) -> Event | None:
    """Return the newest event, or None when nothing has happened yet."""
    query = select(events).order_by(events.c.seq.desc()).limit(1)
    row = connection.execute(query).mappings().first()
    return Event(**row) if row else None


def read_checkpoints(connection: Connection) -> list[Checkpoint]:
    """Return every checkpoint in log order."""
    rows = connection.execute(select(checkpoints).order_by(checkpoints.c.seq))
    return [Checkpoint(**row) for row in rows.mappings()]


def write_checkpoint(connection: Connection, checkpoint: Checkpoint) -> None:
    """Store a checkpoint."""
    connection.execute(insert(checkpoints), msgspec.structs.asdict(checkpoint))


def checkpoint_message(seq: int, digest: str, recorded_at: int) -> bytes:
    """Return the bytes a checkpoint signs."""
    return f"treadle checkpoint\n{seq}\n{digest}\n{recorded_at}\n".encode()


def _narrowed(
    query: Any,
    *,
    after: int = 0,
    until: int | None = None,
    kinds: Iterable[str] = (),
    subject: str | Sequence[str] | None = None,
) -> Any:
    wanted = tuple(kinds)
    if after:
        query = query.where(events.c.seq > after)
    if until is not None:
        query = query.where(events.c.at <= until)
    if wanted:
        query = query.where(events.c.kind.in_(wanted))
    if subject is not None:
        subjects = [subject] if isinstance(subject, str) else subject
        query = query.where(events.c.subject.in_(subjects))
    return query
