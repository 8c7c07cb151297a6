"""Medians of groups and of days, and how far they step."""

from __future__ import annotations

from itertools import pairwise

import msgspec

from treadle.analysis.columns import Values, as_array, as_floats
from treadle.analysis.columns import require_same_length as _require_same_length
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np


class DailyStep(msgspec.Struct, frozen=True):
    """Median of one day, of the present day before it, and the change between them."""

    day: str
    previous: float
    median: float
    change: float


class GroupMedian(msgspec.Struct, frozen=True):
    """Median of the finite values of one group."""

    group: str
    median: float
    rows: int


def median_by(values: Values, groups: Values) -> tuple[GroupMedian, ...]:
    """Median per group, groups in ascending order; groups without a finite value are left out."""
    column, labels = as_floats(values), as_array(groups)
    _require_same_length(column, labels, names="values and groups")
    present = np.isfinite(column)
    unique, positions = np.unique(labels[present], return_inverse=True)
    order = np.lexsort((column[present], positions))
    ordered, counts = column[present][order], np.bincount(positions, minlength=len(unique))
    starts = np.cumsum(counts) - counts
    middle = (ordered[starts + (counts - 1) // 2] + ordered[starts + counts // 2]) / 2.0
    return tuple(
        GroupMedian(str(g), float(m), int(n))
        for g, m, n in zip(unique, middle, counts, strict=True)
    )


def daily_steps(values: Values, day: Values) -> tuple[DailyStep, ...]:
    """Change of the daily median from each day to the next day that has values."""
    medians = median_by(values, day)
    return tuple(
        DailyStep(now.group, before.median, now.median, now.median - before.median)
        for before, now in pairwise(medians)
    )


def step_bound(values: Values, day: Values) -> float:
    """Largest day-to-day change of the daily median that this (normal) period shows.

    In the unit of the column. A change of units in the feed makes a step that the weather does
    not: see it before any label arrives. `day`: one sortable label per row.
    """
    steps = daily_steps(values, day)
    if not steps:
        raise InvalidInput(
            "A step needs at least 2 days with values.", hint="Profile a longer period."
        )
    return max(abs(s.change) for s in steps)
