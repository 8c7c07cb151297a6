"""What a list may be asked for: which fields its things have, and what is compared with them.

Every list declares its fields once; filters and orders of the list are then read here. A checked
filter speaks of the fields by the names the list's store knows, instants are microseconds.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Literal

import msgspec

from treadle.kernel.clock import parse_instant
from treadle.kernel.errors import InvalidInput, near_misses
from treadle.kernel.filters import (
    And,
    Condition,
    Node,
    Not,
    Operator,
    Or,
    parse_filter,
    shown_text,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# `millis` is an instant asked for in milliseconds, `caseless` a text without regard to case,
# `either` a text or a number, as it is asked for.
Kind = Literal["text", "caseless", "either", "number", "whole", "instant", "millis"]

PREFIXES = ("attribute", "attributes", "attr", "run")
COMPARING = ("=", "!=", "<", "<=", ">", ">=")
MATCHING = ("=", "!=", "LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE", "IN", "NOT IN")
MOST_ORDERS = 20
LONGEST_ORDER = 10_000
# Beyond it, a number is larger than every instant.
_FAR = (1 << 63) // 1000 - 2
NEVER = Or(())

_COMMA = re.compile(r"`[^`]*`|\"[^\"]*\"|(?P<comma>,)")
_ORDER_KEY = re.compile(r"`(?P<ticked>(?:[^`]|``)+)`|\"(?P<quoted>[^\"]+)\"|(?P<bare>[^`\"]+)")


class ListField(msgspec.Struct, frozen=True):
    """A field by the name its store knows. `nullable` ones may be missing."""

    name: str
    kind: Kind = "text"
    nullable: bool = False
    orders: bool = True


class ListFields(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a list by how they are written; `keyed` ones have a name behind a dot.

    With `bare_texts` a text may stand without quotes when it looks like a number.
    """

    noun: str
    attributes: dict[str, ListField]
    keyed: dict[str, ListField] = {}
    bare_texts: bool = False


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A field by the name its store knows; things without a value come last."""

    field: str
    key: str = ""
    descending: bool = False


def check_filter(text: str, fields: ListFields) -> Node:
    """Read a filter of a list. Raises InvalidInput that says which part cannot be asked."""
    return _checked(parse_filter(text), fields)


def check_orders(
    order_by: str | Sequence[str], fields: ListFields, *, default: str
) -> tuple[Order, ...]:
    """Read an order of a list: fields by commas or one by one, each with `asc` or `desc`.

    Raises InvalidInput with the near miss.
    """
    given = [order_by] if isinstance(order_by, str) else list(order_by) or [default]
    if sum(map(len, given)) > LONGEST_ORDER:
        raise InvalidInput(f"An order has at most {LONGEST_ORDER} characters.")
    texts = [text for part in given for text in _split(part)]
    if len(texts) > MOST_ORDERS:
        raise InvalidInput(f"An order has at most {MOST_ORDERS} fields, not {len(texts)}.")
    orders = tuple(_order(text.strip(), fields) for text in texts)
    if len({(order.field, order.key) for order in orders}) < len(orders):
        raise InvalidInput(f"An order names a field only once: {', '.join(texts)}.")
    return orders


def _checked(node: Node, fields: ListFields) -> Node:
    if isinstance(node, Condition):
        return _condition(node, fields)
    if isinstance(node, Not):
        return Not(_checked(node.part, fields))
    return type(node)(tuple(_checked(part, fields) for part in node.parts))


def _condition(found: Condition, fields: ListFields) -> Node:
    field, key = _field(found, fields)
    if found.operator in {"IS NULL", "IS NOT NULL"}:
        if not key and not field.nullable:
            raise _wrong(found, "is never missing", "Leave the condition out.")
        return Condition(field=field.name, key=key, operator=found.operator)
    is_text = field.kind == "either" and not isinstance(found.value, (int, float))
    if is_text or field.kind in {"text", "caseless"}:
        return _of_text(found, field, key=key, bare_texts=fields.bare_texts)
    return _of_number(found, field, key=key)


def _field(found: Condition, fields: ListFields) -> tuple[ListField, str]:
    if found.key and found.field in fields.keyed:
        return fields.keyed[found.field], found.key
    bare = found.field in PREFIXES and found.key
    name = found.key if bare else f"{found.field}.{found.key}" if found.key else found.field
    known = fields.attributes.get(name)
    if known is None:
        written = f"{found.field}.{found.key}" if found.key else found.field
        raise InvalidInput(
            f"A filter of {fields.noun} cannot ask for {written!r} (character {found.at}).",
            hint=_hint(name, fields, what="It knows"),
            position=found.at,
        )
    return known, ""


def _of_text(found: Condition, field: ListField, *, key: str, bare_texts: bool) -> Condition:
    value, operator = found.value, found.operator
    if operator not in MATCHING:
        raise _wrong(
            found, "is a text", f"Texts are compared by {', '.join(MATCHING)}, not by {operator}."
        )
    if isinstance(value, (int, float)):
        if not bare_texts:
            raise _wrong(found, "is a text", f"Put it in quotes: {found.name} = '{found.written}'")
        value = found.written
    if field.kind == "caseless":
        operator = _CASELESS.get(operator, operator)
        value = value.lower() if isinstance(value, str) else _lowered(value)
    return Condition(field=field.name, key=key, operator=operator, value=value)


def _of_number(found: Condition, field: ListField, *, key: str) -> Node:
    kind, value = field.kind, found.value
    if found.operator not in COMPARING:
        raise _wrong(found, "is a number", f"Numbers are compared by {', '.join(COMPARING)}.")
    if isinstance(value, str) and kind in {"instant", "millis"}:
        kind, value = "instant", _instant(found, value)
    if isinstance(value, str) and kind == "whole" and re.fullmatch(r"-?\d{1,18}", value):
        value = int(value)
    if not isinstance(value, (int, float)):
        raise _wrong(found, "is a number", f"Leave the quotes out: {found.name} < 0.5")
    if kind in {"number", "either"}:
        return Condition(field=field.name, key=key, operator=found.operator, value=float(value))
    whole = _of_whole(field.name, found.operator, value)
    return _in_micros(whole) if kind == "millis" and isinstance(whole, Condition) else whole


def _of_whole(field: str, operator: Operator, value: float) -> Node:
    """Compare a whole number with any number, so that only whole ones reach the store."""
    value = max(-_FAR, min(_FAR, value))
    if operator in {"=", "!="} and value != math.floor(value):
        return NEVER if operator == "=" else Condition(field=field, operator="IS NOT NULL")
    bound = math.ceil(value) if operator in {"<", ">="} else math.floor(value)
    return Condition(field=field, operator=operator, value=bound)


def _in_micros(found: Condition) -> Node:
    """Turn milliseconds into the microseconds they last: `= 5` means 5000 to 5999."""
    if not isinstance(found.value, int):
        return found
    first = Condition(field=found.field, operator=">=", value=found.value * 1000)
    beyond = Condition(field=found.field, operator="<", value=(found.value + 1) * 1000)
    before = msgspec.structs.replace(first, operator="<")
    after = msgspec.structs.replace(beyond, operator=">=")
    meant: dict[str, Node] = {
        "=": And((first, beyond)),
        "!=": Or((before, after)),
        "<": before,
        "<=": beyond,
        ">": after,
        ">=": first,
    }
    return meant[found.operator]


def _instant(found: Condition, text: str) -> int:
    try:
        return parse_instant(text)
    except (InvalidInput, OverflowError):
        shown = f"is a time, and {shown_text(text)!r} is none"
        raise _wrong(found, shown, f"Write {found.name} > '2013-07-04T12:00'.") from None


def _split(text: str) -> list[str]:
    """Split at the commas outside quotes."""
    commas = [found.start() for found in _COMMA.finditer(text) if found["comma"]]
    starts, ends = [0, *(at + 1 for at in commas)], [*commas, len(text)]
    return [text[start:end] for start, end in zip(starts, ends, strict=True)]


def _order(text: str, fields: ListFields) -> Order:
    name, *last = text.rsplit(maxsplit=1) or [""]
    direction = last[0].lower() if last else ""
    directed = direction in {"asc", "desc"}
    field, key = _ordering_field(name if directed else text, fields)
    return Order(field=field.name, key=key, descending=direction == "desc")


def _ordering_field(name: str, fields: ListFields) -> tuple[ListField, str]:
    kind, dot, rest = name.partition(".")
    kind, key = kind.strip("`"), _order_key(rest)
    if dot and key and kind in fields.keyed:
        last = key.rpartition(" ")[2].lower()
        if last != key and not rest.startswith(("`", '"')) and near_misses(last, ("asc", "desc")):
            raise InvalidInput(
                f"An order cannot end in {last!r}.",
                hint="Write asc or desc, or put the whole name in backticks.",
            )
        return fields.keyed[kind], key
    whole = key if dot and kind in PREFIXES else name if dot else _order_key(name)
    known = fields.attributes.get(whole)
    if known is None or not known.orders:
        raise InvalidInput(
            f"{fields.noun.capitalize()} cannot be ordered by {shown_text(name)!r}.",
            hint=_hint(name, _orderable(fields), what="Order by"),
        )
    return known, ""


def _order_key(text: str) -> str:
    found = _ORDER_KEY.fullmatch(text)
    if found is None:
        return ""
    return found["quoted"] or found["bare"] or found["ticked"].replace("``", "`")


def _hint(name: str, fields: ListFields, *, what: str) -> str:
    keyed = {f"{field}.NAME": field for field in fields.keyed}
    known = [*keyed, *fields.attributes]
    close = near_misses(name, known) or near_misses(
        name.partition(".")[0], [*fields.keyed, *fields.attributes]
    )
    return f"Did you mean {close[0]!r}?" if close else f"{what} {', '.join(_said_once(fields))}."


def _orderable(fields: ListFields) -> ListFields:
    orderable = {name: field for name, field in fields.attributes.items() if field.orders}
    return msgspec.structs.replace(fields, attributes=orderable)


def _said_once(fields: ListFields) -> Iterable[str]:
    """Yield one way to write each field: the last one of those that mean the same."""
    yield from {field.name: f"{name}.NAME" for name, field in fields.keyed.items()}.values()
    yield from {field.name: name for name, field in fields.attributes.items()}.values()


def _lowered(value: object) -> tuple[str, ...]:
    return tuple(text.lower() for text in value) if isinstance(value, tuple) else ()


_CASELESS: dict[str, Operator] = {"LIKE": "ILIKE", "NOT LIKE": "NOT ILIKE"}


def _wrong(found: Condition, what: str, hint: str) -> InvalidInput:
    return InvalidInput(
        f"{found.name} {what} (character {found.at}).", hint=hint, position=found.at
    )
