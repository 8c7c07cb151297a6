"""The one Alembic history of the schema."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic.script import ScriptDirectory

from treadle.storage.fresh import lock

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

SCRIPTS = Path(__file__).parent


def upgrade(engine: Engine) -> None:
    """Run every migration that a database has not seen yet, in one transaction."""
    scripts = ScriptDirectory(str(SCRIPTS))
    head = scripts.get_current_head()
    with engine.connect() as connection:
        if _revision(connection) == head:
            return
        connection.rollback()
        lock(connection)
        if _revision(connection) != head:
            _run(connection, scripts)
        connection.commit()


def _revision(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _run(connection: Connection, scripts: ScriptDirectory) -> None:
    context = MigrationContext.configure(
        connection,
        opts={"fn": lambda revision, _context: scripts._upgrade_revs("head", revision)},  # noqa: SLF001 - Alembic's own EnvironmentContext does the same
    )
    with Operations.context(context):
        context.run_migrations()
