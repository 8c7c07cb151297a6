"""SQL of the runs that are watched: whose process it is, and when it last gave a sign of life."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Table, Text, delete, literal, select, update
from sqlalchemy.dialects import postgresql, sqlite

from treadle.storage.schema import Instant, metadata
from treadle.tracking.processes import Process
from treadle.tracking.store import driver

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from treadle.storage.transaction import Transaction

# Only runs of our own client: nobody else says that it lives, so of nobody else is it missed.
watched_runs = Table(
    "watched_runs",
    metadata,
    Column("run_id", Text, primary_key=True),
    # All four empty for a process that says by itself that it lives.
    Column("machine", Text, nullable=False),
    Column("boot", Text, nullable=False),
    Column("pid", BigInteger, nullable=False),
    Column("started", Text, nullable=False),
    # By the machine's clock.
    Column("beat_at", Instant, nullable=False),
    # The run was failed because its process was gone: should it live after all, the run goes on.
    Column("gone", Boolean, nullable=False),
)

_NOBODY = Process(machine="", boot="", pid=0, started="")


class Watched(msgspec.Struct, frozen=True, kw_only=True):
    """A run that is watched; without a process it is by the beats of its client."""

    run_id: str
    process: Process | None
    beat_at: int
    gone: bool


def watch(tx: Transaction, run_id: str, *, process: Process | None, at: int) -> None:
    """Watch a run from now on, or go on watching it."""
    insert = sqlite.insert if tx.connection.dialect.name == "sqlite" else postgresql.insert
    values = {**msgspec.structs.asdict(process or _NOBODY), "beat_at": at, "gone": False}
    row = insert(watched_runs).values(run_id=run_id, **values)
    tx.execute(row.on_conflict_do_update(index_elements=["run_id"], set_=values))


def unwatch(tx: Transaction, run_id: str) -> bool:
    """Watch a run no longer; say whether it was held gone. One statement: every run ends by it."""
    query = "DELETE FROM watched_runs WHERE run_id = ? RETURNING gone"
    row: Any = driver.run(tx, query, (run_id,)).fetchone()
    return row is not None and bool(row[0])


def find_watched(tx: Transaction, run_id: str) -> Watched | None:
    """Return how a run is watched."""
    row = tx.execute(select(watched_runs).where(watched_runs.c.run_id == run_id)).mappings().first()
    return None if row is None else _watched(row)


def list_watched(tx: Transaction) -> tuple[Watched, ...]:
    """Return every run that is watched and was not found gone."""
    query = select(watched_runs).where(watched_runs.c.gone.is_(False))
    return tuple(_watched(row) for row in tx.execute(query).mappings())


def is_any_watched(tx: Transaction) -> bool:
    """Say whether a run is watched and was not found gone."""
    query = select(literal(1)).select_from(watched_runs).where(watched_runs.c.gone.is_(False))
    return tx.execute(query.limit(1)).first() is not None


def mark_gone(tx: Transaction, run_id: str) -> None:
    """Write that a run's process is gone."""
    tx.execute(update(watched_runs).where(watched_runs.c.run_id == run_id).values(gone=True))


def forget_gone(tx: Transaction, *, until: int) -> None:
    """Forget those whose last sign of life was long ago: they will give no other."""
    c = watched_runs.c
    tx.execute(delete(watched_runs).where(c.gone.is_(True), c.beat_at <= until))


def _watched(row: RowMapping) -> Watched:
    fields: dict[str, Any] = {**row}
    process = Process(**{name: fields.pop(name) for name in Process.__struct_fields__})
    return Watched(process=process if process != _NOBODY else None, **fields)
