"""SQL of metric points: every one of them, the latest of each metric, the extremes of each block.

All is brought up to date where the points are inserted, so that what reads is cheap.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from treadle.tracking.entities import MetricPoint, MetricSummary
from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch
from treadle.tracking.store.rows import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracking.rules import Place

BLOCK_BITS = 6
"""A block is 64 steps: a million points are 16,000 blocks, which a chart reads at once."""

_VALUE = itemgetter(2)

_FIND_SERIES = "SELECT key, id FROM metric_series WHERE run_id = ? AND key IN (??)"
_ADD_SERIES = "INSERT INTO metric_series (run_id, key) VALUES (?, ?) ON CONFLICT DO NOTHING"

_BY_STEP = """
    SELECT value, is_nan, step, at FROM metric_points WHERE series_id = ?
    ORDER BY step, at, value, is_nan
"""
_BY_TIME = """
    SELECT value, is_nan, step, at FROM metric_points WHERE series_id = ?
    ORDER BY at, step, value, is_nan
"""
_POINTS = "INSERT INTO metric_points VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
_LATEST = """
    INSERT INTO run_metrics (run_id, key, step, at, value, is_nan) {rows}
    ON CONFLICT (run_id, key) DO UPDATE
    SET step = excluded.step, at = excluded.at, value = excluded.value, is_nan = excluded.is_nan
    WHERE (excluded.step, excluded.at, excluded.value, excluded.is_nan)
        > (run_metrics.step, run_metrics.at, run_metrics.value, run_metrics.is_nan)
"""
_LOWER = """(
    b.low IS NULL OR (excluded.low, excluded.low_step, excluded.low_at)
        < (b.low, b.low_step, b.low_at)
)"""
_HIGHER = """(
    b.high IS NULL OR excluded.high > b.high OR (
        excluded.high = b.high
        AND (excluded.high_step, excluded.high_at) < (b.high_step, b.high_at)
    )
)"""
_BLOCKS = """
    INSERT INTO metric_blocks AS b (
        series_id, block, points, low, low_step, low_at, high, high_step, high_at
    ) {rows}
    ON CONFLICT (series_id, block) DO UPDATE SET
        points = b.points + excluded.points, """ + ", ".join(
    f"{c} = CASE WHEN excluded.{c} IS NOT NULL AND {test} THEN excluded.{c} ELSE b.{c} END"
    for names, test in (
        (("low", "low_step", "low_at"), _LOWER),
        (("high", "high_step", "high_at"), _HIGHER),
    )
    for c in names
)
_RECOUNT = f"""
    UPDATE metric_blocks SET points = (
        SELECT count(*) FROM metric_points p WHERE p.series_id = metric_blocks.series_id
        AND p.step BETWEEN metric_blocks.block << {BLOCK_BITS}
            AND (metric_blocks.block << {BLOCK_BITS}) + {(1 << BLOCK_BITS) - 1}
    ) WHERE series_id = ? AND block = ?
"""  # noqa: S608 - a number of ours

# One statement with arrays: on PostgreSQL several times faster than as many rows.
_UNNEST_POINTS = """
    INSERT INTO metric_points SELECT * FROM unnest(
        ?::bigint[], ?::bigint[], ?::bigint[], ?::float8[], ?::boolean[]
    ) ON CONFLICT DO NOTHING
"""
_UNNEST_LATEST = _LATEST.format(
    rows="SELECT * FROM unnest("
    "?::text[], ?::text[], ?::bigint[], ?::bigint[], ?::float8[], ?::boolean[])"
)
_UNNEST_BLOCKS = _BLOCKS.format(
    rows="SELECT * FROM unnest("
    "?::bigint[], ?::bigint[], ?::bigint[], "
    "?::float8[], ?::bigint[], ?::bigint[], ?::float8[], ?::bigint[], ?::bigint[])"
)
_ROW_LATEST = _LATEST.format(rows="VALUES (?, ?, ?, ?, ?, ?)")
_ROW_BLOCKS = _BLOCKS.format(rows="VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")


def add_points(tx: Transaction, run_id: str, places: Mapping[str, Iterable[Place]]) -> None:
    """Insert the points of some metrics that are not there yet, and what is kept up beside them."""
    if not places:
        return
    # In one order everywhere: two batches for one run never wait for each other in a circle.
    ordered = {key: sorted(set(places[key])) for key in sorted(places)}
    series = _series(tx, run_id, list(ordered))
    rows = [(series[key], *place) for key, found in ordered.items() for place in found]
    blocks = [(series[key], *block) for key, found in ordered.items() for block in _blocks(found)]
    fresh = _insert_rows(tx, rows)
    if not fresh:
        blocks = [(*block[:2], 0, *block[3:]) for block in blocks]
    latest = [(run_id, key, *found[-1]) for key, found in ordered.items()]
    if driver.is_postgres(tx):
        driver.run(tx, _UNNEST_BLOCKS, _columns(blocks))
        driver.run(tx, _UNNEST_LATEST, _columns(latest))
    else:
        driver.run(tx, _ROW_BLOCKS, blocks)
        driver.run(tx, _ROW_LATEST, latest)
    if not fresh:
        driver.run(tx, _RECOUNT, [block[:2] for block in blocks])


def find_series(tx: Transaction, run_ids: Sequence[str], *, key: str) -> dict[str, int]:
    """Return the number of a metric's series by the runs that have it."""
    query = "SELECT run_id, id FROM metric_series WHERE run_id IN (??) AND key = ?"
    return dict(fetch(tx, query, list(run_ids), key))


def list_points(
    tx: Transaction,
    series_id: int,
    *,
    key: str,
    by: str = "step",
    limit: int | None = None,
    offset: int = 0,
) -> tuple[MetricPoint, ...]:
    """Return points of a metric by step, instant and value, or by instant, step and value."""
    query = _BY_STEP if by == "step" else _BY_TIME
    values: list[Any] = [series_id]
    if limit is not None:
        query, values = query + " LIMIT ? OFFSET ?", [series_id, limit, offset]
    return tuple(
        MetricPoint(key=key, value=math.nan if is_nan else value, step=step, at=at)
        for value, is_nan, step, at in fetch(tx, query, *values)
    )


def summarise_metrics(tx: Transaction, run_id: str) -> tuple[MetricSummary, ...]:
    """Return every metric of a run with where it ended, its extremes and its number of points."""
    query = """
        SELECT s.key, m.value, m.is_nan, min(b.low), max(b.high), sum(b.points)
        FROM metric_series s JOIN metric_blocks b ON b.series_id = s.id
        JOIN run_metrics m ON m.run_id = s.run_id AND m.key = s.key
        WHERE s.run_id = ? GROUP BY s.key, m.value, m.is_nan ORDER BY s.key
    """
    return tuple(
        MetricSummary(
            key=key, last=number(last, is_nan=is_nan), lowest=low, highest=high, points=int(points)
        )
        for key, last, is_nan, low, high, points in fetch(tx, query, run_id)
    )


def _series(tx: Transaction, run_id: str, keys: list[str]) -> dict[str, int]:
    found: dict[str, int] = dict(fetch(tx, _FIND_SERIES, run_id, keys))
    missing = [(run_id, key) for key in keys if key not in found]
    if not missing:
        return found
    driver.run(tx, _ADD_SERIES, missing)
    # Another process may have added some: what counts is what is there now.
    return dict(fetch(tx, _FIND_SERIES, run_id, keys))


def _insert_rows(tx: Transaction, rows: list[tuple[int, int, int, float, bool]]) -> bool:
    """Insert points; say whether every one of them was new."""
    if driver.is_postgres(tx):
        # As text: the driver would look at the type of every element.
        arrays = tuple(f"{{{','.join(map(repr, column))}}}" for column in zip(*rows, strict=True))
        return driver.run(tx, _UNNEST_POINTS, arrays).rowcount == len(rows)
    return driver.run(tx, _POINTS, rows).rowcount == len(rows)


def _columns(rows: list[Any]) -> tuple[list[Any], ...]:
    return tuple(map(list, zip(*rows, strict=True)))


def _blocks(places: list[Place]) -> Iterator[tuple[Any, ...]]:
    """Yield block, points and extremes of points in order: of equals the first stands for all."""
    start = 0
    while start < len(places):
        block = places[start][0] >> BLOCK_BITS
        end = bisect_left(places, ((block + 1) << BLOCK_BITS,), start)
        numbers = [place for place in places[start:end] if not place[3]]
        if numbers:
            low, high = min(numbers, key=_VALUE), max(numbers, key=_VALUE)
            yield (block, end - start, low[2], *low[:2], high[2], *high[:2])
        else:
            yield (block, end - start, None, None, None, None, None, None)
        start = end
