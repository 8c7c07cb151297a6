"""SQL of saved views."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import Column, Table, Text, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from treadle.storage.schema import Instant, metadata

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

saved_views = Table(
    "saved_views",
    metadata,
    Column("page", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("query", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)


def put_view(tx: Transaction, *, page: str, name: str, query: str) -> None:
    """Save a view; one of the same name is replaced."""
    is_postgres = tx.connection.dialect.name == "postgresql"
    insert = postgresql.insert if is_postgres else sqlite.insert
    row = {"page": page, "name": name, "query": query, "created_at": tx.at}
    statement = insert(saved_views).values(row)
    changed = {"query": query, "created_at": tx.at}
    tx.execute(statement.on_conflict_do_update(index_elements=["page", "name"], set_=changed))


def list_views(tx: Transaction, *, page: str) -> list[tuple[str, str, int]]:
    """Return name, query and instant of each view of a page, by name."""
    c = saved_views.c
    wanted = select(c.name, c.query, c.created_at).where(c.page == page).order_by(c.name)
    return [(row.name, row.query, row.created_at) for row in tx.execute(wanted)]


def count_views(tx: Transaction, *, page: str) -> int:
    """Return how many views of a page are saved."""
    count = select(func.count()).select_from(saved_views).where(saved_views.c.page == page)
    return int(tx.execute(count).scalar_one())


def remove_view(tx: Transaction, *, page: str, name: str) -> bool:
    """Remove a view; say whether it was there."""
    c = saved_views.c
    gone = delete(saved_views).where(c.page == page, c.name == name)
    return tx.execute(gone).rowcount > 0
