"""What happens to models, as facts of the event log, enough to rebuild the tables from.

`prompt` says that the model is a prompt of MLflow's, for those who are told of one or the other.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec

from treadle.registry.entities import ModelVersion, Seal, Stage
from treadle.storage.events import Fact


class _ModelFact(Fact, frozen=True, kw_only=True):
    """Something that happened to a model."""

    name: str

    def subject(self) -> str:
        return f"model/{self.name}"


class ModelCreated(_ModelFact, frozen=True, kw_only=True):
    """A name was registered: by itself, or by its first version."""

    kind: ClassVar[str] = "model.created"

    description: str = ""
    tags: dict[str, str] = msgspec.field(default_factory=dict)


class ModelDescribed(_ModelFact, frozen=True, kw_only=True):
    """A model has a new description."""

    kind: ClassVar[str] = "model.described"

    description: str


class ModelRenamed(_ModelFact, frozen=True, kw_only=True):
    """A model has a new name. A version signs its name, so all of them were signed again."""

    kind: ClassVar[str] = "model.renamed"

    new_name: str
    seals: tuple[Seal, ...]


class ModelDeleted(_ModelFact, frozen=True, kw_only=True):
    """A model is gone with all of its versions."""

    kind: ClassVar[str] = "model.deleted"


class ModelTagSet(_ModelFact, frozen=True, kw_only=True):
    """A model has a tag."""

    kind: ClassVar[str] = "model.tag_set"

    key: str
    value: str
    prompt: bool = False


class ModelTagRemoved(_ModelFact, frozen=True, kw_only=True):
    """A model has a tag no more."""

    kind: ClassVar[str] = "model.tag_removed"

    key: str
    prompt: bool = False


class VersionRegistered(_ModelFact, frozen=True, kw_only=True):
    """A model has a new version."""

    kind: ClassVar[str] = "model.version_registered"

    number: int
    version: ModelVersion


class VersionDescribed(_ModelFact, frozen=True, kw_only=True):
    """A version has a new description; `seal` when it had to be signed again for that."""

    kind: ClassVar[str] = "model.version_described"

    number: int
    description: str
    seal: Seal | None = None


class VersionTagSet(_ModelFact, frozen=True, kw_only=True):
    """A version has a tag."""

    kind: ClassVar[str] = "model.version_tag_set"

    number: int
    key: str
    value: str
    prompt: bool = False


class VersionTagRemoved(_ModelFact, frozen=True, kw_only=True):
    """A version has a tag no more."""

    kind: ClassVar[str] = "model.version_tag_removed"

    number: int
    key: str
    prompt: bool = False


class StageMoved(_ModelFact, frozen=True, kw_only=True):
    """A version is in another stage; `archived` are those that had to leave it for the archive."""

    kind: ClassVar[str] = "model.stage_moved"

    number: int
    stage: Stage
    previous: Stage
    archived: tuple[int, ...] = ()


class VersionDeleted(_ModelFact, frozen=True, kw_only=True):
    """A version is gone; its number is not given again."""

    kind: ClassVar[str] = "model.version_deleted"

    number: int


class AliasSet(_ModelFact, frozen=True, kw_only=True):
    """An alias points to a version; `previous` is where it pointed before."""

    kind: ClassVar[str] = "model.alias_set"

    alias: str
    number: int
    previous: int | None
    prompt: bool = False


class AliasRemoved(_ModelFact, frozen=True, kw_only=True):
    """An alias is gone; `previous` is where it pointed."""

    kind: ClassVar[str] = "model.alias_removed"

    alias: str
    previous: int
    prompt: bool = False
