"""What happens to models, as facts of the event log, enough to rebuild the tables from."""

from __future__ import annotations

from typing import ClassVar

from treadle.registry.entities import ModelVersion
from treadle.storage.events import Fact


class ModelCreated(Fact, frozen=True, kw_only=True):
    """A model got its first version."""

    kind: ClassVar[str] = "model.created"

    name: str

    def subject(self) -> str:
        return f"model/{self.name}"


class VersionRegistered(Fact, frozen=True, kw_only=True):
    """A model has a new version."""

    kind: ClassVar[str] = "model.version_registered"

    name: str
    number: int
    version: ModelVersion

    def subject(self) -> str:
        return f"model/{self.name}"


class AliasSet(Fact, frozen=True, kw_only=True):
    """An alias points to a version; `previous` is where it pointed before."""

    kind: ClassVar[str] = "model.alias_set"

    name: str
    alias: str
    number: int
    previous: int | None

    def subject(self) -> str:
        return f"model/{self.name}"


class AliasRemoved(Fact, frozen=True, kw_only=True):
    """An alias is gone; `previous` is where it pointed."""

    kind: ClassVar[str] = "model.alias_removed"

    name: str
    alias: str
    previous: int

    def subject(self) -> str:
        return f"model/{self.name}"
