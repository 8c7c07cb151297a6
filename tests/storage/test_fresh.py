"""A new database is made in one go from the declared tables; it is what every migration makes."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import create_engine, make_url, text

from treadle.storage import migrations
from treadle.storage.metadata import SqlMetadataStore, newest_revision, open_metadata

CONSTRAINTS = re.compile(r"CONSTRAINT \w+|CHECK.*?[)]|AUTOINCREMENT")
POSTGRES = {
    "columns": """
        SELECT table_name, column_name, data_type, udt_name, is_nullable, column_default,
            is_identity, is_generated, character_maximum_length, collation_name
        FROM information_schema.columns WHERE table_schema = current_schema()
    """,
    "keys": """
        SELECT conrelid::regclass::text, conname, contype, pg_get_constraintdef(oid)
        FROM pg_constraint WHERE connamespace = current_schema()::regnamespace
    """,
    "indexes": "SELECT tablename, indexname, indexdef FROM pg_indexes "
    "WHERE schemaname = current_schema()",
    "sequences": "SELECT sequencename, data_type, start_value FROM pg_sequences "
    "WHERE schemaname = current_schema()",
    "storage": """
        SELECT relname, relkind, relpersistence, reloptions FROM pg_class
        WHERE relnamespace = current_schema()::regnamespace AND relkind <> 'S'
    """,
}
SQLITE = {
    "columns": """
        SELECT t.name, t.type, t.wr, t.strict, c.name, c.type, c."notnull", c.dflt_value, c.pk,
            c.hidden
        FROM pragma_table_list t JOIN pragma_table_xinfo(t.name) c WHERE t.schema = 'main'
    """,
    "keys": """
        SELECT t.name, f."from", f."table", f."to", f.on_update, f.on_delete
        FROM pragma_table_list t JOIN pragma_foreign_key_list(t.name) f WHERE t.schema = 'main'
    """,
    # What SQLite names itself is numbered in the order in which it was written.
    "indexes": """
        SELECT t.name, iif(i.origin = 'c', i.name, ''), i."unique", i.origin, i.partial, (
            SELECT json_group_array(json_array(name, "desc", coll, key))
            FROM (SELECT * FROM pragma_index_xinfo(i.name) ORDER BY seqno)
        ) FROM pragma_table_list t JOIN pragma_index_list(t.name) i WHERE t.schema = 'main'
    """,
}


@pytest.fixture(params=["sqlite", "postgresql"])
def urls(request, tmp_path):
    """Addresses of two empty databases of one kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/made.db", f"sqlite:///{tmp_path}/walked.db"
    make = request.getfixturevalue("postgres_database")
    return make(), make()


@pytest.fixture
def postgres_database(postgres_url, tmp_path):
    """Make one more database beside the one of the test."""
    made = iter(("made", "walked"))

    def another():
        name = f"{make_url(postgres_url).database}_{next(made)}"
        server = engine_of(postgres_url).execution_options(isolation_level="AUTOCOMMIT")
        with server.connect() as connection:
            connection.exec_driver_sql(f'CREATE DATABASE "{name}"')
        server.dispose()
        return make_url(postgres_url).set(database=name).render_as_string(hide_password=False)

    return another


def engine_of(url):
    name = "postgresql+psycopg" if url.startswith("postgresql") else "sqlite+pysqlite"
    return create_engine(make_url(url).set(drivername=name))


def schema_of(url):
    """Return all that a database says of its schema, the order of columns left out."""
    engine = engine_of(url)
    asked = SQLITE if engine.dialect.name == "sqlite" else POSTGRES
    with engine.connect() as connection:
        found = {what: sorted(map(str, connection.execute(text(q)))) for what, q in asked.items()}
        if engine.dialect.name == "sqlite":
            found |= written_in(connection)
    engine.dispose()
    return found


def written_in(connection):
    """Return what no pragma of SQLite tells: expressions of indexes, checks, autoincrement."""
    stored = connection.execute(text("SELECT name, type, sql FROM sqlite_master WHERE sql <> ''"))
    rows = [(name, kind, re.sub(r"\s+", " ", sql)) for name, kind, sql in stored]
    return {
        "expressions": sorted(f"{n}: {sql}" for n, kind, sql in rows if kind == "index"),
        "constraints": sorted(
            f"{name}: {sorted(set(CONSTRAINTS.findall(sql)))}"
            for name, kind, sql in rows
            if kind == "table"
        ),
    }


def rows_of(url):
    """Return the contents of every table that is not empty."""
    engine = engine_of(url)
    with engine.connect() as connection:
        tables = engine.dialect.get_table_names(connection)
        found = {t: list(connection.execute(text(f'SELECT * FROM "{t}"'))) for t in tables}
    engine.dispose()
    assert len(found.pop("database_identity", ["one"])) == 1
    return {table: rows for table, rows in found.items() if rows}


def walk(url):
    engine = SqlMetadataStore(url)._engine
    migrations.upgrade(engine)
    engine.dispose()


def test_made_in_one_go_or_by_every_migration_it_is_the_same_schema(urls):
    made, walked = urls
    # In an interpreter of its own, where nothing else has declared a table.
    code = f"from treadle.storage.metadata import open_metadata; open_metadata({made!r}).close()"

    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
    walk(walked)

    assert schema_of(made) == schema_of(walked)
    assert rows_of(made) == rows_of(walked) == {"alembic_version": [(newest_revision(),)]}


def test_a_new_database_is_made_without_alembic(tmp_path):
    url = f"sqlite:///{tmp_path / 'treadle.db'}"
    code = (
        "import sys; from treadle.storage.metadata import open_metadata; "
        f"open_metadata({url!r}).close(); print('alembic' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "False"


def test_of_several_that_come_first_one_makes_the_tables(urls):
    with ThreadPoolExecutor(4) as together:
        stores = list(together.map(open_metadata, [urls[0]] * 4))

    for store in stores:
        store.close()
    assert rows_of(urls[0]) == {"alembic_version": [(newest_revision(),)]}


def test_somebody_elses_tables_are_no_hindrance(urls):
    engine = engine_of(urls[0])
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE theirs (a INTEGER)")
    engine.dispose()

    open_metadata(urls[0]).close()

    assert rows_of(urls[0]) == {"alembic_version": [(newest_revision(),)]}


def test_half_an_old_schema_is_not_taken_for_a_new_database(urls):
    engine = engine_of(urls[0])
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE runs (a INTEGER)")
    engine.dispose()

    with pytest.raises(Exception, match="runs"):
        open_metadata(urls[0])

    assert rows_of(urls[0]) == {}
