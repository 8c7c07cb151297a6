"""The end of the log under many writers, crashes and errors: no gap, nothing acknowledged lost."""

from __future__ import annotations

import subprocess
import sys
import textwrap

import pytest
from sqlalchemy.exc import DBAPIError

from treadle.errors import Conflict, Unavailable
from treadle.storage import events, metadata
from treadle.storage.events import FIRST_LINK
from treadle.storage.metadata import open_metadata
from treadle.testing.stores import assert_chained, logged, noted, write_note

WRITES_FOR_EVER = """
    import sys
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.testing.stores import write_note

    store = SqlMetadataStore(sys.argv[1])
    for number in range(int(sys.argv[2]), int(sys.argv[2]) + 1_000_000):
        write_note(store, number)
        print(number, flush=True)
"""
WRITERS = 3
EACH = 10


def acknowledged_of(writers):
    """Return what each writer said was written, until it is killed amid the next."""
    first = [[writer.stdout.readline() for _ in range(EACH)] for writer in writers]
    for writer in writers:
        writer.kill()
    rest = [writer.stdout.readlines() for writer in writers]
    for writer in writers:
        writer.wait()
        writer.stdout.close()
    # The last line of a killed writer may be half a one.
    return {int(line) for lines in (*first, *rest) for line in lines if line.endswith("\n")}


def test_writers_killed_at_any_moment_lose_nothing_acknowledged_and_leave_no_gap(
    store, metadata_url
):
    command = [sys.executable, "-c", textwrap.dedent(WRITES_FOR_EVER), metadata_url]
    writers = [
        subprocess.Popen([*command, str(n * 1_000_000)], stdout=subprocess.PIPE, text=True)
        for n in range(WRITERS)
    ]

    acknowledged = acknowledged_of(writers)
    write_note(store, 999_999_999)

    assert len(acknowledged) >= WRITERS * EACH
    assert acknowledged <= set(noted(store))
    assert len(noted(store)) == len(logged(store))
    assert_chained(logged(store))


def test_an_event_that_cannot_be_appended_undoes_the_rows_it_explains(store, monkeypatch):
    write_note(store, 1)
    monkeypatch.setattr(events, "locked_end", lambda _tx: (0, FIRST_LINK))

    with pytest.raises(Exception, match=r"(?i)unique"):
        write_note(store, 2)

    monkeypatch.undo()
    write_note(store, 3)
    assert noted(store) == [1, 3]
    assert_chained(logged(store))


def test_a_transaction_of_nothing_but_a_fact_is_logged(store):
    with store.write() as tx:
        tx.emit(events.Fact())

    assert len(logged(store)) == 1
    assert_chained(logged(store))


def test_a_connection_whose_server_went_away_while_it_rested_is_replaced(postgres_url, monkeypatch):
    store = open_metadata(postgres_url)
    write_note(store, 1)
    with store.read() as tx:
        other = tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
    killer = open_metadata(postgres_url)
    with killer.read() as tx:
        tx.connection.exec_driver_sql(f"SELECT pg_terminate_backend({other})")
    monkeypatch.setattr(metadata, "RESTED_S", 0.0)

    write_note(store, 2)

    assert noted(store) == [1, 2]
    store.close()
    killer.close()


def write_while_the_server_goes(store, killer):
    with store.write() as tx:
        own = tx.connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
        with killer.read() as other:
            other.connection.exec_driver_sql(f"SELECT pg_terminate_backend({own})")
        tx.emit(events.Fact())


def test_a_server_that_goes_away_in_mid_write_is_said(postgres_url):
    store, killer = open_metadata(postgres_url), open_metadata(postgres_url)

    with pytest.raises(Unavailable):
        write_while_the_server_goes(store, killer)

    write_note(store, 1)
    assert len(logged(store)) == 1
    store.close()
    killer.close()


def test_a_mistake_in_a_statement_of_ours_is_a_bug_and_not_an_outage(store):
    with pytest.raises(DBAPIError), store.read() as tx:
        tx.connection.exec_driver_sql("SELECT nothing FROM nowhere")

    assert noted(store) == []


@pytest.fixture
def impatient(tmp_path):
    """A store on SQLite whose one connection waits for nobody."""
    opened = open_metadata(f"sqlite:///{tmp_path / 'busy.db'}")
    tell(opened, "PRAGMA busy_timeout = 0")
    yield opened
    opened.close()


def tell(store, statement):
    with store._engine.connect() as connection:
        connection.exec_driver_sql(statement)


def test_sqlite_that_another_process_writes_to_is_busy_and_not_broken(impatient):
    other = open_metadata(f"sqlite:///{impatient.url.database}")

    with other.write(), pytest.raises(Conflict, match="busy"):
        write_note(impatient, 1)

    write_note(impatient, 2)
    assert noted(impatient) == [2]
    other.close()


def test_sqlite_that_cannot_be_written_is_an_outage_and_not_a_bug(impatient):
    tell(impatient, "PRAGMA query_only = ON")

    with pytest.raises(Unavailable, match="readonly"):
        write_note(impatient, 1)

    assert noted(impatient) == []
