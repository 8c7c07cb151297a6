"""The SQL of ingestions: how they were set, and how far they have come."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import (
    Column,
    ForeignKey,
    Integer,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from treadle.data.ingestion.entities import Ingestion, IngestionBody, KnownRanges, Mark
from treadle.storage.schema import Instant, Json, metadata, plain

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

ingestions = Table(
    "ingestions",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("removed_at", Instant),
)

marks = Table(
    "ingestion_marks",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("watermark", Text, nullable=False),
    Column("source_mark", Text, nullable=False),
    Column("counts", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Column("ranges", Json, nullable=True),
)


def latest_ingestion(tx: Transaction, name: str) -> Ingestion | None:
    """Return how a dataset grows now, None when it does not."""
    return next((i for i in current_ingestions(tx) if i.dataset == name), None)


def current_ingestions(tx: Transaction) -> tuple[Ingestion, ...]:
    """Return every ingestion that was not removed, by dataset."""
    newest = (
        select(ingestions.c.dataset, func.max(ingestions.c.number).label("number"))
        .group_by(ingestions.c.dataset)
        .subquery()
    )
    query = (
        select(ingestions)
        .join(
            newest,
            (newest.c.dataset == ingestions.c.dataset) & (newest.c.number == ingestions.c.number),
        )
        .where(ingestions.c.removed_at.is_(None))
        .order_by(ingestions.c.dataset)
    )
    return tuple(
        Ingestion(
            dataset=row.dataset,
            number=row.number,
            body=msgspec.convert(row.body, IngestionBody),
            created_at=row.created_at,
        )
        for row in tx.execute(query)
    )


def next_number(tx: Transaction, name: str) -> int:
    """Return the number that the next setting of a dataset's ingestion has."""
    query = select(func.max(ingestions.c.number)).where(ingestions.c.dataset == name)
    return int(tx.execute(query).scalar_one() or 0) + 1


def insert_ingestion(tx: Transaction, ingestion: Ingestion) -> None:
    """Store how a dataset grows."""
    tx.execute(insert(ingestions), msgspec.to_builtins(ingestion))


def mark_removed(tx: Transaction, ingestion: Ingestion) -> None:
    """Have a dataset grow no longer."""
    chosen = ingestions.c.dataset == ingestion.dataset, ingestions.c.number == ingestion.number
    tx.execute(update(ingestions).where(*chosen).values(removed_at=tx.at))


def mark_of(tx: Transaction, name: str) -> Mark | None:
    """Return how far the ingestion of a dataset has come, None before its first run."""
    row = tx.execute(select(marks).where(marks.c.dataset == name)).first()
    return msgspec.convert(plain(row._mapping), Mark) if row else None  # noqa: SLF001 - SQLAlchemy's public way to a row's names


def known_ranges(tx: Transaction, name: str) -> KnownRanges | None:
    """Return what the last run learned of the parts that are held."""
    kept = tx.execute(select(marks.c.ranges).where(marks.c.dataset == name)).scalar()
    return msgspec.convert(kept, KnownRanges) if kept else None


def save_mark(tx: Transaction, mark: Mark, *, ranges: KnownRanges | None) -> None:
    """Store how far an ingestion has come, in place of what was known."""
    forget_mark(tx, mark.dataset)
    known = msgspec.to_builtins(ranges)
    tx.execute(insert(marks), msgspec.to_builtins(mark) | {"ranges": known})


def forget_mark(tx: Transaction, name: str) -> None:
    """Have the next run begin from the start."""
    tx.execute(delete(marks).where(marks.c.dataset == name))
