"""A home before its first version: on each metadata store, and on SQLite alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.release.world import World

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(params=["sqlite", "postgresql"])
def world(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[World]:
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    made = World(tmp_path, metadata_url=url)
    yield made
    made.app.close()


@pytest.fixture
def solo(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path)
    yield made
    made.app.close()
