"""Thin a curve for a chart: what is left out would not be seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.tracking.rules import Place


def thinned(places: Sequence[Place], *, most: int, ends: Sequence[Place]) -> list[Place]:
    """Return at most so many points in order: both ends, and of each stretch its extremes.

    Stretches are of equally many steps from the first of the ends to the last. The lowest and the
    highest of all are always among them, if `most` is at least 4.
    """
    if len(places) <= most and len(whole := {*places, *ends}) <= most:
        return sorted(whole)
    if most < 4:  # noqa: PLR2004 - two ends and two extremes
        return list(ends)[-most:]
    first, last = ends[0][0], ends[-1][0]
    width = max(1, -(-(last - first + 1) // ((most - 2) // 2)))
    return sorted({*_extremes(places, first=first, width=width), *ends})


def _extremes(places: Iterable[Place], *, first: int, width: int) -> Iterable[Place]:
    lows: dict[int, Place] = {}
    highs: dict[int, Place] = {}
    for place in places:
        if place[3]:
            continue
        stretch = (place[0] - first) // width
        low = lows.get(stretch)
        if low is None:
            lows[stretch] = highs[stretch] = place
        elif place[2] < low[2]:
            lows[stretch] = place
        elif place[2] > highs[stretch][2]:
            highs[stretch] = place
    return [*lows.values(), *highs.values()]
