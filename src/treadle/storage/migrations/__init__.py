"""The one Alembic history of the schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory
from sqlalchemy import text

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCRIPTS = Path(__file__).parent
# Two processes that start at once must not both create the tables.
MIGRATION_LOCK = 7_340_000


def upgrade(engine: Engine) -> None:
    """Run every migration that a database has not seen yet, in one transaction."""
    scripts = ScriptDirectory(str(SCRIPTS))
    head = scripts.get_current_head()
    with engine.connect() as connection:
        if _revision(connection) == head:
            return
        connection.rollback()
        _lock(connection)
        if _revision(connection) != head:
            _run(connection, scripts)
        connection.commit()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


def _run(connection: Connection, scripts: ScriptDirectory) -> None:
    context = MigrationContext.configure(
        connection,
        opts={"fn": lambda revision, _context: scripts._upgrade_revs("head", revision)},  # noqa: SLF001 - Alembic's own EnvironmentContext does the same
    )
    with Operations.context(context):
        context.run_migrations()
