"""One of everything: no noun's objects are taken for nobody's."""

from __future__ import annotations

import os

import pytest
from sqlalchemy import Text, select, type_coerce

from tests.upgrade.write_state import START, fill
from treadle import connect
from treadle.kernel.clock import PlayedClock
from treadle.storage.holders import holders
from treadle.storage.schema import OBJECTS, metadata


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    home = tmp_path_factory.mktemp("home")
    (home / "settings.toml").write_text('clock = "played"\n', encoding="utf-8")
    PlayedClock(home / "clock").set(START)
    fill(home)
    for path in (home / "objects").glob("??/*"):
        os.utime(path, (START // 1_000_000,) * 2)
    return home


def test_a_sweep_of_a_home_with_one_of_everything_removes_nothing(home):
    with connect(home) as client:
        found = client.data.gc(dry_run=True, older_than=0)

    assert found.is_empty


def test_whatever_names_an_object_is_declared_to(home):
    kept = {path.name for path in (home / "objects").glob("??/*")}
    declared = {holder.column for holder in holders()}
    with connect(home) as client, client.data._store.read() as tx:
        naming = [
            column
            for table in metadata.sorted_tables
            for column in table.c
            if any(
                digest in str(value)
                for value in tx.execute(select(type_coerce(column, Text))).scalars()
                for digest in kept
            )
        ]

    undeclared = {str(c) for c in naming if OBJECTS not in c.info and "mentions" not in c.info}
    assert declared.intersection(naming)
    # Facts of the log say what was; they keep nothing alive.
    assert undeclared <= {"events.body", "events.hash"}
