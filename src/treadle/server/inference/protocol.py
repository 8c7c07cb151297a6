"""Open Inference Protocol V2, REST: its messages, and how they become tables and back.

Tensors are columns: shape [n] or [n, 1], data in row-major order, flat or nested. A null is a
missing value. The binary tensor extension is not spoken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pyarrow as pa

from treadle.kernel.errors import InvalidInput, near_misses
from treadle.registry.signatures import ARROW

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.registry.entities import Field, FieldType
    from treadle.serving.entities import Answer
    from treadle.serving.request_checks import RequestChecks
    from treadle.serving.served import Served


class RequestInput(msgspec.Struct, frozen=True, kw_only=True):
    """One input tensor; its data is read once its datatype is known."""

    name: str
    shape: tuple[int, ...]
    datatype: str
    data: msgspec.Raw
    parameters: dict[str, Any] = {}


class RequestedOutput(msgspec.Struct, frozen=True, kw_only=True):
    """An output tensor the caller asks for by name."""

    name: str
    parameters: dict[str, Any] = {}


class InferRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is posted to `infer`."""

    inputs: tuple[RequestInput, ...]
    id: str | None = None
    parameters: dict[str, Any] = {}
    outputs: tuple[RequestedOutput, ...] = ()


class Tensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor's form."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class OutputTensor(msgspec.Struct, frozen=True, kw_only=True):
    """A tensor with its data."""

    name: str
    datatype: str
    shape: tuple[int, ...]
    data: list[float]


class InferResponse(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What `infer` answers."""

    model_name: str
    model_version: str
    id: str | None = None
    parameters: dict[str, Any]
    outputs: tuple[OutputTensor, ...]


class ModelMetadata(msgspec.Struct, frozen=True, kw_only=True):
    """What a model takes and answers, and what serves it now."""

    name: str
    versions: tuple[str, ...]
    platform: str
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    parameters: dict[str, Any]


_REQUESTS = msgspec.json.Decoder(InferRequest)

_FLOATS = (msgspec.json.Decoder(list[float | None]), msgspec.json.Decoder(list[list[float | None]]))
_INTS = (msgspec.json.Decoder(list[int | None]), msgspec.json.Decoder(list[list[int | None]]))
_TEXTS = (msgspec.json.Decoder(list[str | None]), msgspec.json.Decoder(list[list[str | None]]))
_BOOLS = (msgspec.json.Decoder(list[bool | None]), msgspec.json.Decoder(list[list[bool | None]]))
_DECODERS: Mapping[str, tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]] = {
    "FP64": _FLOATS,
    "FP32": _FLOATS,
    "INT64": _INTS,
    "INT32": _INTS,
    "BOOL": _BOOLS,
    "BYTES": _TEXTS,
}
_DATATYPES: Mapping[FieldType, str] = {
    "double": "FP64",
    "int64": "INT64",
    "bool": "BOOL",
    "string": "BYTES",
    "category": "BYTES",
    "timestamp": "BYTES",
    "date": "BYTES",
}
# What a client may send for each datatype without a value changing its meaning.
_ACCEPTED: Mapping[str, tuple[str, ...]] = {
    "FP64": ("FP64", "FP32", "INT64", "INT32"),
    "INT64": ("INT64", "INT32"),
    "BOOL": ("BOOL",),
    "BYTES": ("BYTES",),
}
_SHOWN = 5
# Enough for two brackets and the line break with indentation a pretty printer puts between them.
_PEEKED = 64


def decode_request(body: bytes) -> InferRequest:
    """Read a request. Raises InvalidInput saying where it is wrong."""
    try:
        return _REQUESTS.decode(body)
    except msgspec.ValidationError as error:
        raise InvalidInput(f"Not an Open Inference V2 request: {error}.") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidInput(f"The body is not JSON: {error}.") from error


def inputs_of(served: Served) -> dict[str, Field]:
    """Return all inputs of the variants that answer, by name: what a request must hold."""
    return {
        field.name: field
        for variant in reversed(served.endpoint.answering)
        for field in served.models[variant.version].version.signature.inputs
    }


def table_of(request: InferRequest, *, served: Served) -> pa.Table:
    """Return the request's tensors as a table. Raises InvalidInput naming what is wrong."""
    needed = inputs_of(served)
    optional = _inputs_only_of_shadows(served, needed=needed)
    found = {tensor.name: tensor for tensor in request.inputs}
    if len(found) < len(request.inputs):
        raise InvalidInput("An input is given twice.")
    _check_names(needed, found=found, optional=optional)
    # In the model's own order, which spares it sorting them.
    fields = needed | optional
    columns = {name: _column(found[name], fields[name]) for name in fields if name in found}
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {rows}" for name, rows in list(lengths.items())[:_SHOWN])
        raise InvalidInput(f"The inputs have different numbers of rows: {told}.")
    return pa.table(columns)


def per_row(request: InferRequest, *, one: str, many: str, rows: int) -> list[Any] | None:
    """Return a parameter per row: from a list under `many`, or one value for all under `one`."""
    given = request.parameters.get(many)
    if given is not None:
        if not isinstance(given, list):
            raise InvalidInput(f"Parameter {many!r} must be a list with one item per row.")
        return given
    single = request.parameters.get(one)
    return None if single is None else [single] * rows


def check_outputs(request: InferRequest, *, served: Served) -> None:
    """Raise InvalidInput when the caller asks for an output other than the model's one."""
    for wanted in request.outputs:
        if wanted.name != served.endpoint.model:
            raise InvalidInput(
                f"The model has no output {wanted.name!r}.",
                hint=f"It has {served.endpoint.model!r}.",
            )


def response_of(answer: Answer, request: InferRequest, *, served: Served) -> bytes:
    """Return the answer as the protocol has it; ids and who answered are parameters."""
    parameters: dict[str, Any] = {
        "prediction_ids": answer.ids,
        "variant": answer.variant,
        "version": answer.version,
    }
    if len(set(answer.versions)) > 1:  # rows of several keys
        parameters |= {"variants": answer.variants, "versions": answer.versions}
    values = OutputTensor(
        name=served.endpoint.model,
        datatype="FP64",
        shape=(len(answer.ids),),
        data=answer.values.tolist(),
    )
    return msgspec.json.encode(
        InferResponse(
            model_name=served.endpoint.name,
            model_version=answer.version.rpartition("@")[2],
            id=request.id,
            parameters=parameters,
            outputs=(values,),
        )
    )


def metadata_of(served: Served, *, problem: str | None) -> ModelMetadata:
    """Return what an endpoint's model takes and answers."""
    endpoint = served.endpoint
    models = [served.models[v.version] for v in endpoint.answering]
    return ModelMetadata(
        name=endpoint.name,
        versions=tuple(v.number for v in endpoint.answering),
        platform=f"treadle_{models[0].version.flavor}",
        inputs=tuple(
            Tensor(name=field.name, datatype=_DATATYPES[field.type], shape=(-1,))
            for field in inputs_of(served).values()
        ),
        outputs=(Tensor(name=endpoint.model, datatype="FP64", shape=(-1,)),),
        parameters={
            "revision": endpoint.revision,
            "output": models[0].version.signature.output,
            "variants": endpoint.variants,
            **({"problem": problem} if problem else {}),
            **({"contract": _told(served.checks)} if served.checks else {}),
        },
    )


def _told(checks: RequestChecks) -> dict[str, Any]:
    counts = checks.counts()
    return {"mode": checks.mode, "of": checks.contract.sources, **msgspec.structs.asdict(counts)}


def _inputs_only_of_shadows(served: Served, *, needed: Mapping[str, Field]) -> dict[str, Field]:
    return {
        field.name: field
        for variant in served.endpoint.shadows
        for field in served.models[variant.version].version.signature.inputs
        if field.name not in needed
    }


def _check_names(
    needed: Mapping[str, Field],
    *,
    found: Mapping[str, RequestInput],
    optional: Mapping[str, Field],
) -> None:
    missing = [name for name, f in needed.items() if name not in found and not f.optional]
    unknown = [name for name in found if name not in needed and name not in optional]
    if missing:
        expected = _DATATYPES[needed[missing[0]].type]
        close = near_misses(missing[0], unknown)
        raise InvalidInput(
            f"Input {missing[0]!r} is missing: expected {expected}.",
            hint=f"Is it {close[0]!r}?" if close else f"Missing in all: {_some(missing)}.",
            input=missing[0],
            expected=expected,
        )
    if unknown:
        close = near_misses(unknown[0], needed)
        raise InvalidInput(
            f"The model has no input {unknown[0]!r}.",
            hint=f"Did you mean {close[0]!r}?" if close else f"It has {_some(list(needed))}.",
            input=unknown[0],
        )


def _column(tensor: RequestInput, field: Field) -> pa.Array:
    expected = _DATATYPES[field.type]
    if tensor.datatype not in _ACCEPTED[expected]:
        raise InvalidInput(
            f"Input {tensor.name!r}: expected {expected}, found {tensor.datatype}.",
            hint=f"It takes {' or '.join(_ACCEPTED[expected])}.",
            input=tensor.name,
            expected=expected,
            found=tensor.datatype,
        )
    cells = _cells(tensor)
    try:
        if field.type in {"category", "timestamp", "date"}:
            return pa.array(cells, pa.string()).cast(ARROW[field.type])
        return pa.array(cells, ARROW[field.type])
    except (pa.ArrowInvalid, OverflowError) as error:
        raise InvalidInput(
            f"Input {tensor.name!r}: expected {field.type}: {error}.", input=tensor.name
        ) from error


def _cells(tensor: RequestInput) -> list[Any]:
    rows = tensor.shape[0] if tensor.shape else -1
    if rows < 0 or any(size != 1 for size in tensor.shape[1:]):
        raise InvalidInput(
            f"Input {tensor.name!r} has shape {list(tensor.shape)}.",
            hint="An input is one column: shape [rows] or [rows, 1].",
            input=tensor.name,
        )
    cells = _decoded(tensor)
    if len(cells) != rows:
        raise InvalidInput(
            f"Input {tensor.name!r}: shape {list(tensor.shape)} says {rows} values, "
            f"found {len(cells)}.",
            input=tensor.name,
            expected=rows,
            found=len(cells),
        )
    return cells


def _decoded(tensor: RequestInput) -> list[Any]:
    flat, nested = _DECODERS[tensor.datatype]
    try:
        cells: list[Any] = flat.decode(tensor.data)
    except msgspec.ValidationError as error:
        # The protocol allows [1, 2] and [[1], [2]]; nearly everybody sends the first.
        if not _is_nested(tensor.data):
            raise _wrong_data(tensor, error) from error
        try:
            cells = [cell for row in nested.decode(tensor.data) for cell in row]
        except msgspec.ValidationError as inner:
            raise _wrong_data(tensor, inner) from inner
    return cells


def _is_nested(data: msgspec.Raw) -> bool:
    return b"".join(bytes(memoryview(data)[:_PEEKED]).split()).startswith(b"[[")


def _wrong_data(tensor: RequestInput, error: msgspec.ValidationError) -> InvalidInput:
    return InvalidInput(
        f"Input {tensor.name!r}: expected {tensor.datatype} data: {error}.",
        input=tensor.name,
        expected=tensor.datatype,
    )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_SHOWN]) + (", …" if len(names) > _SHOWN else "")
