"""Tracking on each metadata store, and the home that exchange works in."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.storage.metadata import open_metadata
from treadle.storage.objects import FolderObjectStore
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def tracking(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Tracking]:
    url = (
        f"sqlite:///{tmp_path / 'treadle.db'}"
        if request.param == "sqlite"
        else request.getfixturevalue("postgres_url")
    )
    store = open_metadata(url)
    objects = FolderObjectStore(tmp_path / "objects")
    yield Tracking(store=store, objects=objects, capture=lambda: Capture(tags={}, files={}))
    store.close()
