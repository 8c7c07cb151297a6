"""Tracking on each metadata store, with objects in a folder."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.kernel.clock import FrozenClock
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CAPTURED = Capture(
    tags={"treadle.code.commit": "c0ffee"}, files={"environment/packages.txt": b"numpy==2.4\n"}
)


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(1_357_000_000_000_000)


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
def tracking(store: SqlMetadataStore, objects: FolderObjectStore) -> Tracking:
    return Tracking(store=store, objects=objects, capture=lambda: CAPTURED)


@pytest.fixture
def solo(tmp_path: Path, clock: FrozenClock, objects: FolderObjectStore) -> Iterator[Tracking]:
    """Tracking on SQLite alone, for rules that are decided before any SQL."""
    opened = open_metadata(f"sqlite:///{tmp_path / 'solo.db'}", clock=clock)
    yield Tracking(store=opened, objects=objects, capture=lambda: CAPTURED)
    opened.close()
