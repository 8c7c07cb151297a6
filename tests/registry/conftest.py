"""The registry on each metadata store, with objects in a folder, and models to put into it."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from treadle.kernel.clock import FrozenClock
from treadle.registry.service import Registry
from treadle.storage.keys import Signer
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


# Keras reads it once, when it is imported; its own choice would be a framework that is not here.
os.environ.setdefault("KERAS_BACKEND", "torch")


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_357_000_000_000_000)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> Iterator[SqlMetadataStore]:
    """Each metadata store."""
    url = (
        f"sqlite:///{tmp_path / 'treadle.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    opened = open_metadata(url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def objects(tmp_path: Path) -> FolderObjectStore:
    return FolderObjectStore(tmp_path / "objects")


@pytest.fixture
def registry(store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Registry:
    return Registry(store=store, objects=objects, signer=Signer(tmp_path, store=store))


@pytest.fixture
def solo_store(tmp_path: Path, clock: FrozenClock) -> Iterator[SqlMetadataStore]:
    """SQLite alone, for what has nothing to do with SQL."""
    opened = open_metadata(f"sqlite:///{tmp_path / 'solo.db'}", clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def solo(solo_store: SqlMetadataStore, objects: FolderObjectStore, tmp_path: Path) -> Registry:
    return Registry(store=solo_store, objects=objects, signer=Signer(tmp_path, store=solo_store))


@pytest.fixture(scope="session")
def flights() -> pa.Table:
    """Columns of each kind a model meets; rows 0 to 199."""
    noise = np.random.default_rng(7)
    return pa.table(
        {
            "hour": pa.array(noise.integers(0, 24, 200)),
            "temp": pa.array(noise.normal(10, 5, 200)),
            "wet": pa.array(noise.random(200) < 0.3),
            "carrier": pa.array(noise.choice(["AA", "UA", "B6"], 200)),
        }
    )


@pytest.fixture(scope="session")
def late(flights: pa.Table) -> np.ndarray:
    wet, hour = flights["wet"].to_numpy(), flights["hour"].to_numpy()
    return (wet | (hour > 18)).astype(int)


@pytest.fixture(scope="session")
def boosted(flights: pa.Table, late: np.ndarray) -> HistGradientBoostingClassifier:
    """A classifier of hour and temp, fitted on a matrix."""
    matrix = np.column_stack([flights["hour"].to_numpy(), flights["temp"].to_numpy()])
    return HistGradientBoostingClassifier(max_iter=10, random_state=0).fit(matrix, late)


@pytest.fixture(scope="session")
def numbers(flights: pa.Table) -> pa.Table:
    """The table `boosted` is asked."""
    return flights.select(["hour", "temp"])
