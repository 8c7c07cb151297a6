"""The verbs that read metrics: whole histories, pages of them, thinned for a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page, page_of
from treadle.tracking import store
from treadle.tracking.entities import MetricPoint
from treadle.tracking.service.runs import known
from treadle.tracking.store import EVER, number
from treadle.tracking.thinning import thinned

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import MetricSummary
    from treadle.tracking.rules import Place
    from treadle.tracking.service.doors import Doors
    from treadle.tracking.store import Span

CHART_POINTS = 1_000
RAW_MOST = 20_000
"""Up to so many points are read one by one; beyond, blocks tell their extremes."""
CROWDED = 1_024
"""More points to a block than this, and its extremes are too few to show what is between."""


def history(self: Doors, run_id: str, key: str) -> tuple[MetricPoint, ...]:
    """Return the points of a metric by step, instant and value; none if never logged."""
    with self.metadata.read() as tx:
        known(tx, run_id)
        series = store.find_series(tx, [run_id], key=key).get(run_id)
        return () if series is None else store.list_points(tx, series, key=key)


def history_page(
    self: Doors, run_id: str, key: str, *, limit: int, offset: int = 0
) -> Page[MetricPoint]:
    """Return a page of the points of a metric by instant, step and value."""
    if limit < 1 or offset < 0:
        raise InvalidInput(f"A page of {limit} points at offset {offset} cannot be.")
    with self.metadata.read() as tx:
        known(tx, run_id)
        series = store.find_series(tx, [run_id], key=key).get(run_id)
        if series is None:
            return page_of((), total=0, offset=offset)
        total, _ = store.size(tx, series)
        items = store.list_points(tx, series, key=key, by="at", limit=limit, offset=offset)
        return page_of(items, total=total, offset=offset)


def histories(
    self: Doors, run_ids: Sequence[str], key: str, *, limit: int | None = None
) -> dict[str, tuple[MetricPoint, ...]]:
    """Return the points of a metric of several runs by instant, step and value.

    Runs without the metric are left out; `limit` counts over all of them, in the order given.
    """
    found: dict[str, tuple[MetricPoint, ...]] = {}
    left = limit
    with self.metadata.read() as tx:
        series = store.find_series(tx, run_ids, key=key)
        for run_id in (i for i in dict.fromkeys(run_ids) if i in series):
            if left is not None and left <= 0:
                break
            points = store.list_points(tx, series[run_id], key=key, by="at", limit=left)
            found[run_id] = points
            left = None if left is None else left - len(points)
    return found


def chart(
    self: Doors,
    run_ids: Iterable[str],
    key: str,
    *,
    points: int = CHART_POINTS,
    first_step: int | None = None,
    last_step: int | None = None,
) -> dict[str, tuple[MetricPoint, ...]]:
    """Return a metric of several runs by step, each thinned to at most so many points.

    Of every stretch of steps its lowest and its highest point stay, so that no extreme is lost. A
    run without the metric is left out.
    """
    if points < 1:
        raise InvalidInput(f"A chart of {points} points shows nothing.")
    span = (
        EVER[0] if first_step is None else first_step,
        EVER[1] if last_step is None else last_step,
    )
    with self.metadata.read() as tx:
        series = store.find_series(tx, list(run_ids), key=key)
        places = {i: _thinned(tx, series[i], span, most=points) for i in series}
    return {i: _points(key, found) for i, found in places.items() if found}


def metric_summaries(self: Doors, run_id: str) -> tuple[MetricSummary, ...]:
    """Return where each metric of a run ended, what it passed and how many points it has."""
    with self.metadata.read() as tx:
        known(tx, run_id)
        return store.summarise_metrics(tx, run_id)


def _thinned(tx: Transaction, series_id: int, span: Span, *, most: int) -> list[Place]:
    ends = store.ends_of(tx, series_id, span)
    if not ends:
        return []
    count, blocks = store.size(tx, series_id, span)
    if count <= RAW_MOST:
        return thinned(store.all_of(tx, series_id, span), most=most, ends=ends)
    places = store.extremes_of(tx, series_id, span)
    if count > CROWDED * blocks:
        # Many points at few steps: what lies between the extremes is sampled.
        places += store.every(tx, series_id, span, nth=count // most + 1)
    return thinned(places, most=most, ends=ends)


def _points(key: str, places: Iterable[Place]) -> tuple[MetricPoint, ...]:
    return tuple(
        MetricPoint(key=key, value=number(value, is_nan=is_nan), step=step, at=at)
        for step, at, value, is_nan in places
    )
