"""The conventions of MLflow's JSON: protobuf's field names, int64 as numbers, NaN as text.

A request is read strictly first, which is fast. Only when that fails is it read as protobuf would
(numbers in quotes, camelCase, null for absent), or is the fault named in the genuine words.
"""

from __future__ import annotations

import json
import math
import re
from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, TypeVar, cast, get_args, get_origin, get_type_hints

import msgspec

from treadle.server.mlflow.errors import INVALID, WireError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

T = TypeVar("T")

US = 1000
"""Microseconds, which we count, in a millisecond, which MLflow counts."""
GREATEST = 1.7976931348623157e308
# Each may become a value in one statement, or a row in one transaction that others wait for; SQLite
# takes 32,766 values where it was built with its own defaults.
LIST_MOST = 20_000
_SEE = " See the API docs for more information about request parameters."


class Ask(msgspec.Struct, gc=False, forbid_unknown_fields=True):
    """A request; lists in it are tuples. `needs` names fields that must be there, not empty.

    Unknown fields are forbidden only so that a name in camelCase is not taken for one: then the
    request is read leniently, and what is still unknown is left out.
    """

    needs: ClassVar[tuple[str, ...]] = ()

    def missing(self) -> WireError | None:
        """Name the first field that is needed and not there."""
        for name in self.needs:
            value = getattr(self, name)
            if value is None or value == "":
                return absent(name)
        return None

    def excess(self) -> WireError | None:
        """Name the first list that is longer than one transaction should hold."""
        for name in _lists(type(self)):
            given = getattr(self, name)
            if given is not None and len(given) > LIST_MOST:
                return WireError(
                    INVALID,
                    f"A request can name at most {LIST_MOST} {name}. Got {len(given)} of them. "
                    "Please split them up across multiple requests and try again.",
                )
        return None


class Answer(msgspec.Struct, kw_only=True):
    """An answer; a field that is UNSET is left out."""


class KeyValue(msgspec.Struct, gc=False):
    """A param or a tag."""

    key: str = ""
    value: str = ""


class Empty(Answer):
    """Nothing to say but that it is done."""


def absent(name: str) -> WireError:
    """Say that a field is needed."""
    return WireError(INVALID, f"Missing value for required parameter '{name}'.{_SEE}")


def wrong(name: str, value: object, why: str = "") -> WireError:
    """Say that a value is wrong."""
    shown = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return WireError(INVALID, f"Invalid value {shown} for parameter '{name}' supplied{why}")


def seen(error: WireError) -> WireError:
    """Point at the documentation, as the genuine server does where a schema is broken."""
    return WireError(error.code, error.message + _SEE)


@cache
def decoder_of(kind: type[T]) -> msgspec.json.Decoder[T]:
    """Return the decoder of a kind of request."""
    return msgspec.json.Decoder(kind)


@cache
def _lists(kind: type[Ask]) -> tuple[str, ...]:
    hints = get_type_hints(kind)
    names = kind.__struct_fields__
    return tuple(name for name in names if "tuple" in str(hints[name]))


def complaint(kind: type[Ask], values: dict[str, Any]) -> WireError | None:
    """Bring values into the form of a request; name the first field of a wrong type."""
    tidy(kind, values)
    for field in msgspec.structs.fields(kind):
        value = values.get(field.name)
        if field.name in kind.needs and (value is None or value == ""):
            return absent(field.name)
        if value is not None and not _fits(field.type, value):
            return mistyped(field.name, value)
    return None


def mistyped(name: str, value: object) -> WireError:
    """Say that a field cannot have a value of that kind."""
    return seen(wrong(name, value, f":  Hint: Value was of type '{type(value).__name__}'."))


def tidy(kind: type, values: dict[str, Any]) -> None:
    """Give fields their own names, and leave out those that are null."""
    for field in msgspec.structs.fields(kind):
        camel = _camel(field.name)
        if camel != field.name and camel in values:
            values[field.name] = values.pop(camel)
        value = values.get(field.name)
        if value is None:
            values.pop(field.name, None)
            continue
        inner = _struct_in(field.type)
        if inner is not None:
            for item in value if isinstance(value, list) else (value,):
                if isinstance(item, dict):
                    tidy(inner, item)


def from_names(kind: type[Ask], query: Mapping[str, list[str]]) -> dict[str, Any]:
    """Return the values of a query: a list where the field is one."""
    return {
        field.name: _from_texts(field.type, query[field.name])
        for field in msgspec.structs.fields(kind)
        if field.name in query
    }


def number(value: float) -> float | str:
    """Write a float; JSON has no word for what is not finite, protobuf has."""
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def finite(value: float) -> float:
    """Write infinities as the genuine server reads them back: as the greatest finite number."""
    return math.copysign(GREATEST, value) if math.isinf(value) else value


def some(items: Iterable[T]) -> list[T] | msgspec.UnsetType:
    """Return a list; an empty one is left out."""
    return list(items) or msgspec.UNSET


def pairs(values: Mapping[str, str]) -> list[KeyValue] | msgspec.UnsetType:
    """Return params or tags as a list of keys and values."""
    return [KeyValue(key, value) for key, value in values.items()] or msgspec.UNSET


def as_dict(items: Iterable[KeyValue]) -> dict[str, str]:
    """Return keys and values as a dictionary; of two values the later one stands."""
    return {item.key: item.value for item in items}


def ms(at: int | None) -> int | msgspec.UnsetType:
    """Return an instant of ours (µs) in milliseconds."""
    return msgspec.UNSET if at is None else at // US


def _camel(name: str) -> str:
    return re.sub(r"_(\w)", lambda found: found[1].upper(), name)


def _is_list(kind: Any) -> bool:
    return any(get_origin(option) is tuple for option in _options(kind))


def _from_texts(kind: Any, texts: list[str]) -> list[str] | str:
    if _is_list(kind):
        return texts
    # Python's clients write a truth as Python does.
    return texts[0].lower() if kind is bool else texts[0]


def _options(kind: Any) -> tuple[Any, ...]:
    return (kind,) if get_origin(kind) in {tuple, dict, None} else get_args(kind)


def _struct_in(kind: Any) -> type | None:
    for option in _options(kind):
        inner = get_args(option)[0] if get_origin(option) is tuple else option
        if isinstance(inner, type) and issubclass(inner, msgspec.Struct):
            return inner
    return None


def _fits(kind: Any, value: object) -> bool:
    return any(_fits_one(option, value) for option in _options(kind))


def _fits_one(kind: Any, value: object) -> bool:
    if kind is type(None):
        return False  # a null counts as left out, before it comes here
    if kind is str:
        return isinstance(value, str)
    if kind is bool:
        return isinstance(value, bool) or value in {"true", "false"}
    if kind is int or kind is float:
        return _is_number(kind, value)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            return False
        return get_args(kind)[0] is not str or all(isinstance(item, str) for item in value)
    return True


def _is_number(kind: type[int | float], value: object) -> bool:
    try:
        kind(cast("str", value))  # what it does not take is what is asked here
    except (TypeError, ValueError, OverflowError):
        return False
    return not isinstance(value, bool)
