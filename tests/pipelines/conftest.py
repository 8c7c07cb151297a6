from __future__ import annotations

import pyarrow as pa
import pytest

from treadle.data.service import Data
from treadle.kernel.settings import Settings
from treadle.pipelines.service import Pipelines
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects
from treadle.tracking.capture import Capture
from treadle.tracking.service import Tracking


class Home:
    """A home and the nouns that a pipeline speaks to."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.store = open_metadata(settings.where_metadata())
        self.objects = open_objects(settings.where_objects())
        self.signer = Signer(settings.home / "keys", store=self.store)
        self.data = Data(store=self.store, objects=self.objects)
        self.tracking = Tracking(
            store=self.store, objects=self.objects, capture=lambda: Capture(tags={}, files={})
        )
        self.pipelines = Pipelines(
            store=self.store,
            objects=self.objects,
            signer=self.signer,
            data=self.data,
            tracking=self.tracking,
        )

    def commit_numbers(self, *numbers: int, name: str = "numbers"):
        return self.data.commit(name, pa.table({"n": list(numbers)}))


@pytest.fixture
def home(tmp_path):
    home = Home(Settings(home=tmp_path / "home"))
    yield home
    home.store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def either_home(request, tmp_path):
    """The same on both dialects, for what speaks SQL of its own."""
    url = request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""
    home = Home(Settings(home=tmp_path / "home", metadata_url=url))
    yield home
    home.store.close()
