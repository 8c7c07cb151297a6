"""The metadata store on SQLite and PostgreSQL."""

from __future__ import annotations

import contextlib
import functools
import math
import sqlite3
import threading
import time
from contextvars import ContextVar
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidatePoolError
from sqlalchemy.pool import QueuePool

from treadle.kernel.actors import current_actor
from treadle.kernel.clock import Clock, SystemClock
from treadle.kernel.errors import (
    Conflict,
    Corrupt,
    InvalidInput,
    MissingExtra,
    TreadleError,
    Unavailable,
)
from treadle.storage import arrays, events, fresh
from treadle.storage.transaction import Transaction

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Connection, Dialect, Engine
    from sqlalchemy.engine.interfaces import DBAPIConnection
    from sqlalchemy.pool import ConnectionPoolEntry

BUSY_TIMEOUT_MS = 30_000
RESTED_S = 1.0
"""No server is gone and back within it: who was used so shortly ago need not be asked."""
# What PostgreSQL says of a value, not of a statement: psycopg itself of a NUL (None), out of range,
# a character it does not have.
_UNFIT = frozenset({None, "22003", "22021", "22P05"})
_MACHINE = SystemClock()


class SqlMetadataStore:
    """Rows and events in SQLite (WAL, one writer at a time) or PostgreSQL."""

    def __init__(self, url: str, *, clock: Clock | None = None) -> None:
        parsed = _driver_url(url)
        self.dialect = parsed.get_backend_name()
        self.url = parsed
        self._clock = clock or _MACHINE
        self._engine = _engine(parsed)
        self._one_writer = threading.RLock()
        self._joined: ContextVar[Transaction | None] = ContextVar("treadle_write", default=None)

    @contextlib.contextmanager
    def read(self) -> Iterator[Transaction]:
        """Begin a consistent read; inside a `write` it sees what that has written."""
        outer = self._outer()
        if outer is not None:
            yield outer
            return
        with _explained(self.url), self._engine.connect() as connection:
            if self.dialect == "sqlite":
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(isolation_level="REPEATABLE READ")
            yield Transaction(connection, at=self._clock.now(), writes=False)
            connection.rollback()

    @contextlib.contextmanager
    def write(self) -> Iterator[Transaction]:
        """Begin or join the write transaction; facts emitted in it are chained at its commit."""
        outer = self._outer()
        if outer is not None:
            with _explained(self.url), _undone_alone(outer):
                yield outer
            return
        with _explained(self.url), self._turn(), self._engine.connect() as connection:
            # Also who speaks to the driver alone has begun something that must be committed.
            connection.begin()
            if self.dialect == "sqlite":
                # IMMEDIATE: a writer that finds it must wait learns so before it has read.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            tx = Transaction(connection, at=self._clock.now(), writes=True)
            token = self._joined.set(tx)
            try:
                yield tx
                self._commit(tx)
            except BaseException:
                connection.rollback()
                raise
            finally:
                self._joined.reset(token)

    def is_writing(self) -> bool:
        """Say whether this thread is inside a `write`."""
        return self._outer() is not None

    def migrate(self) -> None:
        """Bring the schema to this version; does nothing when it is there already."""
        with _explained(self.url):
            found, newest = _revision(self._engine), newest_revision()
            if found == newest or (found is None and fresh.create(self._engine, revision=newest)):
                return
            # Alembic costs 11 MB and 0.1 s to import: only who migrates pays.
            from treadle.storage import migrations  # noqa: PLC0415 - see above

            migrations.upgrade(self._engine)

    def close(self) -> None:
        """Let go of every connection."""
        self._engine.dispose()

    def _outer(self) -> Transaction | None:
        # A context may be copied into another thread; a transaction stays with its own.
        outer = self._joined.get()
        return outer if outer is not None and outer.thread == threading.get_ident() else None

    def _turn(self) -> contextlib.AbstractContextManager[Any]:
        # Threads of one process queue here, fairly and without polling; other processes meet the
        # busy timeout. PostgreSQL has its own queue.
        return self._one_writer if self.dialect == "sqlite" else contextlib.nullcontext()

    def _commit(self, tx: Transaction) -> None:
        if not tx.facts:
            tx.connection.commit()
            return
        connection, end = tx.connection, events.locked_end(tx.connection)
        now, actor = _MACHINE.now(), current_actor()
        with tx.at_once():
            events.append(connection, tx.facts, after=end, at=tx.at, recorded_at=now, actor=actor)
            connection.commit()


def open_metadata(url: str, *, clock: Clock | None = None) -> SqlMetadataStore:
    """Open the metadata store of a URL (`sqlite:///file.db` or `postgresql://…`), migrated."""
    store = SqlMetadataStore(url, clock=clock)
    try:
        store.migrate()
    except BaseException:
        store.close()
        raise
    return store


def newest_revision() -> str:
    """Return the revision of this version's schema; a migration's file begins with its revision."""
    versions = Path(__file__).parent / "migrations" / "versions"
    return max(path.name.partition("_")[0] for path in versions.glob("[0-9]*.py"))


def _revision(engine: Engine) -> str | None:
    try:
        with engine.connect() as connection:
            found: str | None = connection.exec_driver_sql(
                "SELECT version_num FROM alembic_version"
            ).scalar()
    except DBAPIError:  # a new database; or one that cannot be reached, as the next use tells
        return None
    return found


def _driver_url(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (ArgumentError, ValueError) as error:
        raise InvalidInput(
            f"{url!r} is no metadata URL.", hint="Use sqlite:///FILE or postgresql://HOST/DB."
        ) from error
    backend = parsed.get_backend_name()
    if backend == "sqlite":
        # The path is all that follows: what looks like a query or a fragment is a folder's name.
        path = url.partition(":///")[2]
        return parsed.set(drivername="sqlite+pysqlite", database=path or None, query={})
    if backend == "postgresql":
        return parsed.set(drivername="postgresql+psycopg")
    raise InvalidInput(
        f"No metadata store for {backend!r}.", hint="Use sqlite:///FILE or postgresql://HOST/DB."
    )


def _engine(url: URL) -> Engine:
    if url.get_backend_name() == "postgresql":
        try:
            engine = create_engine(url)
        except ModuleNotFoundError as error:
            raise MissingExtra("psycopg", extra="postgres") from error
        event.listen(engine, "connect", _teach)
        event.listen(engine, "checkin", _note_rest)
        event.listen(engine, "checkout", functools.partial(_still_there, engine.dialect))
        return engine
    if url.database:
        _make_folder(Path(url.database).parent)
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=8,
        max_overflow=24,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000, "check_same_thread": False},
    )
    event.listen(engine, "connect", _prepare_sqlite)
    return engine


def _teach(connection: Any, _record: object) -> None:
    arrays.teach(connection)


def _note_rest(_connection: object, record: ConnectionPoolEntry) -> None:
    record.info["rests_since"] = time.monotonic()


def _still_there(
    dialect: Dialect, connection: DBAPIConnection, record: ConnectionPoolEntry, _proxy: object
) -> None:
    """Ask a connection that has rested whether its server is there; if not, others are made."""
    # One that was used just now need not be asked: that would be one way more for every call.
    if time.monotonic() - record.info.get("rests_since", math.inf) < RESTED_S:
        return
    try:
        dialect.do_ping(connection)
    except dialect.loaded_dbapi.Error as error:
        raise InvalidatePoolError from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    # The driver's own transaction handling is off: we say BEGIN ourselves.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # FULL: an acknowledged write survives a power cut too, not only `kill -9`.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.execute(f"PRAGMA busy_timeout = {BUSY_TIMEOUT_MS}")
    cursor.close()


@contextlib.contextmanager
def _explained(url: URL) -> Iterator[None]:
    where = url.render_as_string(hide_password=True)
    try:
        yield
    except Exception as error:
        # As it comes from SQLAlchemy, or from the driver where that is spoken to directly.
        reason = getattr(error, "orig", None) or error
        if _is_the_stores(reason):
            raise _meaning(reason, where=where) from error
        if _holds_no_such(reason):
            raise InvalidInput(
                "A value in it cannot be stored or looked for: a text with a NUL or half a "
                "character, or a whole number of more than 64 bits."
            ) from error
        # The subclasses of DatabaseError are the statement's own mistakes.
        if type(reason).__name__ != "DatabaseError" or not _from_driver(reason):
            raise
        raise Corrupt(
            f"{where} is damaged or no database: {reason}.",
            hint="Restore it from a copy, or choose another home.",
        ) from error


def _from_driver(reason: BaseException) -> bool:
    return type(reason).__module__.partition(".")[0] in {"sqlite3", "psycopg"}


def _is_the_stores(reason: BaseException) -> bool:
    """Whether a driver tells the state of the store (busy, full, down), not a mistake of ours."""
    kinds = {kind.__name__ for kind in type(reason).__mro__}
    if "OperationalError" not in kinds or not _from_driver(reason):
        return False
    # SQLite's driver calls so too what SQLite cannot parse or find: its plain SQLITE_ERROR, whose
    # extended codes have it as their last byte.
    code = getattr(reason, "sqlite_errorcode", None)
    return code is None or code & 0xFF != sqlite3.SQLITE_ERROR


def _holds_no_such(error: BaseException) -> bool:
    """Whether a driver refuses a value, rather than a statement or a bug of ours fails."""
    if isinstance(error, OverflowError):
        return "SQLite" in str(error)
    if isinstance(error, UnicodeEncodeError):
        return error.reason == "surrogates not allowed"
    if not any(kind.__name__ == "DataError" for kind in type(error).__mro__):
        return False
    return getattr(error, "sqlstate", None) in _UNFIT


@contextlib.contextmanager
def _undone_alone(outer: Transaction) -> Iterator[None]:
    """Undo an inner block that fails, so that who catches its error keeps nothing half of it."""
    facts = len(outer.facts)
    savepoint = outer.connection.begin_nested()
    try:
        yield
        savepoint.commit()
    except BaseException:
        savepoint.rollback()
        del outer.facts[facts:]
        raise


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise Unavailable(
            f"Cannot write in {folder}: {error.strerror or error}.",
            hint="Check the folder's permissions and the free space, or choose another home.",
        ) from error


def _meaning(error: BaseException, *, where: str) -> TreadleError:
    reason = str(error).strip()
    if "deadlock" in reason or "could not serialize" in reason:
        return Conflict(f"{where}: two writes met and one had to yield.", hint="Try again.")
    if "locked" in reason:
        return Conflict(
            f"{where} was busy for {BUSY_TIMEOUT_MS // 1000} s.",
            hint="Another process holds a long write; try again.",
        )
    if "disk is full" in reason or "No space left" in reason:
        return Unavailable(
            f"No space left for {where}.", hint="Free some space; nothing was lost, run it again."
        )
    if "disk I/O error" in reason:
        return Unavailable(
            f"Cannot use {where}: {reason}.",
            hint="Is the disk full? Free some space and run it again; nothing was lost.",
        )
    return Unavailable(
        f"Cannot use {where}: {reason}.",
        hint="Check that the address is right, the server is up and the folder can be written.",
    )


def dialect_of(connection: Connection) -> str:
    """Return `sqlite` or `postgresql`; for the few statements the two spell differently."""
    return connection.dialect.name
