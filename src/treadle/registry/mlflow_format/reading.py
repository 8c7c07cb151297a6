"""Read an `MLmodel`: which flavors there are, what each says, and what the model takes."""

from __future__ import annotations

from typing import Any

import msgspec
import yaml

from treadle.kernel.errors import InvalidInput
from treadle.registry.entities import UNKNOWN_SIGNATURE, Field, Signature
from treadle.registry.mlflow_format.words import FROM_MLFLOW, FROM_NUMPY, MLMODEL, OURS

MATRIX = 2
# Columns of a nameless tensor; an image of a million pixels is no table.
WIDEST = 10_000
# Ten thousand columns described take some 600 kB.
LARGEST = 1 << 20
# What MLflow writes has some fifty, six deep; a reader's time grows with the one times the other.
MOST_EVENTS, DEEPEST = 50_000, 32
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # the first where libyaml was there


class Ours(msgspec.Struct, frozen=True, kw_only=True):
    """What we write beside MLflow's own sections."""

    flavor: str = ""
    signature: Signature = UNKNOWN_SIGNATURE
    files: dict[str, str] = {}


class MlModel(msgspec.Struct, frozen=True, kw_only=True):
    """What an `MLmodel` says. Nothing of it is believed but what can be checked."""

    flavors: dict[str, dict[str, Any]] = {}
    inputs: tuple[Field, ...] = ()
    mlflow_version: str = ""
    ours: Ours = Ours()

    @property
    def native(self) -> str:
        """The flavor beside `python_function`; nothing when that is all there is."""
        return next((name for name in self.flavors if name not in {"python_function", OURS}), "")


def read_mlmodel(data: bytes) -> MlModel:
    """Read the text of an `MLmodel`. Raises InvalidInput when it is none."""
    if len(data) > LARGEST:
        raise InvalidInput(f"The {MLMODEL} has {len(data)} bytes; it is a page of text.")
    try:
        _check_shape(data)
        told = yaml.load(data, Loader=_LOADER)  # noqa: S506 - one of the two safe ones
        raw = msgspec.convert(told, type=_Raw)
    except (yaml.YAMLError, msgspec.ValidationError, ValueError, RecursionError) as error:
        raise InvalidInput(f"The {MLMODEL} cannot be read: {error}") from error
    flavors = {name: said or {} for name, said in raw.flavors.items()}
    return MlModel(
        flavors=flavors,
        inputs=_inputs(raw.signature.inputs) if raw.signature else (),
        mlflow_version=raw.mlflow_version or "",
        ours=_ours(flavors),
    )


def _check_shape(data: bytes) -> None:
    """Raise InvalidInput for what would take long to read, before it is read."""
    depth = 0
    for count, event in enumerate(yaml.parse(data, Loader=_LOADER)):
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        # References to other places: nothing in it needs them, and they multiply.
        if count > MOST_EVENTS or depth > DEEPEST or isinstance(event, yaml.AliasEvent):
            raise InvalidInput(f"The {MLMODEL} is no plain list of flavors: it is not read.")


class _Signature(msgspec.Struct):
    inputs: str | None = None


class _Raw(msgspec.Struct):
    flavors: dict[str, dict[str, Any] | None]
    signature: _Signature | None = None
    mlflow_version: str | None = None


class _Tensor(msgspec.Struct):
    dtype: str
    shape: list[int]


class _Column(msgspec.Struct):
    type: str
    name: str | None = None
    required: bool = True
    tensor: _Tensor | None = msgspec.field(name="tensor-spec", default=None)


def _inputs(text: str | None) -> tuple[Field, ...]:
    """Return the columns of a signature; none when one of them is nothing a column can be."""
    try:
        columns = msgspec.json.decode(text or "[]", type=list[_Column])
    except msgspec.DecodeError:
        return ()
    fields = [_fields(column, alone=len(columns) == 1) for column in columns]
    flat = tuple(field for found in fields for field in found)
    return flat if all(fields) and len({field.name for field in flat}) == len(flat) else ()


def _fields(column: _Column, *, alone: bool) -> list[Field]:
    if column.tensor is None:
        kind = FROM_MLFLOW.get(column.type)
        if kind is None or column.name is None:
            return []
        return [Field(name=column.name, type=kind, optional=not column.required)]
    kind = next((k for start, k in FROM_NUMPY if column.tensor.dtype.startswith(start)), None)
    shape = column.tensor.shape
    if kind is None:
        return []
    if column.name is not None and shape in ([-1], [-1, 1]):
        return [Field(name=column.name, type=kind, optional=not column.required)]
    if alone and len(shape) == MATRIX and 0 < shape[1] <= WIDEST:
        return [Field(name=str(place), type=kind) for place in range(shape[1])]
    return []


def _ours(flavors: dict[str, dict[str, Any]]) -> Ours:
    try:
        return msgspec.convert(flavors.get(OURS, {}), type=Ours)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"{OURS} in the {MLMODEL} cannot be read: {error}") from error
