"""A request that works, made from the signature of what serves, and the shape of its answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from treadle.registry.entities import Field, ModelVersion

_VALUES: dict[str, tuple[str, Any]] = {
    "int64": ("INT64", 1),
    "double": ("FP64", 0.5),
    "bool": ("BOOL", True),
    "string": ("BYTES", "a"),
    "category": ("BYTES", "a"),
    "timestamp": ("BYTES", "2013-03-01T12:00:00Z"),
    "date": ("BYTES", "2013-03-01"),
}


def infer_url(inference_url: str, name: str) -> str:
    """Return where an endpoint is asked."""
    return f"{inference_url}/v2/models/{name}/infer"


def curl(url: str, served: ModelVersion | None) -> str:
    """Return a shell command that asks an endpoint for one row."""
    fields = served.signature.inputs if served else ()
    # One tensor a line: a model of many inputs stays readable.
    tensors = ",\n    ".join(_tensor(field) for field in fields)
    return (
        f"curl -s {url} \\\n"
        "  -H 'content-type: application/json' \\\n"
        f"  -d '{{\"inputs\": [\n    {tensors}]}}'"
    )


def answer(name: str, served: ModelVersion | None) -> str:
    """Return what comes back; what differs from request to request stands in angle brackets."""
    if served is None:
        return "Nothing serves here yet."
    return (
        f'{{"model_name": "{name}", "model_version": "{served.number}",\n'
        ' "parameters": {"prediction_ids": ["<id>"], …},\n'
        f' "outputs": [{{"name": "{served.model}", "shape": [1], "datatype": "FP64",\n'
        '               "data": [<value>]}]}'
    )


def _tensor(field: Field) -> str:
    kind, value = _VALUES[field.type]
    shown = msgspec.json.encode(value).decode()
    return f'{{"name": "{field.name}", "shape": [1], "datatype": "{kind}", "data": [{shown}]}}'
