"""The last desired state this machine has seen, for a start while the metadata store is down."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from treadle.registry.entities import ModelVersion
from treadle.serving.entities import Endpoint
from treadle.serving.training_contracts import RequestContract
from treadle.storage.objects import sync_folder

if TYPE_CHECKING:
    from pathlib import Path


class Desired(msgspec.Struct, frozen=True, kw_only=True):
    """What should be served, and all that is needed to load it.

    Versions keep their signatures: they are checked again when they are loaded from here.
    `contracts` are what requests to each endpoint must keep, so that they are judged while the
    metadata store is down, too.
    """

    endpoints: tuple[Endpoint, ...]
    versions: tuple[ModelVersion, ...] = ()
    contracts: dict[str, RequestContract] = {}


class DesiredFile:
    """The desired state as it was last known; whole or absent."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def write(self, desired: Desired) -> None:
        """Remember a state."""
        self._path.parent.mkdir(parents=True, exist_ok=True)
        draft = self._path.with_suffix(f".{os.getpid()}")
        with draft.open("wb") as file:
            file.write(msgspec.json.format(msgspec.json.encode(desired)))
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self._path)
        sync_folder(self._path.parent)

    def read(self) -> Desired | None:
        """Return the state as it was last known; None when it never was."""
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Desired)
        except FileNotFoundError:
            return None
