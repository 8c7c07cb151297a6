"""What a measuring device and a clock leave in data: the step of values, the hours of rows.

Both say what a value's range cannot: wind in another unit is still wind, and a time in another zone
still a time, but the one leaves its grid and the other comes at another hour.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.data.contracts import HOURS
from treadle.data.rounding import OFF_GRID, upward
from treadle.kernel.late import np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

FEWEST_ROWS = 30
"""Fewer rows than this do not show how they spread over a day."""
FEWEST_DAYS = 30
DAYLIGHT_SAVING = (-1, 0, 1)
MOST_DISTANCE = 0.5
FEWEST_VALUES, FEWEST_DISTINCT = 1_000, 20
SAMPLE = 50_000
MOST_POINTS = 5_000
"""A grid finer than this in the spread of the values is only how they are written."""
MOST_PARTS = 20
ON_GRID = 0.999
_SIGNIFICANT = range(1, 13)
_LOOKED_AT = 2_000


def counted_hours(hours: Whole, counts: Whole) -> tuple[Whole, Whole]:
    """Return the days with enough rows, and the rows in each of their 24 hours.

    `hours` are counted from 1970, in order and each once.
    """
    days, place = np.unique(hours // HOURS, return_inverse=True)
    table = np.zeros((len(days), HOURS), dtype=np.int64)
    table[place, hours % HOURS] = counts
    enough = table.sum(axis=1) >= FEWEST_ROWS
    return days[enough].astype(np.int64), table[enough]


def hours_distance(counts: Whole, shares: Floats) -> Floats:
    """Return which share of each day's rows lies in other hours; an hour early or late is none."""
    if not len(counts):
        return np.empty(0)
    found = counts / counts.sum(axis=1, keepdims=True)
    moved = [np.abs(np.roll(found, s, axis=1) - shares).sum(axis=1) / 2 for s in DAYLIGHT_SAVING]
    least: Floats = np.min(moved, axis=0)
    return least


def learn_hours(hours: Whole, counts: Whole) -> dict[str, Any]:
    """Learn how rows spread over the hours of a day; nothing when each day has its own way.

    `hours` are those of `counted_hours`.
    """
    days, table = counted_hours(hours, counts)
    total = table.sum(axis=0)
    if len(days) < FEWEST_DAYS or np.count_nonzero(total) <= 1:
        return {}
    shares = np.round(total / total.sum(), 4)
    worst = upward(float(hours_distance(table, shares).max()))
    if worst > MOST_DISTANCE:
        return {}
    return {
        "hours": tuple(float(s) for s in shares),
        "max_hours_distance": max(0.01, worst),
        "max_far_days": upward(2.0 / (len(days) + 2)),
    }


def learn_grid(values: Floats, *, whole: bool = False) -> float | None:
    """Return the step of which all values are multiples, None when there is none worth a claim.

    That `whole` numbers are whole is not worth one.
    """
    known = values[np.isfinite(values)]
    if len(known) < FEWEST_VALUES:
        return None
    if whole and _steps_by_one(known[:_LOOKED_AT], spread=float(known.max() - known.min())):
        return None
    known = np.unique(known[:: -(-len(known) // SAMPLE)])
    if len(known) < FEWEST_DISTINCT:
        return None
    spread = float(np.quantile(known, 0.99) - np.quantile(known, 0.01))
    gaps = np.diff(known)
    gaps = gaps[gaps > spread / MOST_POINTS]
    if not len(gaps) or (whole and gaps.min() <= 1.0):
        return None
    for parts in range(1, MOST_PARTS + 1):
        step = float(gaps.min()) / parts
        if spread / step > MOST_POINTS:
            return None
        if _are_on_grid(known, step):
            found = _rounded(known, step)
            return None if whole and found <= 1.0 else found
    return None


def on_grid(values: Floats, step: float, *, within: float = OFF_GRID) -> NDArray[np.bool_]:
    """Return which values are multiples of a step."""
    steps = values / step
    near: NDArray[np.bool_] = np.abs(steps - np.round(steps)) <= within
    return near


def _steps_by_one(some: Floats, *, spread: float) -> bool:
    """Say whether two of some whole numbers follow each other, in a spread where that counts."""
    return spread < MOST_POINTS and bool((np.diff(np.unique(some)) == 1.0).any())


def _are_on_grid(known: Floats, step: float, *, within: float = OFF_GRID) -> bool:
    return bool(on_grid(known, step, within=within).mean() >= ON_GRID)


def _rounded(known: Floats, step: float) -> float:
    """Return the step in the fewest digits that do: it was read off two values close together."""
    multiples = np.round(known / step)
    there = multiples != 0
    exact = float(np.median(known[there] / multiples[there]))
    tried = (float(f"{exact:.{digits}g}") for digits in _SIGNIFICANT)
    # Much nearer than it must be: larger values than these are to come.
    return next((s for s in tried if s > 0 and _are_on_grid(known, s, within=OFF_GRID / 20)), exact)
