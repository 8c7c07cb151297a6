from __future__ import annotations

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import create_engine, make_url

from treadle.storage.fresh import declare_all
from treadle.storage.metadata import SqlMetadataStore
from treadle.storage.migrations import upgrade
from treadle.storage.migrations.write import draft
from treadle.storage.schema import metadata

# SQLite does not tell what an index of an expression is of; PostgreSQL does, and is compared.
pytestmark = [
    pytest.mark.filterwarnings("ignore:Skipped unsupported reflection of expression"),
    pytest.mark.filterwarnings("ignore:autogenerate skipping metadata-specified expression"),
]


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/treadle.db"
    return request.getfixturevalue("postgres_url")


def driver_url(url):
    parsed = make_url(url)
    name = "postgresql+psycopg" if url.startswith("postgresql") else "sqlite+pysqlite"
    return parsed.set(drivername=name)


def test_the_migrations_make_exactly_the_tables_that_are_declared(url):
    declare_all()

    engine = create_engine(driver_url(url))
    upgrade(engine)
    with engine.connect() as connection:
        differences = compare_metadata(MigrationContext.configure(connection), metadata)
    engine.dispose()

    assert differences == [], "run: python -m treadle.storage.migrations.write WHAT CHANGED"


def test_migrating_twice_changes_nothing(url):
    store = SqlMetadataStore(url)

    store.migrate()
    store.migrate()

    store.close()


def test_nothing_is_left_to_write():
    _, text = draft("nothing")

    assert text.rstrip().endswith("pass")
