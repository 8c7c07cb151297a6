"""SQL of charts: as few rows as show a metric as it is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

from treadle.tracking.store.driver import fetch
from treadle.tracking.store.points import BLOCK_BITS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.storage.transaction import Transaction
    from treadle.tracking.rules import Place

Span: TypeAlias = "tuple[int, int]"
"""The first and the last step that are shown."""
EVER: Span = (-(1 << 63), (1 << 63) - 1)

_SIZE = """
    SELECT coalesce(sum(points), 0), count(*) FROM metric_blocks
    WHERE series_id = ? AND block BETWEEN ? AND ?
"""
_RAW = """
    SELECT step, at, value, is_nan FROM metric_points
    WHERE series_id = ? AND step BETWEEN ? AND ? ORDER BY step, at, value, is_nan
"""
_LAST = """
    SELECT step, at, value, is_nan FROM metric_points WHERE series_id = ? AND step BETWEEN ? AND ?
    ORDER BY step DESC, at DESC, value DESC, is_nan DESC LIMIT 1
"""
_EXTREMES = """
    SELECT low_step, low_at, low, high_step, high_at, high FROM metric_blocks
    WHERE series_id = ? AND block BETWEEN ? AND ? AND low IS NOT NULL ORDER BY block
"""
_EVERY = """
    SELECT step, at, value, is_nan FROM (
        SELECT step, at, value, is_nan, row_number() OVER (
            ORDER BY step, at, value, is_nan
        ) AS place FROM metric_points WHERE series_id = ? AND step BETWEEN ? AND ?
    ) numbered WHERE place % ? = 0
"""


def size(tx: Transaction, series_id: int, span: Span = EVER) -> tuple[int, int]:
    """Return how many points there are of a metric, and in how many blocks, to a block exactly."""
    [(points, blocks)] = fetch(tx, _SIZE, series_id, *(step >> BLOCK_BITS for step in span))
    return int(points), blocks


def all_of(tx: Transaction, series_id: int, span: Span = EVER) -> list[Place]:
    """Return every point in order."""
    return _places(fetch(tx, _RAW, series_id, *span))


def ends_of(tx: Transaction, series_id: int, span: Span = EVER) -> list[Place]:
    """Return the first point and the last."""
    first = fetch(tx, _RAW + " LIMIT 1", series_id, *span)
    return _places([*first, *fetch(tx, _LAST, series_id, *span)])


def extremes_of(tx: Transaction, series_id: int, span: Span = EVER) -> list[Place]:
    """Return the lowest and the highest point of each block, and every point where the span ends.

    A block that the span cuts may have its extremes outside of it.
    """
    first, last = (step >> BLOCK_BITS for step in span)
    if last - first <= 1:
        return all_of(tx, series_id, span)
    head = all_of(tx, series_id, (span[0], ((first + 1) << BLOCK_BITS) - 1))
    inner = fetch(tx, _EXTREMES, series_id, first + 1, last - 1)
    tail = all_of(tx, series_id, (last << BLOCK_BITS, span[1]))
    return [*head, *((*row[i : i + 3], False) for row in inner for i in (0, 3)), *tail]


def every(tx: Transaction, series_id: int, span: Span = EVER, *, nth: int) -> list[Place]:
    """Return every nth point in order."""
    return _places(fetch(tx, _EVERY, series_id, *span, nth))


def _places(rows: Iterable[Any]) -> list[Place]:
    return [(step, at, value, bool(is_nan)) for step, at, value, is_nan in rows]
