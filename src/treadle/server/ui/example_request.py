"""A request that works, made of signature and contract of what serves; its answer's shape."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from treadle.data.contracts import ColumnRule
    from treadle.registry.entities import Field, ModelVersion
    from treadle.serving.training_contracts import RequestContract

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


def curl(url: str, served: ModelVersion | None, contract: RequestContract | None = None) -> str:
    """Return a shell command that asks an endpoint for one row, which its contract knows."""
    rules = {c.name: c for c in contract.body.columns} if contract else {}
    hidden = rules if contract is None or contract.sensitive is None else contract.sensitive
    fields = served.signature.inputs if served else ()
    # One tensor a line: a model of many inputs stays readable.
    tensors = ",\n    ".join(
        _tensor(field, None if field.name in hidden else rules.get(field.name)) for field in fields
    )
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


def _tensor(field: Field, rule: ColumnRule | None) -> str:
    kind, value = _VALUES[field.type]
    if rule is not None:
        value = _allowed(rule, value)
    name, shown = _quoted(field.name), _quoted(value)
    return f'{{"name": {name}, "shape": [1], "datatype": "{kind}", "data": [{shown}]}}'


def _quoted(value: Any) -> str:
    """Return JSON that stays within the quotes of a shell, whoever's data it comes from."""
    return msgspec.json.encode(value).decode().replace("'", "\\u0027")


def _allowed(rule: ColumnRule, value: Any) -> Any:
    """Return a value that keeps the rule, the given one if it does."""
    if isinstance(value, str):
        return rule.categories[0] if rule.categories else value
    low = -math.inf if rule.low is None else rule.low
    high = math.inf if rule.high is None else rule.high
    if isinstance(value, bool) or low <= value <= high:
        return value
    near, rounded = (low, math.ceil) if value < low else (high, math.floor)
    return rounded(near) if isinstance(value, int) else near
