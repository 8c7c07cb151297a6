"""The driver's own statements, for what is done a thousand times a second.

SQLAlchemy would compile and bind every value in Python; what is written here goes through as it is,
yet its errors are explained like all others.
"""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import CursorResult, Table

    from treadle.storage.transaction import Transaction


def run(tx: Transaction, sql: str, values: Any = ()) -> CursorResult[Any]:
    """Run SQL whose places are `?` on either dialect; a list of rows runs it for each.

    `IN (??)` is a place for a list, however long it is.
    """
    if is_postgres(tx):
        return tx.connection.exec_driver_sql(_percent(sql), values)
    if type(values) is tuple:
        values = tuple(_listed(value) for value in values)
    return tx.connection.exec_driver_sql(_json(sql), values)


def fetch(tx: Transaction, sql: str, *values: Any) -> Sequence[Any]:
    """Return the rows of a query, as the driver has them."""
    result = run(tx, sql, values)
    # SQLAlchemy's rows know their columns' names; of a hundred thousand rows nobody asks.
    found: Sequence[Any] = result.cursor.fetchall()
    result.close()
    return found


def tell(tx: Transaction, sql: str, *values: Any) -> Any:
    """Run SQL by the driver alone; return its cursor. Inside `tx.at_once` nothing is waited for."""
    cursor = tx.driver.cursor()
    if is_postgres(tx):
        return cursor.execute(_percent(sql), values)
    return cursor.execute(_json(sql), tuple(_listed(value) for value in values))


def first(tx: Transaction, sql: str, *values: Any) -> Any:
    """Return the first row of a query, or None; on PostgreSQL a BEGIN before it goes with it."""
    with tx.at_once():
        told = tell(tx, sql, *values)
    return told.fetchone()


def insert_into(tx: Transaction, table: Table) -> Any:
    """Return an insert that knows ON CONFLICT; SQLAlchemy has it on each dialect's own."""
    return postgresql.insert(table) if is_postgres(tx) else sqlite.insert(table)


def added(tx: Transaction, table: Table, row: dict[str, Any]) -> bool:
    """Insert a row unless it is there; say whether it was inserted."""
    statement = insert_into(tx, table).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(*table.primary_key)).first() is not None


def is_postgres(tx: Transaction) -> bool:
    """Say whether a transaction is one of PostgreSQL's."""
    return tx.connection.dialect.name == "postgresql"


def _listed(value: Any) -> Any:
    return msgspec.json.encode(value).decode() if type(value) is list else value


@functools.cache
def _percent(sql: str) -> str:
    return sql.replace("%", "%%").replace("IN (??)", "= ANY(%s)").replace("?", "%s")


@functools.cache
def _json(sql: str) -> str:
    return sql.replace("IN (??)", "IN (SELECT value FROM json_each(?))")
