"""Watermarks: values that rise, as text, and how late is late."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

_UNITS = {
    "s": timedelta(seconds=1),
    "m": timedelta(minutes=1),
    "h": timedelta(hours=1),
    "d": timedelta(days=1),
    "w": timedelta(weeks=1),
}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


def check_lateness(text: str) -> None:
    """Raise InvalidInput unless a text says how late a row may be."""
    if text and not _SPAN.fullmatch(text) and not _NUMBER.fullmatch(text):
        raise InvalidInput(
            f"{text!r} is no lateness.",
            hint="Write a time (90s, 30m, 2h, 7d, 1w), or a number where watermarks are numbers.",
        )


def require_rising(kind: pa.DataType, *, column: str) -> None:
    """Raise InvalidInput for a column whose type has no order to follow."""
    types = pa.types
    if not (
        types.is_integer(kind)
        or types.is_floating(kind)
        or types.is_decimal(kind)
        or types.is_timestamp(kind)
        or types.is_date(kind)
        or types.is_string(kind)
        or types.is_null(kind)
    ):
        raise InvalidInput(
            f"Column {column!r} is {kind}, which cannot be a watermark.",
            hint="A watermark is a number, a time, a date, or a text that sorts.",
        )


def written(value: Any) -> str:
    """Return a watermark as text that `read` understands; empty for none."""
    if value is None:
        return ""
    for name, kind in _KINDS.items():
        if isinstance(value, kind):
            shown = value.isoformat() if isinstance(value, date) else str(value)
            return f"{name} {shown}"
    raise InvalidInput(f"A {type(value).__name__} cannot be a watermark.")


def read(text: str) -> Any:
    """Return the value of a watermark's text, None for an empty one."""
    name, _, shown = text.partition(" ")
    if not name:
        return None
    kind = _KINDS[name]
    return kind.fromisoformat(shown) if issubclass(kind, date) else kind(shown)


def shown(text: str) -> str:
    """Return a watermark as a person reads it."""
    return text.partition(" ")[2]


def below(value: Any, lateness: str) -> Any:
    """Return the bound above which rows are asked for again; None when all are asked for."""
    if value is None or not lateness:
        return value
    span, number = _SPAN.fullmatch(lateness), _NUMBER.fullmatch(lateness)
    if isinstance(value, date) and span:
        return value - _days(span) if not isinstance(value, datetime) else value - _time(span)
    if isinstance(value, (int, float, Decimal)) and number:
        return _minus(value, lateness)
    what = "a time such as 2h" if isinstance(value, date) else "a number"
    if isinstance(value, str):
        raise InvalidInput(
            f"The watermark is the text {value!r}, and {lateness!r} cannot be taken from it.",
            hint="Cast it to a time or a number at the source, or set no lateness.",
        )
    raise InvalidInput(
        f"The watermark is {shown(written(value))}, and the lateness {lateness!r} does not fit it.",
        hint=f"Give {what}.",
    )


def not_after(value: Any, now_us: int) -> Any:
    """Return a watermark, but no time that is still to come: later rows would all seem too old."""
    now = datetime.fromtimestamp(now_us / 1e6, UTC)
    if isinstance(value, datetime):
        return min(value, now if value.tzinfo else now.replace(tzinfo=None))
    return min(value, now.date()) if isinstance(value, date) else value


# A datetime is a date and a bool an int: the narrower comes first.
_KINDS: dict[str, Any] = {
    "time": datetime,
    "date": date,
    "int": int,
    "float": float,
    "decimal": Decimal,
    "text": str,
}


def _time(span: re.Match[str]) -> timedelta:
    return float(span.group(1)) * _UNITS[span.group(2)]


def _days(span: re.Match[str]) -> timedelta:
    """Return whole days: part of a day reaches into the day before."""
    return timedelta(days=-(-_time(span) // timedelta(days=1)))


def _minus(value: Any, lateness: str) -> Any:
    if isinstance(value, Decimal):
        return value - Decimal(lateness)
    return value - (float(lateness) if "." in lateness else int(lateness))
