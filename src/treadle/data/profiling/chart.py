"""Rows and nulls by period of the time column, counted while a table is scanned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.analysis.periods import Periods, periods_between
from treadle.analysis.profiles import TimeChart
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from treadle.data.profiling.reading import Reading, Streamed

MOST_CHARTED = 60
"""Columns whose nulls are counted by period: the first that have any."""


class Charting:
    """Counts by period of one column of times."""

    def __init__(self, column: str, periods: Periods) -> None:
        self._column = column
        self._periods = periods
        self._rows = np.zeros(periods.count, dtype=np.int64)
        self._nulls: dict[str, NDArray[np.int64]] = {}
        self._undated = 0

    def index(self, times: pa.Array) -> NDArray[np.int64]:
        """Take the times of the next rows; return the period of each, `count` where none is."""
        none = self._periods.count
        found = self._periods.index(np.asarray(pc.fill_null(times, 0)).astype(np.int64))
        if times.null_count:
            found = np.where(np.asarray(pc.is_null(times)), none, found)
        counts = np.bincount(found, minlength=none + 1)
        self._rows += counts[:none]
        self._undated += int(counts[none])
        return found

    def take(self, name: str, index: NDArray[np.int64], absent: NDArray[np.bool_] | None) -> None:
        """Count the nulls of a column among the rows that `index` was returned for."""
        if absent is None or (name not in self._nulls and len(self._nulls) >= MOST_CHARTED):
            return
        none = self._periods.count
        counts = np.bincount(index[absent], minlength=none + 1)[:none]
        self._nulls[name] = self._nulls.get(name, 0) + counts

    def chart(self) -> TimeChart:
        """Return what was counted."""
        return TimeChart(
            self._column,
            self._periods.unit,
            self._periods.starts(),
            tuple(self._rows.tolist()),
            {name: tuple(counts.tolist()) for name, counts in self._nulls.items()},
            self._undated,
        )


def charting(reading: Reading, column: Streamed | None) -> Charting | None:
    """Begin a chart over a column; None without one, or when it has no times."""
    ends = reading.ends(column) if column is not None else None
    is_date = column is not None and pa.types.is_date(column.type)
    periods = periods_between(*ends, finest="day" if is_date else "hour") if ends else None
    return Charting(column.name, periods) if column is not None and periods else None
