"""The graph of a pipeline: wired by calling its function, checked before anything runs.

A value can only be passed on after the call that makes it, so the graph has no cycles and its order
is the order of the calls.
"""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.pipelines.definitions import WIRING, Pipeline, Step, Wire
from treadle.pipelines.entities import (
    Binding,
    Constant,
    FromDataset,
    FromStep,
    Named,
    Several,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


class Node(msgspec.Struct, frozen=True):
    """A call of a step in a graph, under a name no other call has."""

    name: str
    step: Step[..., Any]
    arguments: dict[str, Binding]


class Graph(msgspec.Struct, frozen=True, kw_only=True):
    """All calls in the order they were made, and what the pipeline returns."""

    name: str
    params: dict[str, Any]
    nodes: tuple[Node, ...]
    result: Binding | None

    @property
    def datasets(self) -> tuple[str, ...]:
        """Every dataset that is asked for, as it was written."""
        found = (s.ref for n in self.nodes for s in sources(n) if isinstance(s, FromDataset))
        return tuple(dict.fromkeys(found))


def wire(pipeline: Pipeline[...], params: Mapping[str, Any]) -> Graph:
    """Call a pipeline's function with params and return the graph it wires.

    Raises InvalidInput for wrong params, for constants that are not JSON, and when no step is used.
    """
    if not isinstance(pipeline, Pipeline):
        raise InvalidInput(
            f"{pipeline!r} is no pipeline.", hint="Decorate the function with @pipeline."
        )
    arguments = pipeline.arguments(params)
    for name, value in arguments.items():
        require_json(value, what=f"Param {name!r} of pipeline {pipeline.name!r}")
    nodes = _Nodes()
    token = WIRING.set(nodes)
    try:
        returned = pipeline.function(**arguments)
    finally:
        WIRING.reset(token)
    if not nodes.made:
        raise InvalidInput(f"Pipeline {pipeline.name!r} calls no step.")
    result = None if returned is None else binding(returned, what=f"What {pipeline.name!r} returns")
    params = {key: _plain(value) for key, value in arguments.items()}
    return Graph(name=pipeline.name, params=params, nodes=tuple(nodes.made), result=result)


def sources(node: Node) -> Iterator[FromStep | FromDataset]:
    """Yield what a node takes from other steps and from datasets."""
    for argument in node.arguments.values():
        yield from sources_of(argument)


def sources_of(bound: Binding) -> Iterator[FromStep | FromDataset]:
    """Yield the steps and datasets a binding takes from."""
    match bound:
        case FromStep() | FromDataset():
            yield bound
        case Several(items=items):
            for item in items:
                yield from sources_of(item)
        case Named(items=named):
            for item in named.values():
                yield from sources_of(item)


def binding(value: Any, *, what: str) -> Binding:
    """Say where a value comes from: a wire, a list or dict with wires in it, or a JSON constant."""
    if isinstance(value, Wire):
        return value.source
    if isinstance(value, (list, tuple)) and _has_wire(value):
        return Several(tuple(binding(v, what=f"{what}[{i}]") for i, v in enumerate(value)))
    if isinstance(value, dict) and _has_wire(value.values()):
        return Named({str(k): binding(v, what=f"{what}[{k!r}]") for k, v in value.items()})
    require_json(value, what=what)
    return Constant(_plain(value))


def require_json(value: Any, *, what: str) -> None:
    """Raise InvalidInput unless a value is made of None, bool, int, float, str, list, dict."""
    problem = _not_json(value)
    if problem:
        raise InvalidInput(
            f"{what} must be JSON, but {problem}.",
            hint="Pass numbers, texts, lists and dicts; make anything else inside a step.",
        )


def _not_json(value: Any) -> str:
    match value:
        case None | bool() | str():
            return ""
        case int():
            return "" if -(2**63) <= value < 2**64 else f"{value} has more than 64 bits"
        case float():
            return "" if math.isfinite(value) else f"{value} is no JSON number"
        case list() | tuple():
            return next(filter(None, map(_not_json, value)), "")
        case dict():
            if any(not isinstance(key, str) for key in value):
                return "a dict has a key that is no text"
            return next(filter(None, map(_not_json, value.values())), "")
    return f"{value!r:.60} is {type(value).__module__}.{type(value).__qualname__}"


def _has_wire(values: Any) -> bool:
    return any(
        isinstance(v, Wire)
        or (isinstance(v, (list, tuple)) and _has_wire(v))
        or (isinstance(v, dict) and _has_wire(v.values()))
        for v in values
    )


def _plain(value: Any) -> Any:
    # A worker gets its constants as JSON: here and there a step must see the same types.
    match value:
        case list() | tuple():
            return [_plain(item) for item in value]
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case None | bool():
            return value
        case int():
            return int(value)
        case float():
            return float(value)
    return str(value)


class _Nodes:
    """Collects the calls of steps."""

    def __init__(self) -> None:
        self.made: list[Node] = []

    def add(self, called: Step[..., Any], arguments: dict[str, Any]) -> object:
        name = self._free_name(called.name)
        bound = {
            key: binding(value, what=f"Argument {key!r} of step {name!r}")
            for key, value in arguments.items()
        }
        self.made.append(Node(name, called, bound))
        if called.outputs:
            return tuple(Wire(FromStep(name, output)) for output in called.outputs)
        return Wire(FromStep(name))

    def _free_name(self, wanted: str) -> str:
        taken = {node.name for node in self.made}
        again = (f"{wanted}_{number}" for number in itertools.count(2))
        return wanted if wanted not in taken else next(name for name in again if name not in taken)
