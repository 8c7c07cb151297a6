"""Both implementations of each storage seam."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from treadle.kernel.clock import FrozenClock
from treadle.storage.metadata import SqlMetadataStore, open_metadata

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NOON = 1_372_939_200_000_000  # 2013-07-04T12:00Z


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOON)


@pytest.fixture(params=["sqlite", "postgresql"])
def metadata_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        return str(request.getfixturevalue("postgres_url"))
    return f"sqlite:///{tmp_path / 'treadle.db'}"


@pytest.fixture
def store(metadata_url: str, clock: FrozenClock) -> Iterator[SqlMetadataStore]:
    opened = open_metadata(metadata_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def reopened(metadata_url: str, store: SqlMetadataStore) -> Iterator[SqlMetadataStore]:
    opened = open_metadata(metadata_url)
    yield opened
    opened.close()
