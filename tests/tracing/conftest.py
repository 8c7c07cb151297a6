"""Tracing on each metadata store."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.kernel.clock import FrozenClock
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.tracing.service import Tracing
from treadle.tracing.service.cleaning import forget
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


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
def tracing(store: SqlMetadataStore, tmp_path: Path) -> Tracing:
    tracking = Tracking(
        store=store,
        objects=FolderObjectStore(tmp_path / "objects"),
        capture=lambda: Capture(tags={}, files={}),
        also_clean=forget,
    )
    return Tracing(store=store, tracking=tracking)


@pytest.fixture
def experiment(tracing: Tracing) -> str:
    return tracing.tracking.create_experiment("shop").id
