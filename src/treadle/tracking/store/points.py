"""SQL of metric points: every one of them, the latest of each metric, the extremes of each block.

All is brought up to date where the points are inserted, so that what reads is cheap.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from itertools import chain
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from treadle.storage.arrays import Booleans, Doubles, Longs
from treadle.tracking.entities import MetricPoint, MetricSummary
from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch
from treadle.tracking.store.rows import number

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from treadle.storage.arrays import Packed
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
_POINTS = """
    INSERT INTO metric_points (series_id, step, at, value, is_nan) VALUES {rows}
    ON CONFLICT DO NOTHING
"""
# To begin a statement costs SQLite half as much again as the row; more at once gain nothing.
_ROWS_AT_ONCE = 64
_ROW_POINTS = _POINTS.format(rows="(?, ?, ?, ?, ?)")
_MANY_POINTS = _POINTS.format(rows=", ".join(["(?, ?, ?, ?, ?)"] * _ROWS_AT_ONCE))
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
    INSERT INTO metric_points (series_id, step, at, value, is_nan) SELECT * FROM unnest(
        ?::bigint[], ?::bigint[], ?::bigint[], ?::float8[], ?::boolean[]
    )
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
# Whoever adds points to a series holds its row, in one order everywhere: two batches for one run
# never wait for each other in a circle, and what is the last point here stays so to the commit.
_HOLD_SERIES = _FIND_SERIES + " ORDER BY key FOR NO KEY UPDATE"
_HOLD_ONE = "SELECT id FROM metric_series WHERE run_id = ? AND key = ? FOR NO KEY UPDATE"
# Of one point it costs less to ask whether it is there than to know where the others end.
_COUNTED = _BLOCKS.format(
    rows="SELECT ?::bigint, ?::bigint, (SELECT count(*) FROM added), "
    "?::float8, ?::bigint, ?::bigint, ?::float8, ?::bigint, ?::bigint"
)
_ONE_POINT = f"WITH added AS ({_ROW_POINTS} RETURNING 1) {_COUNTED}"
_LAST_OF_SERIES = """
    SELECT s.key, p.step, p.at, p.value, p.is_nan FROM metric_series s, LATERAL (
        SELECT * FROM metric_points WHERE series_id = s.id
        ORDER BY step DESC, at DESC, value DESC, is_nan DESC LIMIT 1
    ) p WHERE s.run_id = ? AND s.key IN (??)
"""


def add_points(tx: Transaction, run_id: str, places: Mapping[str, Iterable[Place]]) -> None:
    """Insert the points of some metrics that are not there yet, and what is kept up beside them."""
    if not places:
        return
    ordered = {key: sorted(set(places[key])) for key in sorted(places)}
    if driver.is_postgres(tx):
        (key, found), *others = ordered.items()
        if others or len(found) > 1:
            _add_to_postgres(tx, run_id, ordered)
        else:
            _add_one_to_postgres(tx, run_id, key, found)
        return
    series = _series(tx, run_id, list(ordered))
    rows, blocks, latest = _rows(run_id, ordered, series)
    fresh = _insert_rows(tx, rows) == len(rows)
    driver.run(tx, _ROW_BLOCKS, blocks if fresh else _uncounted(blocks))
    driver.run(tx, _ROW_LATEST, latest)
    if not fresh:
        driver.run(tx, _RECOUNT, [block[:2] for block in blocks])


def _add_one_to_postgres(tx: Transaction, run_id: str, key: str, places: list[Place]) -> None:
    held = driver.first(tx, _HOLD_ONE, run_id, key)
    if held is None:
        driver.tell(tx, _ADD_SERIES, run_id, key)
        held = driver.first(tx, _HOLD_ONE, run_id, key)
    ((block, _, *extremes),) = _blocks(places)
    with tx.at_once():
        driver.tell(tx, _ONE_POINT, *held, *places[0], *held, block, *extremes)
        driver.tell(tx, _ROW_LATEST, run_id, key, *places[0])


def _add_to_postgres(tx: Transaction, run_id: str, ordered: Mapping[str, list[Place]]) -> None:
    series, last = _held_series(tx, run_id, list(ordered))
    rows, blocks, latest = _rows(run_id, ordered, series)
    points = _packed_points(rows)
    # Behind all that is there nothing can be there already: not asking for each saves a third.
    if all(key not in last or found[0] > last[key] for key, found in ordered.items()):
        with tx.at_once():
            driver.tell(tx, _UNNEST_POINTS, *points)
            _keep_up(tx, blocks, latest)
        return
    told = driver.tell(tx, _UNNEST_POINTS + "ON CONFLICT DO NOTHING", *points)
    fresh = told.rowcount == len(rows)
    _keep_up(tx, blocks if fresh else _uncounted(blocks), latest)
    if not fresh:
        driver.run(tx, _RECOUNT, [block[:2] for block in blocks])


def _keep_up(tx: Transaction, blocks: list[Any], latest: list[Any]) -> None:
    driver.tell(tx, _UNNEST_BLOCKS, *_packed_blocks(blocks))
    driver.tell(tx, _UNNEST_LATEST, *_columns(latest))


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


def _insert_rows(tx: Transaction, rows: list[Any]) -> int:
    """Insert the points that are not there; return how many these were."""
    inserted, start = 0, 0
    for start in range(_ROWS_AT_ONCE, len(rows) + 1, _ROWS_AT_ONCE):
        many = tuple(chain.from_iterable(rows[start - _ROWS_AT_ONCE : start]))
        inserted += tx.driver.execute(_MANY_POINTS, many).rowcount
    if rest := rows[start:]:
        inserted += driver.run(tx, _ROW_POINTS, rest).rowcount
    return inserted


def _series(tx: Transaction, run_id: str, keys: list[str]) -> dict[str, int]:
    found: dict[str, int] = dict(fetch(tx, _FIND_SERIES, run_id, keys))
    missing = [(run_id, key) for key in keys if key not in found]
    if not missing:
        return found
    driver.run(tx, _ADD_SERIES, missing)
    return dict(fetch(tx, _FIND_SERIES, run_id, keys))


def _held_series(
    tx: Transaction, run_id: str, keys: list[str]
) -> tuple[dict[str, int], dict[str, Place]]:
    """Return numbers of series and the last point of those that have one; both stay so."""
    series, last = _hold(tx, run_id, keys)
    missing = [(run_id, key) for key in keys if key not in series]
    if not missing:
        return series, last
    driver.run(tx, _ADD_SERIES, missing)
    # Another process may have added some: what counts is what is there now.
    return _hold(tx, run_id, keys)


def _hold(tx: Transaction, run_id: str, keys: list[str]) -> tuple[dict[str, int], dict[str, Place]]:
    with tx.at_once():
        held = driver.tell(tx, _HOLD_SERIES, run_id, keys)
        # A statement of its own sees what was committed while the one before waited.
        lasts = driver.tell(tx, _LAST_OF_SERIES, run_id, keys)
    return dict(held.fetchall()), {key: tuple(place) for key, *place in lasts.fetchall()}


def _rows(
    run_id: str, ordered: Mapping[str, list[Place]], series: Mapping[str, int]
) -> tuple[list[Any], list[Any], list[Any]]:
    return (
        [(series[key], *place) for key, found in ordered.items() for place in found],
        [(series[key], *block) for key, found in ordered.items() for block in _blocks(found)],
        [(run_id, key, *found[-1]) for key, found in ordered.items()],
    )


def _uncounted(blocks: list[Any]) -> list[Any]:
    """Leave it to a count how many points of a block there are: some of these were there."""
    return [(*block[:2], 0, *block[3:]) for block in blocks]


def _packed_points(rows: list[Any]) -> tuple[Packed, ...]:
    *whole, values, nans = zip(*rows, strict=True)
    return (*map(Longs, whole), Doubles(values), Booleans(nans))


def _packed_blocks(blocks: list[Any]) -> tuple[Any, ...]:
    columns = _columns(blocks)
    if None in columns[3]:  # a block of NaN alone has no extremes; rare enough for the driver's way
        return columns
    return tuple(
        Doubles(column) if place in {3, 6} else Longs(column)
        for place, column in enumerate(columns)
    )


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
