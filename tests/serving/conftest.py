"""Serving on each metadata store, with a registry of models that are plain functions."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from treadle.kernel.clock import FrozenClock
from treadle.registry.service import Registry
from treadle.serving.entities import Variant
from treadle.serving.runtime import Runtime
from treadle.serving.service import Serving
from treadle.storage.keys import Signer
from treadle.storage.log import EventLog
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.serving.entities import Endpoint

NOW = 1_360_000_000_000_000


@pytest.fixture
def clock() -> FrozenClock:
    return FrozenClock(NOW)


@pytest.fixture(params=["sqlite"])
def store(
    request: pytest.FixtureRequest, tmp_path: Path, clock: FrozenClock
) -> Iterator[SqlMetadataStore]:
    """SQLite, unless a test asks for `both_stores`."""
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
def signer(store: SqlMetadataStore, tmp_path: Path) -> Signer:
    return Signer(tmp_path / "keys", store=store)


@pytest.fixture
def log(store: SqlMetadataStore, signer: Signer) -> EventLog:
    return EventLog(store, signer=signer)


@pytest.fixture
def registry(store: SqlMetadataStore, objects: FolderObjectStore, signer: Signer) -> Registry:
    return Registry(store=store, objects=objects, signer=signer)


@pytest.fixture
def serving(
    store: SqlMetadataStore,
    objects: FolderObjectStore,
    registry: Registry,
    tmp_path: Path,
    clock: FrozenClock,
) -> Serving:
    return Serving(store=store, objects=objects, registry=registry, home=tmp_path, clock=clock)


@pytest.fixture
def runtime(serving: Serving, tmp_path: Path) -> Iterator[Runtime]:
    opened = Runtime(serving, home=tmp_path)
    yield opened
    opened.close()


@pytest.fixture
def rows() -> Callable[[int], pa.Table]:
    def make(count: int) -> pa.Table:
        temp = np.random.default_rng(7).normal(50, 10, size=count)
        return pa.table(
            {"temp": temp, "carrier": ["UA", "B6"] * (count // 2) + ["UA"] * (count % 2)}
        )

    return make


@pytest.fixture
def versions(registry: Registry, rows: Callable[[int], pa.Table]) -> tuple[str, str, str]:
    """Three versions of `late`; version n answers temp / 100 + n."""

    def version(number: int) -> Callable[[pa.Table], object]:
        return lambda table: table["temp"].to_numpy() / 100 + number

    return tuple(registry.register("late", version(n), example=rows(3)).ref for n in (1, 2, 3))


@pytest.fixture
def endpoint(serving: Serving, versions: tuple[str, str, str]) -> Endpoint:
    """`late`, answered by version 1 alone."""
    serving.create_endpoint("late", "late")
    return serving.set_traffic(
        "late", [Variant(name="champion", version=versions[0])], reason="first"
    )
