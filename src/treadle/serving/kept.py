"""Loaded models kept for the next time, each known by what it is and not by its name."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.registry.entities import ModelVersion
    from treadle.registry.loaded import LoadedModel
    from treadle.registry.service import Registry


def identity(version: ModelVersion) -> tuple[str, str]:
    """Return what no other version has, nor this one under another name.

    A ref is not enough: `late@3` may be deleted, and another model be given that name and number.
    """
    return version.id, version.digest


class KeptModels:
    """The models used last. May be shared by threads."""

    def __init__(self, registry: Registry, *, most: int) -> None:
        self._registry = registry
        self._most = most
        self._lock = threading.Lock()
        # The least lately used comes first.
        self._kept: dict[tuple[str, str], LoadedModel] = {}

    def load(self, ref: str) -> LoadedModel:
        """Return the version that a ref means now, loaded. Raises NotFound, Corrupt, Refused."""
        version = self._registry.version(ref)
        key = identity(version)
        with self._lock:
            model = self._kept.pop(key, None)
        if model is None:
            model = self._registry.load_version(version)
        with self._lock:
            self._kept[key] = model
            while len(self._kept) > self._most:
                del self._kept[next(iter(self._kept))]
        return model
