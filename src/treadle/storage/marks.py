"""Marks of homes: what differs once somebody has written there, looked at without opening them."""

from __future__ import annotations

import contextlib
import time
from typing import TYPE_CHECKING

from sqlalchemy import text

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence
    from pathlib import Path

    from treadle.storage.transaction import Transaction

# File times move in steps: of a file written a moment ago the next write may show no other time.
SETTLED_NS = 1_000_000_000


def mark_of_file(database: Path) -> Hashable:
    """Return the mark of a SQLite database, or None while it may not tell the next write."""
    files = (database, database.with_name(f"{database.name}-wal"))
    seen: list[tuple[int, int]] = []
    for file in files:
        with contextlib.suppress(FileNotFoundError):
            found = file.stat()
            seen.append((found.st_mtime_ns, found.st_size))
    newest = max((mtime for mtime, _ in seen), default=0)
    return None if time.time_ns() - newest < SETTLED_NS else tuple(seen)


def marks_of_schemas(tx: Transaction, schemas: Sequence[str]) -> dict[str, int]:
    """Return the number of the newest event of each of these schemas of PostgreSQL with a log.

    Whoever watches many homes asks the database once, not each of them.
    """
    logs = text(
        "SELECT schemaname FROM pg_tables WHERE tablename = 'events' AND schemaname = ANY(:names)"
    )
    there = tx.execute(logs, {"names": list(schemas)}).scalars().all()
    if not there:
        return {}
    quote = tx.connection.dialect.identifier_preparer.quote_identifier
    # Names of schemas cannot be bound; the one of a row is found again by its place.
    each = (
        f"SELECT {place}, coalesce(max(seq), 0) FROM {quote(name)}.events"  # noqa: S608 - quoted
        for place, name in enumerate(there)
    )
    rows = tx.connection.exec_driver_sql(" UNION ALL ".join(each))
    return {there[place]: seq for place, seq in rows}
