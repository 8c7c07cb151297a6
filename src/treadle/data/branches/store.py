"""The SQL of branches and tags."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, ForeignKey, Integer, Table, Text, delete, insert, select, update

from treadle.data.branches.entities import MAIN, Pointer
from treadle.storage.schema import Instant, metadata, plain

if TYPE_CHECKING:
    from treadle.data.branches.entities import PointerKind
    from treadle.storage.transaction import Transaction

dataset_refs = Table(
    "dataset_refs",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("moved_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
)


def pointer(tx: Transaction, dataset: str, name: str) -> Pointer | None:
    """Return a branch or tag by its name."""
    mine = (dataset_refs.c.dataset == dataset, dataset_refs.c.name == name)
    row = tx.execute(select(dataset_refs).where(*mine)).mappings().first()
    return msgspec.convert(plain(row), Pointer) if row else None


def pointers(tx: Transaction, dataset: str) -> tuple[Pointer, ...]:
    """Return the branches of a dataset, `main` first, then its tags, each by name."""
    query = (
        select(dataset_refs)
        .where(dataset_refs.c.dataset == dataset)
        .order_by(dataset_refs.c.kind, dataset_refs.c.name != MAIN, dataset_refs.c.name)
    )
    return tuple(msgspec.convert(plain(row), Pointer) for row in tx.execute(query).mappings())


def point(
    tx: Transaction, dataset: str, name: str, *, kind: PointerKind, number: int, actor: str
) -> None:
    """Have a branch or tag point at a version; one that is not there is made."""
    mine = (dataset_refs.c.dataset == dataset, dataset_refs.c.name == name)
    moved = {"number": number, "moved_at": tx.at, "actor": actor}
    if tx.execute(update(dataset_refs).where(*mine).values(moved)).rowcount == 0:
        made = {"dataset": dataset, "name": name, "kind": kind, "made_at": tx.at}
        tx.execute(insert(dataset_refs), made | moved)


def drop(tx: Transaction, dataset: str, name: str) -> None:
    """Take a branch or tag away."""
    mine = (dataset_refs.c.dataset == dataset, dataset_refs.c.name == name)
    tx.execute(delete(dataset_refs).where(*mine))
