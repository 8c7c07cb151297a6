"""What the registry knows: models, their versions, their signatures."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle.data.entities import FileEntry
from treadle.kernel.digests import digest_json

FieldType = Literal["int64", "double", "bool", "string", "category", "timestamp", "date"]
Output = Literal["probability", "class", "number"]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """An input column of a model."""

    name: str
    type: FieldType


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes, in order, and what it answers for each row.

    The answer is one float: the `probability` of the positive class, the place of the predicted
    `class` in the version's metadata, or any `number`.
    """

    inputs: tuple[Field, ...]
    output: Output


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One saved state of a model. `digest` names all of its manifest, `signed` signs the digest."""

    id: str
    model: str
    number: int
    run_id: str | None
    flavor: str
    files: tuple[FileEntry, ...]
    digest: str
    signature: Signature
    key_id: str
    signed: str
    description: str
    metadata: dict[str, Any]
    created_at: int
    actor: str

    @property
    def ref(self) -> str:
        """The version as it is written in commands and logs (`late@3`)."""
        return f"{self.model}@{self.number}"

    def manifest(self) -> dict[str, Any]:
        """Return all that is signed: every field but the digest and the signature themselves."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {k: v for k, v in fields.items() if k not in {"digest", "key_id", "signed"}}

    def manifest_digest(self) -> str:
        """Return the digest that an untouched version carries."""
        return digest_json(self.manifest())


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered name, its newest number and where its aliases point."""

    name: str
    latest: int
    aliases: dict[str, int]
    created_at: int
    updated_at: int

    @property
    def versions(self) -> int:
        """How many versions there are: numbers have no gaps."""
        return self.latest


def signed_message(digest: str) -> bytes:
    """Return the bytes a version's signature signs; no other thing that is signed begins so."""
    return f"treadle model version\n{digest}\n".encode()
