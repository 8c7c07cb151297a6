"""Jobs in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    and_,
    func,
    literal,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.execution.entities import KEY_STATES, Job, Load, Work
from treadle.storage.schema import Instant, Json, may_need_objects, metadata

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping, Select

    from treadle.storage.transaction import Transaction

_STANDS_FOR_ITS_KEY = text("state IN ('queued', 'running', 'done')")

jobs = Table(
    "jobs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("kind", Text, nullable=False),
    Column("key", Text),
    Column("target", Text, nullable=False),
    Column("arguments", Json, nullable=False, info=may_need_objects("job {id}")),
    Column("state", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("max_attempts", Integer, nullable=False),
    Column("ready_at", Instant, nullable=False),
    Column("lease_owner", Text),
    Column("lease_until", Instant),
    Column("result", Json, info=may_need_objects("job {id}")),
    Column("error", Text, nullable=False),
    Column("log", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("started_at", BigInteger),
    Column("ended_at", BigInteger),
    Index(
        "uq_jobs_key",
        "key",
        unique=True,
        postgresql_where=_STANDS_FOR_ITS_KEY,
        sqlite_where=_STANDS_FOR_ITS_KEY,
    ),
    Index("ix_jobs_state_ready_at", "state", "ready_at"),
)

# Until when nobody else does what one process at a time does every so often.
turns = Table(
    "turns",
    metadata,
    Column("name", Text, primary_key=True),
    Column("until", Instant, nullable=False),
)

_LISTED = [column for column in jobs.c if column.name != "log"]


def insert_job(tx: Transaction, job: Job) -> bool:
    """Add a job; False when another one already stands for its key."""
    insert = sqlite.insert if tx.connection.dialect.name == "sqlite" else postgresql.insert
    work = {"target": job.work.target, "arguments": job.work.arguments}
    row = {**msgspec.structs.asdict(job), **work}
    del row["work"]
    added = insert(jobs).on_conflict_do_nothing().returning(jobs.c.id)
    return tx.execute(added, row).first() is not None


def read_job(tx: Transaction, job_id: str) -> Job | None:
    """Return a job with its log."""
    return _only(tx, select(jobs).where(jobs.c.id == job_id))


def job_of_key(tx: Transaction, key: str) -> Job | None:
    """Return the job that stands for a key."""
    query = select(jobs).where(jobs.c.key == key, jobs.c.state.in_(KEY_STATES))
    return _only(tx, query)


def list_jobs(
    tx: Transaction, *, state: str | None, kind: str | None, limit: int, offset: int
) -> tuple[tuple[Job, ...], int]:
    """Return some jobs, newest first and without their logs, and how many there are in all."""
    wanted: list[ColumnElement[bool]] = []
    if state is not None:
        wanted.append(jobs.c.state == state)
    if kind is not None:
        wanted.append(jobs.c.kind == kind)
    query = select(*_LISTED, literal("").label("log")).where(*wanted)
    rows = tx.execute(query.order_by(jobs.c.id.desc()).limit(limit).offset(offset)).mappings()
    total = tx.execute(select(func.count()).select_from(jobs).where(*wanted)).scalar_one()
    return tuple(_job(row) for row in rows), total


def next_ready(tx: Transaction, *, now: int) -> Job | None:
    """Return the oldest job that may start, locked against other workers."""
    query = select(jobs).where(jobs.c.state == "queued", jobs.c.ready_at <= now)
    # SQLite has one writer and ignores the lock; PostgreSQL passes over what others hold.
    return _only(tx, query.order_by(jobs.c.id).limit(1).with_for_update(skip_locked=True))


def is_work_waiting(tx: Transaction, *, now: int) -> bool:
    """Say whether a job may start or a lease has expired."""
    ready = and_(jobs.c.state == "queued", jobs.c.ready_at <= now)
    lost = and_(jobs.c.state == "running", jobs.c.lease_until <= now)
    return tx.execute(select(literal(1)).where(or_(ready, lost)).limit(1)).first() is not None


def is_any_open(tx: Transaction) -> bool:
    """Say whether a job is queued, for now or for later, or runs."""
    query = select(literal(1)).where(jobs.c.state.in_(("queued", "running")))
    return tx.execute(query.limit(1)).first() is not None


def expired(tx: Transaction, *, now: int) -> list[Job]:
    """Return the jobs whose lease has run out, locked; what others hold is left to them."""
    query = select(jobs).where(jobs.c.state == "running", jobs.c.lease_until <= now)
    return _all(tx, query.with_for_update(skip_locked=True))


def leased_by(tx: Transaction, worker: str) -> list[Job]:
    """Return the jobs a worker has leased, locked."""
    query = select(jobs).where(jobs.c.state == "running", jobs.c.lease_owner == worker)
    return _all(tx, query.with_for_update())


def update_job(tx: Transaction, job_id: str, **values: Any) -> None:
    """Set columns of a job."""
    tx.execute(update(jobs).where(jobs.c.id == job_id).values(**values))


def update_leased(tx: Transaction, job_id: str, *, worker: str, **values: Any) -> bool:
    """Set columns of a job as long as the worker holds its lease; False when it does not."""
    held = update(jobs).where(
        jobs.c.id == job_id, jobs.c.state == "running", jobs.c.lease_owner == worker
    )
    return tx.execute(held.values(**values)).rowcount == 1


def is_leased(tx: Transaction, job_id: str, *, worker: str) -> bool:
    """Say whether a worker holds the lease of a job."""
    held = and_(jobs.c.id == job_id, jobs.c.state == "running", jobs.c.lease_owner == worker)
    return tx.execute(select(literal(1)).where(held)).first() is not None


def lock_job(tx: Transaction, job_id: str) -> Job | None:
    """Return a job that nobody else may change until the transaction ends."""
    return _only(tx, select(jobs).where(jobs.c.id == job_id).with_for_update())


def load(tx: Transaction, *, now: int) -> Load:
    """Count the jobs that may start, those that run, and those of them nobody does."""
    ready = and_(jobs.c.state == "queued", jobs.c.ready_at <= now)
    running = jobs.c.state == "running"
    counts = select(
        func.count().filter(ready).label("ready"),
        func.count().filter(running).label("running"),
        func.count().filter(running, jobs.c.lease_until <= now).label("expired"),
    )
    row = tx.execute(counts.where(jobs.c.state.in_(("queued", "running")))).mappings().one()
    return Load(**row)


def take_turn(tx: Transaction, name: str, *, now: int, until: int) -> bool:
    """Take a turn until an instant; False while another one's lasts."""
    insert = sqlite.insert if tx.connection.dialect.name == "sqlite" else postgresql.insert
    added = insert(turns).values(name=name, until=until)
    taken = added.on_conflict_do_update(
        index_elements=["name"], set_={"until": until}, where=turns.c.until <= now
    )
    return tx.execute(taken.returning(turns.c.name)).first() is not None


def _only(tx: Transaction, query: Select[Any]) -> Job | None:
    row = tx.execute(query).mappings().first()
    return None if row is None else _job(row)


def _all(tx: Transaction, query: Select[Any]) -> list[Job]:
    return [_job(row) for row in tx.execute(query).mappings()]


def _job(row: RowMapping) -> Job:
    fields: dict[str, Any] = {**row}
    work = Work(target=fields.pop("target"), arguments=fields.pop("arguments"))
    return Job(work=work, **fields)
