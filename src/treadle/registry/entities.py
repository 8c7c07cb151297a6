"""What the registry knows: models, their versions, their signatures."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

from treadle.data.entities import FileEntry
from treadle.kernel.digests import digest_json

FieldType = Literal["int64", "double", "bool", "string", "category", "timestamp", "date"]
Output = Literal["probability", "class", "number", "unknown"]
Stage = Literal["none", "staging", "production", "archived"]
Status = Literal["pending", "ready", "failed"]

PROMPT = "mlflow.prompt.is_prompt"
"""The tag by which MLflow's clients mark a model, or a version, that is a prompt."""

# What the signature of a version covered when it was made. New versions get the newest; older ones
# keep theirs and stay valid.
SEALING = 2
_SEALED = {
    1: (
        "id", "model", "number", "run_id", "flavor", "files", "signature", "description",
        "metadata", "created_at", "actor",
    ),
    2: (
        "id", "model", "number", "run_id", "flavor", "files", "signature", "metadata",
        "created_at", "actor", "sealing", "source", "run_link", "logged_model_id",
    ),
}  # fmt: skip


class Field(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An input column of a model. One that is optional may be left out: it is then all missing."""

    name: str
    type: FieldType
    # Left out of what is signed where it is not set: versions without it keep their digest.
    optional: bool = False


class Signature(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes, in order, and what it answers for each row.

    The answer is one float: the `probability` of the positive class, the place of the predicted
    `class` in the version's metadata, or any `number`. It is `unknown` of models that came as files
    which do not say so.
    """

    inputs: tuple[Field, ...]
    output: Output


UNKNOWN_SIGNATURE = Signature(inputs=(), output="unknown")


class Seal(msgspec.Struct, frozen=True, kw_only=True):
    """The signature of one version: who signed which digest, and what the digest covers."""

    number: int
    digest: str
    key_id: str
    signed: str
    sealing: int = SEALING


class ModelVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One saved state of a model. `digest` names its manifest, `signed` signs the digest.

    `sealing` says what the manifest holds: all that never changes. Description, tags, stage and
    status may change and are not in it. A version without files is a link to its `source`.
    """

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
    sealing: int = 1
    source: str = ""
    run_link: str = ""
    logged_model_id: str | None = None
    status: Status = "ready"
    status_message: str = ""
    stage: Stage = "none"
    updated_at: int = 0
    tags: dict[str, str] = {}

    @property
    def ref(self) -> str:
        """The version as it is written in commands and logs (`late@3`)."""
        return f"{self.model}@{self.number}"

    @property
    def is_prompt(self) -> bool:
        """Whether this is a version of a prompt."""
        return self.tags.get(PROMPT, "").lower() == "true"

    def manifest(self) -> dict[str, Any]:
        """Return all that is signed."""
        fields: dict[str, Any] = msgspec.to_builtins(self)
        return {name: fields[name] for name in _SEALED.get(self.sealing, ())}

    def manifest_digest(self) -> str:
        """Return the digest that an untouched version carries."""
        return digest_json(self.manifest())


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A registered name, its newest number and where its aliases point.

    A number is never given twice; those of deleted versions are missing. `latest` is 0 as long as
    there is no version.
    """

    name: str
    latest: int
    versions: int
    aliases: dict[str, int]
    created_at: int
    updated_at: int
    description: str = ""
    tags: dict[str, str] = {}

    @property
    def is_prompt(self) -> bool:
        """Whether this is a prompt of MLflow's."""
        return self.tags.get(PROMPT, "").lower() == "true"


def signed_message(digest: str) -> bytes:
    """Return the bytes a version's signature signs; no other thing that is signed begins so."""
    return f"treadle model version\n{digest}\n".encode()
