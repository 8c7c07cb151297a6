"""The SQL of chunks: where each one is. Functions take a transaction first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    bindparam,
    delete,
    func,
    insert,
    select,
    update,
)

from treadle.storage.schema import MENTIONS, Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from treadle.storage.chunks.packs import Entry
    from treadle.storage.ports import ObjectInfo
    from treadle.storage.transaction import Transaction

# Who sweeps and who makes a version visible must not do so at once; SQLite has one writer anyway.
SWEEP_LOCK = 7_340_002
# So many values to one question: any more are refused by some builds of SQLite.
ASKED_AT_ONCE = 900

packs = Table(
    "packs",
    metadata,
    Column("number", Integer, primary_key=True),
    Column("digest", Text, nullable=False, unique=True, info=MENTIONS),
    Column("size_bytes", BigInteger, nullable=False),
    Column("chunks", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
)

chunks = Table(
    "chunks",
    metadata,
    Column("digest", LargeBinary, primary_key=True),
    Column("pack", Integer, ForeignKey("packs.number"), nullable=False),
    Column("offset", Integer, nullable=False),
    Column("length", Integer, nullable=False),
    Column("raw_length", Integer, nullable=False),
    Index("ix_chunks_pack", "pack"),
)

_INSERT_CHUNK = (
    'INSERT INTO chunks (digest, pack, "offset", length, raw_length) '
    "VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)


class ChunkPlace(NamedTuple):
    """Where a chunk is: the object that holds it, and which bytes of that."""

    pack: str
    offset: int
    length: int
    raw_length: int


class Pack(NamedTuple):
    """A pack that is known: its number, its object, and when it was written."""

    number: int
    digest: str
    size_bytes: int
    created_at: int
    chunks: int


def add_pack(tx: Transaction, info: ObjectInfo, entries: Sequence[Entry], *, at: int) -> None:
    """Make a pack's chunks known; one that is known already stays where it is.

    `at` (µs) is the machine's time: a pack's age counts, whatever day a replayed project has.
    """
    _insert_chunks(tx, _insert_pack(tx, info, len(entries), at=at), entries)


def add_chunks(tx: Transaction, pack: str, entries: Sequence[Entry]) -> None:
    """Make chunks of a known pack known; one that is known already stays where it is."""
    number = tx.execute(select(packs.c.number).where(packs.c.digest == pack)).scalar_one()
    _insert_chunks(tx, number, entries)


def known(tx: Transaction, digests: Collection[bytes]) -> set[bytes]:
    """Return those of the chunks that are stored."""
    return {row[0] for row in _asked(tx, "SELECT digest FROM chunks WHERE digest", digests)}


def places(tx: Transaction, digests: Collection[bytes]) -> dict[bytes, ChunkPlace]:
    """Return where chunks are; those that are nowhere are left out."""
    ask = 'SELECT c.digest, p.digest, c."offset", c.length, c.raw_length FROM chunks c '
    ask += "JOIN packs p ON p.number = c.pack WHERE c.digest"
    return {row[0]: ChunkPlace._make(row[1:]) for row in _asked(tx, ask, digests)}


def _asked(tx: Transaction, ask: str, digests: Collection[bytes]) -> Iterator[tuple[Any, ...]]:
    """Ask for some chunks by their digests."""
    # Asked for every few MB that are read or written: the driver alone takes a tenth of the time.
    for some in _portions(digests):
        if tx.connection.dialect.name == "sqlite":
            yield from tx.driver.execute(f"{ask} IN ({','.join('?' * len(some))})", some)
        else:
            yield from tx.driver.execute(f"{ask} = ANY(%s)", (some,))


def all_packs(tx: Transaction) -> tuple[Pack, ...]:
    """Return every pack, oldest first."""
    query = select(*(packs.c[name] for name in Pack._fields)).order_by(packs.c.number)
    return tuple(Pack._make(row) for row in tx.execute(query))


def is_known_pack(tx: Transaction, digest: str) -> bool:
    """Say whether a pack is known."""
    return tx.execute(select(packs.c.number).where(packs.c.digest == digest)).first() is not None


def chunks_of(tx: Transaction, pack: Pack) -> list[bytes]:
    """Return the chunks that are read from a pack."""
    query = select(chunks.c.digest).where(chunks.c.pack == pack.number)
    return list(tx.execute(query).scalars())


def places_in(tx: Transaction, pack: Pack) -> dict[bytes, ChunkPlace]:
    """Return the chunks that are read from a pack, and where in it."""
    query = select(chunks.c.digest, chunks.c.offset, chunks.c.length, chunks.c.raw_length)
    return {
        row.digest: ChunkPlace(pack.digest, row.offset, row.length, row.raw_length)
        for row in tx.execute(query.where(chunks.c.pack == pack.number))
    }


def lengths_by_pack(tx: Transaction) -> Iterator[tuple[int, bytes, int]]:
    """Yield each chunk's pack, digest and length."""
    query = select(chunks.c.pack, chunks.c.digest, chunks.c.length)
    yield from (tuple(row) for row in tx.execute(query))


def known_packs(tx: Transaction, digests: Collection[str]) -> set[str]:
    """Return which of the objects are packs that are known."""
    return {
        digest
        for some in _portions(digests)
        for digest in tx.execute(select(packs.c.digest).where(packs.c.digest.in_(some))).scalars()
    }


def move_chunks(
    tx: Transaction, info: ObjectInfo, entries: Mapping[Entry, Pack], *, at: int
) -> None:
    """Make a pack known, and have chunks read from it that were read from others."""
    number = _insert_pack(tx, info, len(entries), at=at)
    rows = [
        {
            "of": entry.digest,
            "was_in": pack.number,
            "is_in": number,
            "at": entry.offset,
            "size": entry.length,
            "raw": entry.raw_length,
        }
        for entry, pack in sorted(entries.items())
    ]
    moved = (
        update(chunks)
        .where(chunks.c.digest == bindparam("of"), chunks.c.pack == bindparam("was_in"))
        .values(
            pack=bindparam("is_in"),
            offset=bindparam("at"),
            length=bindparam("size"),
            raw_length=bindparam("raw"),
        )
    )
    tx.execute(moved, rows)


def forget_chunks(tx: Transaction, pack: Pack, digests: Collection[bytes]) -> None:
    """Let chunks be unknown that are read from a pack."""
    for some in _portions(digests):
        tx.execute(delete(chunks).where(chunks.c.pack == pack.number, chunks.c.digest.in_(some)))


def totals(tx: Transaction) -> tuple[int, int]:
    """Return how many chunks are stored, and the bytes of all packs."""
    count = tx.execute(select(func.count()).select_from(chunks)).scalar_one()
    size = tx.execute(select(func.sum(packs.c.size_bytes))).scalar_one()
    return int(count), int(size or 0)


def forget_pack(tx: Transaction, pack: Pack) -> None:
    """Let a pack and its chunks be unknown; the object is the caller's to remove, afterwards."""
    tx.execute(delete(chunks).where(chunks.c.pack == pack.number))
    tx.execute(delete(packs).where(packs.c.number == pack.number))


def lock_to_lean(tx: Transaction) -> None:
    """Keep sweeps away until the transaction ends; others who lean may go on."""
    _lock(tx, "pg_advisory_xact_lock_shared")


def lock_to_sweep(tx: Transaction) -> None:
    """Keep those away who lean on chunks, until the transaction ends."""
    _lock(tx, "pg_advisory_xact_lock")


def _insert_pack(tx: Transaction, info: ObjectInfo, count: int, *, at: int) -> int:
    row = {"digest": info.digest, "size_bytes": info.size_bytes, "chunks": count}
    statement = insert(packs).values(**row, created_at=at).returning(packs.c.number)
    return int(tx.execute(statement).scalar_one())


def _insert_chunks(tx: Transaction, number: int, entries: Sequence[Entry]) -> None:
    # In one order, so that two writers of the same chunks wait for each other only one way. As text
    # for the driver, not as an expression: as many as files, in half the time.
    rows = [(entry[0], number, *entry[1:]) for entry in sorted(entries)]
    mark = "?" if tx.connection.dialect.name == "sqlite" else "%s"
    tx.connection.exec_driver_sql(_INSERT_CHUNK.replace("?", mark), rows)


def _lock(tx: Transaction, function: str) -> None:
    if tx.connection.dialect.name == "postgresql":
        tx.execute(select(getattr(func, function)(SWEEP_LOCK)))


def _portions(digests: Collection[Any]) -> Iterator[list[Any]]:
    asked = list(digests)
    for start in range(0, len(asked), ASKED_AT_ONCE):
        yield asked[start : start + ASKED_AT_ONCE]
