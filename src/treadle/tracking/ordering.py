"""How a list of runs is ordered: `started_at desc`, `metric.loss`, `param.depth desc`."""

from __future__ import annotations

from typing import Literal

import msgspec

from treadle.kernel.errors import InvalidInput, near_misses

FIELDS = ("started_at", "ended_at", "name", "status", "experiment")
KEYED = ("metric", "param", "tag")


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A field of runs, or the metric, param or tag named `key`; runs without a value come last."""

    field: Literal[
        "started_at", "ended_at", "name", "status", "experiment", "metric", "param", "tag"
    ]
    key: str = ""
    descending: bool = False


def parse_order(text: str) -> Order:
    """Read an order; ascending unless it ends in `desc`. Raises InvalidInput with the near miss."""
    name, _, direction = text.strip().rpartition(" ")
    if direction.lower() not in {"asc", "desc"}:
        name, direction = text.strip(), "asc"
    kind, dot, key = name.strip().partition(".")
    known = KEYED if dot else FIELDS
    if kind not in known or (dot and not key):
        raise _unknown(name)
    return msgspec.convert(
        {"field": kind, "key": key, "descending": direction.lower() == "desc"}, Order
    )


def _unknown(name: str) -> InvalidInput:
    known = (*FIELDS, *(f"{kind}.NAME" for kind in KEYED))
    close = near_misses(name, known)
    hint = f"Did you mean {close[0]!r}?" if close else f"Order by {', '.join(known)}."
    return InvalidInput(f"Runs cannot be ordered by {name!r}.", hint=hint)
