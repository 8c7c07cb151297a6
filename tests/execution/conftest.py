from __future__ import annotations

import uuid

import psycopg
import pytest

from treadle.execution.processes import WorkerProcesses
from treadle.execution.service import Jobs
from treadle.kernel.clock import FrozenClock
from treadle.kernel.settings import Settings
from treadle.storage.metadata import open_metadata

DIALECTS = ["sqlite", "postgresql"]


@pytest.fixture(params=DIALECTS)
def metadata_url(request):
    """The same queue on both dialects; empty means SQLite in the home."""
    return request.getfixturevalue("postgres_url") if request.param == "postgresql" else ""


@pytest.fixture
def settings(metadata_url, tmp_path):
    return Settings(home=tmp_path / "home", metadata_url=metadata_url)


@pytest.fixture
def store(settings):
    store = open_metadata(settings.where_metadata())
    yield store
    store.close()


@pytest.fixture
def clock():
    return FrozenClock(1_000_000_000)


@pytest.fixture
def jobs(store, clock):
    return Jobs(store=store, clock=clock)


@pytest.fixture(scope="module", params=DIALECTS)
def pool(request, tmp_path_factory):
    """Worker processes that serve a whole file of tests, as they do in life."""
    if request.param == "postgresql":
        server = request.getfixturevalue("postgres_server")
        name = f"t{uuid.uuid4().hex}"
        with psycopg.connect(f"{server}/postgres", autocommit=True) as admin:
            admin.execute(f"CREATE DATABASE {name}")
    url = f"{server}/{name}" if request.param == "postgresql" else ""
    settings = Settings(home=tmp_path_factory.mktemp("home"), metadata_url=url)
    store = open_metadata(settings.where_metadata())
    with WorkerProcesses(jobs=Jobs(store=store), settings=settings, count=1) as workers:
        yield workers
    store.close()
