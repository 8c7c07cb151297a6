"""Evaluation datasets on each metadata store, beside tracking and data."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.data.service import Data
from treadle.evaluation.cleaning import forget
from treadle.evaluation.service import Evaluation
from treadle.kernel.clock import FrozenClock
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.tracking.service import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_795_000_000_000_000)


@pytest.fixture(params=["sqlite", "postgresql"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> Iterator[SqlMetadataStore]:
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
def data(store: SqlMetadataStore, objects: FolderObjectStore) -> Data:
    return Data(store=store, objects=objects)


@pytest.fixture
def tracking(store: SqlMetadataStore, objects: FolderObjectStore) -> Tracking:
    return Tracking(store=store, objects=objects)


@pytest.fixture
def evaluation(store: SqlMetadataStore, tracking: Tracking, data: Data) -> Evaluation:
    # As the composition root wires them.
    found = Evaluation(store=store, tracking=tracking, commit=data.commit)
    tracking.also_clean = forget
    return found
