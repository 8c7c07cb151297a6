"""How numbers, sizes, durations and instants read on a page; the same everywhere.

Each takes a plain value and gives text. ``None`` gives an en dash: not known, or not there yet.
"""

from __future__ import annotations

import math
from typing import NamedTuple

from treadle.kernel.clock import as_datetime

DASH = "\u2013"
_MINUS = "\u2212"
_SECOND_US = 1_000_000
_MINUTE_US = 60 * _SECOND_US
_HOUR_US = 60 * _MINUTE_US
_DAY_US = 24 * _HOUR_US
# Outside these a float is shown in powers of ten: four digits would hide it or drown the reader.
_SMALLEST_PLAIN = 1e-4
_LARGEST_PLAIN = 1e9
_GROUPED_FROM = 1000


def number(value: float | str | None) -> str:
    """Say a number with four digits that matter; whole numbers in full, grouped by thousands."""
    if value is None:
        return DASH
    if isinstance(value, str):
        return value
    if isinstance(value, int):
        return f"{value:,}".replace("-", _MINUS)
    return _real(value).replace("-", _MINUS)


def _real(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else ("∞" if value > 0 else "-∞")
    size = abs(value)
    if value == 0:
        return "0"
    if size < _SMALLEST_PLAIN or size >= _LARGEST_PLAIN:
        mantissa, exponent = f"{value:.2e}".split("e")
        return f"{mantissa}e{int(exponent)}"
    if size >= _GROUPED_FROM:
        return f"{value:,.0f}"
    # A round number was given, not measured: zeros behind it would claim what nobody knows.
    if round(value, 2) == value:
        return f"{value:.2f}".rstrip("0").rstrip(".")
    return f"{value:.{4 - len(str(int(size))) + (1 if size < 1 else 0)}f}"


class Estimate(NamedTuple):
    """A value and the ends of its interval, written with the same number of decimals."""

    value: str
    low: str
    high: str


def estimate(value: float, low: float, high: float, sign: str = "") -> Estimate:
    """Say an estimate with its interval: as many decimals as two digits of the interval's width.

    ``sign`` is ``+`` where a difference must never leave its sign to be guessed.
    """
    width = high - low
    known = math.isfinite(width) and width > 0
    decimals = min(max(1 - math.floor(math.log10(width)), 0), 8) if known else 4
    return Estimate(
        *(f"{each:{sign},.{decimals}f}".replace("-", _MINUS) for each in (value, low, high))
    )


def signed(value: float | None) -> str:
    """Say a difference with its sign, so that no sign is ever guessed."""
    text = number(value)
    return f"+{text}" if value is not None and value > 0 else text


def percent(value: float | None) -> str:
    """Say a share 0..1 in per cent: one decimal, two below one per cent, none at the ends."""
    if value is None:
        return DASH
    points = value * 100
    if points in {0, 100}:
        return f"{points:.0f} %"
    return f"{points:.{2 if abs(points) < 1 else 1}f} %"


def size(value: int | None) -> str:
    """Say a number of bytes in the unit that leaves one to three digits before the point."""
    if value is None:
        return DASH
    amount = float(value)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < _GROUPED_FROM:
            return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
        amount /= _GROUPED_FROM
    return f"{amount:,.1f} TB"


def duration(value: int | None) -> str:
    """Say a number of microseconds in its two largest units."""
    if value is None:
        return DASH
    if value < _SECOND_US:
        return f"{value / 1000:.0f} ms" if value >= _GROUPED_FROM else f"{value} µs"
    if value < _MINUTE_US:
        return f"{value / _SECOND_US:.1f} s"
    for large, small, names in (
        (_DAY_US, _HOUR_US, ("d", "h")),
        (_HOUR_US, _MINUTE_US, ("h", "min")),
        (_MINUTE_US, _SECOND_US, ("min", "s")),
    ):
        if value >= large:
            return f"{value // large} {names[0]} {value % large // small:02d} {names[1]}"
    raise AssertionError(value)


def elapsed(start: int, end: int | None) -> int | None:
    """Say how long something took; None while it lasts, and where a replay's clock stood still."""
    return None if end is None else (end - start) or None


def instant(value: int) -> str:
    """Say an instant (UTC microseconds) in UTC; the page then turns it to the viewer's zone."""
    return f"{as_datetime(value):%Y-%m-%d %H:%M:%S} UTC"


def iso(value: int) -> str:
    """Say an instant (UTC microseconds) the way machines read it."""
    return f"{as_datetime(value):%Y-%m-%dT%H:%M:%S.%fZ}"


def day(value: float) -> str:
    """Say the calendar day, in UTC, of an instant (UTC microseconds)."""
    return f"{as_datetime(int(value)):%Y-%m-%d}"


def short(digest: str) -> str:
    """Keep as much of a digest or id as an eye can compare."""
    return digest[:12]
