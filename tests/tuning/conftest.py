from __future__ import annotations

import pytest

from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking
from treadle.tuning.service import Tuning


class Home:
    """A home with tracking and tuning."""

    def __init__(self, url: str, folder) -> None:
        self.store = open_metadata(url)
        self.tracking = Tracking(
            store=self.store,
            objects=open_objects((folder / "objects").as_uri()),
            capture=lambda: Capture(tags={}, files={}),
        )
        self.tuning = Tuning(store=self.store, tracking=self.tracking)


@pytest.fixture
def home(tmp_path):
    home = Home(f"sqlite:///{tmp_path / 'treadle.db'}", tmp_path)
    yield home
    home.store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_home(request, tmp_path):
    """The same on both dialects, for what speaks SQL of its own."""
    server = request.param == "postgresql"
    url = request.getfixturevalue("postgres_url") if server else f"sqlite:///{tmp_path / 'a.db'}"
    home = Home(url, tmp_path)
    yield home
    home.store.close()
