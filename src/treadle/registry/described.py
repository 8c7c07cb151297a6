"""What files that came from outside say of themselves by their `MLmodel`; nothing is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import TreadleError
from treadle.registry.entities import UNKNOWN_SIGNATURE, Signature
from treadle.registry.mlflow_format.reading import MlModel, read_mlmodel
from treadle.registry.mlflow_format.words import MLMODEL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.entities import FileEntry
    from treadle.storage.ports import ObjectStore

UNKNOWN_FLAVOR = "mlflow"
# A description is a page of text; whoever sends more has put something else under that name.
LARGEST = 1 << 20


class Described(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a version whose files came from outside."""

    flavor: str = UNKNOWN_FLAVOR
    signature: Signature = UNKNOWN_SIGNATURE
    metadata: dict[str, Any] = {}


def describe_files(files: Sequence[FileEntry], *, objects: ObjectStore) -> Described:
    """Read the flavor and the inputs of files from their `MLmodel`, if there is one to read."""
    entry = next((file for file in files if file.path == MLMODEL), None)
    if entry is None or entry.size_bytes > LARGEST:
        return Described()
    try:
        with objects.open(entry.digest) as stream:
            found = read_mlmodel(stream.read())
    except TreadleError:  # loading says so; a version is made of what is there all the same
        return Described()
    return _described(found)


def is_foreign(flavor: str) -> bool:
    """Say whether a version of this flavor came as files that MLflow wrote."""
    return flavor == UNKNOWN_FLAVOR or flavor.startswith(f"{UNKNOWN_FLAVOR}.")


def _described(found: MlModel) -> Described:
    return Described(
        flavor=f"{UNKNOWN_FLAVOR}.{found.native}" if found.native else UNKNOWN_FLAVOR,
        signature=Signature(inputs=found.inputs, output="unknown"),
        metadata={
            "format": "mlflow",
            "libraries": {"mlflow": found.mlflow_version} if found.mlflow_version else {},
        },
    )
