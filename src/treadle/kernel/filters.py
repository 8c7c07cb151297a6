"""The filter language of lists: `metrics.log_loss < 0.5 and params.depth = '6'`.

A filter is conditions joined by `and`. A condition is a field, an operator and a value; a field may
have a key behind a dot, in backticks when it holds spaces. Texts stand in quotes, numbers do not.
"""

from __future__ import annotations

import re
from typing import Literal

import msgspec

from treadle.kernel.errors import InvalidInput, near_misses

Operator = Literal["=", "!=", "<", "<=", ">", ">="]

LONGEST = 2000
_CONDITION = re.compile(
    r"\s*(?P<field>[A-Za-z_]\w*)(?:\.(?P<key>`[^`]+`|[\w.\-/:]+))?"
    r"\s*(?P<operator><=|>=|!=|=|<|>)"
    r"\s*(?P<value>'[^']*'|\"[^\"]*\"|[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)"
)
_AND = re.compile(r"\s+and(?=\s)", re.IGNORECASE)


class Condition(msgspec.Struct, frozen=True, kw_only=True):
    """One claim about a thing of a list; `key` is empty for a field that has none."""

    field: str
    key: str = ""
    operator: Operator
    value: float | str


def parse_filter(text: str) -> tuple[Condition, ...]:
    """Read a filter; an empty one has no condition. Raises InvalidInput naming the place."""
    if len(text) > LONGEST:
        raise InvalidInput(f"A filter has at most {LONGEST} characters, not {len(text)}.")
    if not text.strip():
        return ()
    conditions: list[Condition] = []
    at = 0
    while True:
        found = _CONDITION.match(text, at)
        if found is None:
            raise _unreadable(text, at, "a condition such as metrics.log_loss < 0.5")
        conditions.append(_condition(found))
        at = found.end()
        if not text[at:].strip():
            return tuple(conditions)
        joint = _AND.match(text, at)
        if joint is None:
            raise _unreadable(text, at, "“and”")
        at = joint.end()


def unknown_field(condition: Condition, known: tuple[str, ...]) -> InvalidInput:
    """Return the error for a field that a list does not have, with the near miss."""
    name = f"{condition.field}.{condition.key}" if condition.key else condition.field
    close = near_misses(condition.field, [field.partition(".")[0] for field in known])
    hint = f"Did you mean {close[0]!r}?" if close else f"It knows {', '.join(known)}."
    return InvalidInput(f"A filter cannot ask for {name!r}.", hint=hint)


def _condition(found: re.Match[str]) -> Condition:
    value = found["value"]
    return Condition(
        field=found["field"],
        key=(found["key"] or "").strip("`"),
        operator=msgspec.convert(found["operator"], Operator),
        value=value[1:-1] if value[0] in "'\"" else float(value),
    )


def _unreadable(text: str, at: int, wanted: str) -> InvalidInput:
    rest = text[at:].lstrip()
    place = len(text) - len(rest) + 1
    stands = f"“{rest[:30]}”" if rest else "nothing more"
    return InvalidInput(
        f"The filter cannot be read at character {place}: {stands} stands there.",
        hint=f"Expected {wanted}.",
    )
