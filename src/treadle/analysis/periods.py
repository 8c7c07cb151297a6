"""Cutting a span of time into hours, days, weeks, months or years, so that a chart can show it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from treadle.kernel.clock import DAY_US, HOUR_US
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

Unit = Literal["hour", "day", "week", "month", "year"]
MOST_PERIODS = 400
_MONDAY_US = 4 * DAY_US
"""1970 began on a Thursday; the first Monday came four days later."""
_WIDTHS: tuple[tuple[Unit, int, int], ...] = (
    ("hour", HOUR_US, 0),
    ("day", DAY_US, 0),
    ("week", 7 * DAY_US, _MONDAY_US),
)
_UNITS: tuple[Unit, ...] = ("hour", "day", "week", "month", "year")
_MOST_HOURS = 96


@dataclass(frozen=True, slots=True)
class Periods:
    """Periods of one unit from `first`, in units since 1970 (UTC; weeks begin on Monday)."""

    unit: Unit
    first: int
    count: int

    def index(self, us: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the period of each instant (µs UTC), counted from 0."""
        return _since_1970(us, self.unit) - self.first

    def starts(self) -> tuple[int, ...]:
        """Return when each period begins, in µs UTC."""
        numbers = np.arange(self.first, self.first + self.count, dtype=np.int64)
        for unit, width, shift in _WIDTHS:
            if unit == self.unit:
                return tuple((numbers * width + shift).tolist())
        code = "M" if self.unit == "month" else "Y"
        instants = numbers.astype(f"datetime64[{code}]").astype("datetime64[us]")
        return tuple(instants.astype(np.int64).tolist())


def periods_between(first_us: int, last_us: int, *, finest: Unit = "hour") -> Periods | None:
    """Return the finest periods that are no more than 400 (96 hours); None when years are more."""
    ends = np.array([first_us, last_us], dtype=np.int64)
    for unit in _UNITS[_UNITS.index(finest) :]:
        low, high = _since_1970(ends, unit).tolist()
        most = _MOST_HOURS if unit == "hour" else MOST_PERIODS
        if high - low < most:
            return Periods(unit, low, high - low + 1)
    return None


def _since_1970(us: NDArray[np.int64], unit: Unit) -> NDArray[np.int64]:
    for known, width, shift in _WIDTHS:
        if known == unit:
            return (us - shift) // width
    code = "M" if unit == "month" else "Y"
    return us.astype("datetime64[us]").astype(f"datetime64[{code}]").astype(np.int64)
