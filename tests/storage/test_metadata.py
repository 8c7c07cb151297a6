from __future__ import annotations

import contextvars
import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Column, Integer, MetaData, Table

from treadle.kernel.clock import FrozenClock, SystemClock
from treadle.kernel.errors import Corrupt, InvalidInput, Unavailable
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.schema import Json
from treadle.testing.stores import Noted, assert_chained, logged, noted, write_note

if TYPE_CHECKING:
    from pathlib import Path

WRITER = """
    import sys
    from treadle.storage.metadata import open_metadata
    from treadle.testing.stores import write_note

    url, first = sys.argv[1], int(sys.argv[2])
    store = open_metadata(url)
    for number in range(first, first + 10):
        write_note(store, number)
    store.close()
"""

DIES_IN_MID_WRITE = """
    import os, signal, sys
    from treadle.storage.keys import keys
    from treadle.storage.metadata import open_metadata
    from treadle.testing.stores import Noted, write_note

    store = open_metadata(sys.argv[1])
    write_note(store, 1, text="acknowledged")
    with store.write() as tx:
        rows = [{"id": str(n), "public": "half", "created_at": 0} for n in range(2, 2000)]
        tx.execute(keys.insert(), rows)
        tx.emit(Noted(text="half"))
        os.kill(os.getpid(), signal.SIGKILL)
"""

FILLS_THE_DISK = """
    import resource, sys
    from treadle.kernel.errors import Unavailable
    from treadle.storage.metadata import open_metadata
    from treadle.testing.stores import write_note

    store = open_metadata(sys.argv[1])
    write_note(store, 1, text="acknowledged")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    try:
        write_note(store, 2, text="x" * (4 << 20))
    except Unavailable as error:
        print(error.code)
"""


def run(script: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", textwrap.dedent(script), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_writers_in_processes_leave_no_gap(store: SqlMetadataStore, metadata_url: str) -> None:
    command = [sys.executable, "-c", textwrap.dedent(WRITER), metadata_url]

    writers = [subprocess.Popen([*command, str(first)]) for first in (0, 100, 200)]
    codes = [writer.wait() for writer in writers]

    assert codes == [0, 0, 0]
    assert len(noted(store)) == 30
    assert len(logged(store)) == 30
    assert_chained(logged(store))


def test_a_writer_killed_in_mid_write_leaves_nothing_half(
    store: SqlMetadataStore, metadata_url: str
) -> None:
    child = run(DIES_IN_MID_WRITE, metadata_url)

    assert child.returncode == -9
    assert noted(store) == [1]
    assert [e.subject for e in logged(store)] == ["note/acknowledged"]


def test_the_next_writer_after_a_killed_one_goes_on(
    store: SqlMetadataStore, metadata_url: str
) -> None:
    run(DIES_IN_MID_WRITE, metadata_url)

    write_note(store, 2, text="after")

    assert noted(store) == [1, 2]
    assert_chained(logged(store))


def test_a_full_disk_is_said_and_loses_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'treadle.db'}"
    store = open_metadata(url)

    child = run(FILLS_THE_DISK, url)

    assert child.stdout == "unavailable\n"
    assert noted(store) == [1]
    store.close()


def test_a_transaction_happens_at_the_projects_instant(
    store: SqlMetadataStore, clock: FrozenClock
) -> None:
    before = SystemClock().now()

    write_note(store, 1)

    (event,) = logged(store)
    assert event.at == clock.instant
    assert event.recorded_at >= before


def test_a_transaction_is_not_joined_from_another_thread(tmp_path: Path) -> None:
    store = open_metadata(f"sqlite:///{tmp_path / 'treadle.db'}")
    seen: list[bool] = []

    with store.write() as outer:
        context = contextvars.copy_context()

        def look() -> None:
            with store.read() as tx:
                seen.append(tx is outer)

        thread = threading.Thread(target=context.run, args=(look,))
        thread.start()
        thread.join()
    store.close()

    assert seen == [False]


def test_two_processes_may_open_a_new_home_at_once(metadata_url: str) -> None:
    opened = "from treadle.storage.metadata import open_metadata; import sys;"
    command = [sys.executable, "-c", f"{opened} open_metadata(sys.argv[1])", metadata_url]

    starters = [subprocess.Popen(command) for _ in range(3)]

    assert [starter.wait() for starter in starters] == [0, 0, 0]


def test_a_folder_may_be_called_like_a_query(tmp_path: Path) -> None:
    home = tmp_path / "50%" / "what?really=#1"

    store = open_metadata(f"sqlite:///{home / 'treadle.db'}")
    store.close()

    assert (home / "treadle.db").exists()
    assert list(tmp_path.iterdir()) == [tmp_path / "50%"]


def test_a_home_is_made_where_there_was_no_folder(tmp_path: Path) -> None:
    store = open_metadata(f"sqlite:///{tmp_path / 'new' / 'home' / 'treadle.db'}")

    assert logged(store) == []
    store.close()


def test_a_folder_that_cannot_be_made_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")

    with pytest.raises(Unavailable, match=r"Cannot write in .*file"):
        open_metadata(f"sqlite:///{tmp_path / 'file' / 'treadle.db'}")


def test_a_file_that_is_no_database_is_said(tmp_path: Path) -> None:
    (tmp_path / "treadle.db").write_bytes(b"certainly not a database, whatever its name" * 100)

    with pytest.raises(Corrupt, match="no database"):
        open_metadata(f"sqlite:///{tmp_path / 'treadle.db'}")


def test_a_server_that_is_down_is_said_without_the_password() -> None:
    with pytest.raises(Unavailable, match="the server is up") as caught:
        open_metadata("postgresql://ann:secret@127.0.0.1:9/db")

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize("url", ["", "treadle.db", "mysql://host/db", "postgresql://h:port/db"])
def test_an_unknown_url_is_refused_with_the_known_ones(url: str) -> None:
    with pytest.raises(InvalidInput, match=r"sqlite:///FILE or postgresql://HOST/DB"):
        open_metadata(url)


def test_a_fact_without_a_noun_is_its_kind() -> None:
    assert Noted(text="x").subject() == "note/x"
    assert super(Noted, Noted(text="x")).subject() == "note"


def test_json_comes_back_as_it_was(store: SqlMetadataStore) -> None:
    own = MetaData()
    things = Table("things", own, Column("id", Integer, primary_key=True), Column("value", Json))
    value = {"b": [1, 2.5, None, True], "a": {"text": "Zürich \N{SNOWMAN}"}}

    with store.write() as tx:
        own.create_all(tx.connection)
        tx.execute(things.insert(), [{"id": 1, "value": value}, {"id": 2, "value": None}])
    with store.read() as tx:
        found = tx.execute(things.select().order_by(things.c.id)).all()

    assert found == [(1, value), (2, None)]
