"""What a filter may ask of runs: `metrics.NAME`, `params.NAME`, `tags.NAME`, `status`, `name`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.filters import Condition, parse_filter, unknown_field

if TYPE_CHECKING:
    from collections.abc import Iterable

# One word per thing; the plural is what people know from elsewhere.
KEYED = {
    "metric": "metric",
    "metrics": "metric",
    "param": "param",
    "params": "param",
    "tag": "tag",
    "tags": "tag",
}
FIELDS = ("status", "name", "actor", "experiment")
KNOWN = ("metrics.NAME", "params.NAME", "tags.NAME", *FIELDS)
EQUALITY = ("=", "!=")


def parse_run_filter(text: str) -> tuple[Condition, ...]:
    """Read a filter of runs. Raises InvalidInput that says which part cannot be asked."""
    return tuple(_checked(parse_filter(text)))


def _checked(conditions: Iterable[Condition]) -> Iterable[Condition]:
    for found in conditions:
        kind = KEYED.get(found.field, found.field)
        if (kind in KEYED.values()) != bool(found.key) or kind not in {*KEYED.values(), *FIELDS}:
            raise unknown_field(found, KNOWN)
        name = f"{found.field}.{found.key}" if found.key else found.field
        if kind == "metric" and isinstance(found.value, str):
            raise InvalidInput(f"{name} is a number.", hint=f"Leave the quotes out: {name} < 0.5")
        if kind != "metric" and not isinstance(found.value, str):
            raise InvalidInput(
                f"{name} is a text.", hint=f"Put it in quotes: {name} = '{found.value:g}'"
            )
        if kind != "metric" and found.operator not in EQUALITY:
            raise InvalidInput(f"{name} is a text.", hint="Texts are compared by = and != only.")
        yield Condition(field=kind, key=found.key, operator=found.operator, value=found.value)
