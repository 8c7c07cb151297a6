"""A home with models that are plain functions, and what asks it over HTTP."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx2 as httpx
import pyarrow as pa

from treadle.kernel.settings import load_settings
from treadle.registry.service import Registry
from treadle.serving.entities import Variant
from treadle.serving.service import Serving
from treadle.storage.keys import Signer
from treadle.storage.metadata import open_metadata
from treadle.storage.stores import open_objects

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

EXAMPLE = pa.table(
    {
        "temp": [50.0, None],
        "seats": [150, 200],
        "carrier": ["UA", "B6"],
        "holiday": [True, False],
        "origin": pa.array(["JFK", "EWR"]).dictionary_encode(),
    }
)
INPUTS = {
    "temp": ("FP64", 71.5),
    "seats": ("INT64", 120),
    "carrier": ("BYTES", "UA"),
    "holiday": ("BOOL", False),
    "origin": ("BYTES", "LGA"),
}


class Asked(NamedTuple):
    """A status and what came with it."""

    status: int
    body: Any


def version(number: int) -> Callable[[pa.Table], Any]:
    """Version n of the model answers seats / 1000 + n."""
    return lambda table: table["seats"].to_numpy() / 1000 + number


@contextlib.contextmanager
def made_home(home: Path) -> Iterator[Serving]:
    """Make a home with three versions of `late` and the endpoint `late`, answered by the first."""
    settings = load_settings(home)
    store = open_metadata(settings.where_metadata())
    objects = open_objects(settings.where_objects())
    registry = Registry(store=store, objects=objects, signer=Signer(home / "keys", store=store))
    for number in (1, 2, 3):
        registry.register("late", version(number), example=EXAMPLE)
    serving = Serving(store=store, objects=objects, registry=registry, home=home)
    serving.create_endpoint("late", "late")
    serving.set_traffic("late", [Variant(name="champion", version="late@1")], reason="first")
    yield serving
    store.close()


def tensors(rows: int = 1, **changed: Any) -> list[dict[str, Any]]:
    """Return good inputs, some of them changed; None leaves one out."""
    return [
        {"name": name, "datatype": datatype, "shape": [rows], "data": [value] * rows}
        | changed.get(name, {})
        for name, (datatype, value) in INPUTS.items()
        if changed.get(name, {}) is not None
    ]


def request(rows: int = 1, inputs: dict[str, Any] | None = None, **more: Any) -> str:
    """Return a request's body."""
    return json.dumps({"inputs": tensors(rows, **(inputs or {})), **more})


def ask(url: str, *, body: str | None = None) -> Asked:
    """Post a body, or get."""
    with httpx.Client(trust_env=False, timeout=30) as client:
        got = client.get(url) if body is None else client.post(url, content=body)
    return Asked(got.status_code, got.json())
