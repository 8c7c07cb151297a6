"""A new database: the newest schema in one go, as the tables are declared, and no migration run.

That it is what every migration in turn would have made is shown by `tests/storage/test_fresh.py`.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import Column, MetaData, PrimaryKeyConstraint, String, Table, inspect, text
from sqlalchemy.schema import CreateIndex, CreateTable

import treadle
from treadle.kernel.ids import new_id
from treadle.storage.schema import metadata

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Connection, Engine

# What names a database: `storage.owners`.
IDENTITY = "database_identity"
# Two processes that start at once must not both create the tables.
MIGRATION_LOCK = 7_340_000
# Every file that declares tables bears one of these names.
_DECLARING = (
    "store.py",
    "*_store.py",
    "store/__init__.py",
    "storage/keys.py",
    "storage/events.py",
    "storage/owners.py",
)

# As Alembic makes it, which is not worth an import where there is nothing to migrate.
_REVISION = Table(
    "alembic_version",
    MetaData(),
    Column("version_num", String(32), nullable=False),
    PrimaryKeyConstraint("version_num", name="alembic_version_pkc"),
)


def declare_all() -> None:
    """Import every module that declares tables."""
    root = Path(treadle.__path__[0])
    files = {path for name in _DECLARING for path in root.rglob(name)}
    for path in sorted(files):
        parts = path.relative_to(root).with_suffix("").parts
        importlib.import_module(".".join(["treadle", *parts]).removesuffix(".__init__"))


def create(engine: Engine, *, revision: str) -> bool:
    """Make every table of a database that has none of them; say whether it was such a one."""
    declare_all()
    with engine.connect() as connection:
        lock(connection)
        if not _is_new(connection):
            return False
        statements = [str(made.compile(dialect=connection.dialect)) for made in _all_of_it()]
        if connection.dialect.name == "sqlite":
            for statement in statements:
                connection.exec_driver_sql(statement)
        else:
            # All in one message; without values PostgreSQL takes several statements together.
            at_once = connection.execution_options(no_parameters=True)
            at_once.exec_driver_sql(";".join(statements))
        connection.execute(_REVISION.insert(), {"version_num": revision})
        connection.execute(metadata.tables[IDENTITY].insert(), {"id": new_id()})
        connection.commit()
        return True


def lock(connection: Connection) -> None:
    """Keep every other process from migrating until the transaction ends."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("BEGIN IMMEDIATE")
    else:
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": MIGRATION_LOCK})


def _is_new(connection: Connection) -> bool:
    # Somebody else's tables are no hindrance, as they are none to a migration.
    return {_REVISION.name, *metadata.tables}.isdisjoint(inspect(connection).get_table_names())


def _all_of_it() -> Iterator[CreateTable | CreateIndex]:
    for table in (*metadata.sorted_tables, _REVISION):
        yield CreateTable(table)
        yield from (
            CreateIndex(index) for index in sorted(table.indexes, key=lambda i: str(i.name))
        )
