"""A dataset by its name: in and out in the forms people work with."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.dataset
import pytest

from treadle import connect
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from treadle.client import Client, DatasetHandle

ROWS = pa.table({"x": [1, 2, 3], "y": ["a", None, "c"]})


@pytest.fixture
def client(tmp_path: Path) -> Iterator[Client]:
    with connect(tmp_path / "home") as opened:
        yield opened


@pytest.fixture
def flights(client: Client) -> DatasetHandle:
    found = client.dataset("flights")
    found.commit(ROWS, message="first")
    found.commit(ROWS.slice(1), message="second")
    return found


@pytest.mark.parametrize("asked", [1, "1", "v1"], ids=repr)
def test_a_version_is_asked_for_in_the_usual_ways(flights: DatasetHandle, asked: str | int) -> None:
    assert flights.version(asked).ref == "flights@1"
    assert flights.version().ref == "flights@2"


def test_an_unknown_version_says_which_there_are(flights: DatasetHandle) -> None:
    with pytest.raises(NotFound, match="has the versions 1 to 2"):
        flights.version("v7")


def test_a_scan_is_a_relation_of_duckdb(flights: DatasetHandle) -> None:
    scanned = flights.version(1).scan()

    assert isinstance(scanned, duckdb.DuckDBPyRelation)
    assert duckdb.sql("SELECT sum(x) FROM scanned").fetchall() == [(6,)]
    with duckdb.connect() as own:
        assert flights.version(1).scan(connection=own).filter("x > 1").fetchall() == [
            (2, None),
            (3, "c"),
        ]


def test_rows_come_as_arrow(flights: DatasetHandle) -> None:
    version = flights.version(1)

    assert version.arrow().equals(ROWS)
    assert version.arrow(["y"]).equals(ROWS.select(["y"]))
    assert version.batches().read_all().equals(ROWS)
    assert pa.RecordBatchReader.from_stream(version).read_all().equals(ROWS)


def test_rows_lie_as_parquet_in_a_folder(flights: DatasetHandle) -> None:
    assert pa.dataset.dataset(flights.version(1).path()).to_table().equals(ROWS)


def test_rows_come_as_frames(flights: DatasetHandle) -> None:
    version = flights.version(1)

    assert version.polars().to_dict(as_series=False) == ROWS.to_pydict()
    assert pl.DataFrame(version).shape == (3, 2)
    assert list(version.pandas()["x"]) == [1, 2, 3]


@pytest.mark.parametrize("library", [pd, pl])
def test_frames_are_committed(client: Client, library: object) -> None:
    frame = library.DataFrame({"x": [1, 2], "y": ["a", None]})  # type: ignore[attr-defined] # both have it

    version = client.dataset("t").commit(frame)

    assert version.arrow().to_pydict() == {"x": [1, 2], "y": ["a", None]}


@pytest.mark.parametrize("name", ["polars", "pandas"])
def test_a_missing_library_names_the_command(
    flights: DatasetHandle, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    def missing(wanted: str) -> object:
        raise ModuleNotFoundError(wanted)

    monkeypatch.setattr(importlib, "import_module", missing)

    with pytest.raises(InvalidInput, match=rf"{name} is not installed\. pip install {name}"):
        getattr(flights.version(), name)()


def test_the_log_walks_through_all_versions(flights: DatasetHandle) -> None:
    assert [(v.number, v.info.message) for v in flights.log()] == [(2, "second"), (1, "first")]
    assert flights.versions().total == 2


def test_files_are_committed_as_one_table_or_as_they_are(client: Client, tmp_path: Path) -> None:
    for day in (1, 2):
        (tmp_path / f"{day}.csv").write_text(f"day\n{day}\n")
    paths = [tmp_path / "1.csv", tmp_path / "2.csv"]

    table = client.dataset("table").commit(paths, kind="table")
    files = client.dataset("files").commit(paths[0], kind="files")

    assert table.arrow().to_pydict() == {"day": [1, 2]}
    assert repr(table) == "<table@1, 2 rows>"
    assert repr(files) == "<files@1, 1 file>"
    with pytest.raises(InvalidInput, match="holds files, not a table"):
        files.arrow()


def test_a_client_of_a_server_says_what_it_cannot() -> None:
    with connect("http://127.0.0.1:9") as remote, pytest.raises(InvalidInput, match="only tracks"):
        remote.dataset("flights")


def test_a_branch_is_committed_on_and_walked_back(client: Client) -> None:
    flights = client.dataset("branched")
    flights.commit(pa.table({"x": [1]}))
    client.data.branch("branched", "exp")
    there = flights.commit(pa.table({"x": [2]}), branch="exp", expect="1")
    flights.commit(pa.table({"x": [3]}))

    assert flights.version("exp").ref == there.ref == "branched@2"
    assert [v.number for v in flights.log("exp")] == [2, 1]
    assert [v.number for v in flights.log()] == [3, 1]


def test_an_older_version_is_made_the_newest_again(flights: DatasetHandle) -> None:
    made = flights.revert("v1", message="second was wrong")

    assert (made.ref, flights.version().ref) == ("flights@3", "flights@3")
    assert made.arrow().equals(ROWS)
    assert flights.revert(1).ref == "flights@3"
