"""What each day of a table shows, asked so that no query holds more values than fit.

Counts and ends of a day cost nothing to hold; its median needs all its values at once. So the
columns, and where one alone is too many the days, are asked in turns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from treadle.data.column_types import NO_DAY
from treadle.kernel.clock import DAY_US, HOUR_US
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from numpy.typing import NDArray

    from treadle.data.checks.scan import Rows

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

K = TypeVar("K")

MOST_VALUES = 12_000_000
"""How many values the medians of one query may hold, at some 12 bytes each."""
MOST_CELLS = 500_000
"""How many figures of days one query may bring."""
MOST_COLUMNS = 250
"""With more columns than this one query takes longer to plan than several."""


class Days:
    """The days of a table by its time: their rows, and what else is asked of them.

    `day` counts from 1970 and ascends; rows without a time are the day `NO_DAY`. Without a time
    column all rows are one day.
    """

    def __init__(self, rows: Rows, time: str | None) -> None:
        self._rows = rows
        self._sql = "0::BIGINT" if time is None else day_of(rows, time)
        at = "NULL::BIGINT" if time is None else rows.microseconds(time)
        found = rows.table(
            f"SELECT {self._sql} AS day, count(*) AS n, min({at}) AS first, max({at}) AS last "
            "FROM t GROUP BY day ORDER BY day NULLS FIRST"
        )
        self.is_dated = time is not None
        self.day: Whole = whole(found.column("day"), absent=NO_DAY)
        self.rows: Whole = whole(found.column("n"))
        self.first, self.last = (whole(found.column(n)) for n in ("first", "last"))

    @property
    def sql(self) -> str:
        """Return a row's day in SQL."""
        return self._sql

    @property
    def dated(self) -> NDArray[np.bool_]:
        """Return which of the days are days: all but that of the rows without a time."""
        return self.day > NO_DAY if self.is_dated else np.zeros(len(self.day), dtype=np.bool_)

    def turns(self, names: Sequence[str], *, figures: int) -> Iterator[Sequence[str]]:
        """Give columns in turns: as many at once as may be asked for so many figures each."""
        by_values = MOST_VALUES // max(1, int(self.rows.sum()))
        by_cells = MOST_CELLS // max(1, figures * len(self.day))
        step = max(1, min(MOST_COLUMNS, by_values, by_cells))
        for start in range(0, len(names), step):
            yield names[start : start + step]

    def asked(self, figures: Mapping[K, str]) -> dict[K, Floats]:
        """Return figures of each day: SQL aggregates over its rows, NaN where there is none."""
        if not figures or not len(self.day):
            return {name: np.empty(0) for name in figures}
        text = ", ".join(f"{sql} AS f{i}" for i, sql in enumerate(figures.values()))
        parts = [
            self._rows.table(
                f"SELECT day, {text} FROM (SELECT *, {self._sql} AS day FROM t) {where}"
                "GROUP BY day ORDER BY day NULLS FIRST"
            )
            for where in self._ranges()
        ]
        found = pa.concat_tables(parts)
        return {name: floats(found.column(f"f{i}")) for i, name in enumerate(figures)}

    def _ranges(self) -> Iterator[str]:
        """Give the days in turns, each of about as many rows as a query may hold values."""
        if self.rows.sum() <= MOST_VALUES or not self.is_dated:
            yield ""
            return
        turn = np.cumsum(self.rows) // MOST_VALUES
        starts = np.flatnonzero(np.diff(turn, prepend=-1))
        for start, end in zip(starts.tolist(), [*starts[1:].tolist(), len(turn)], strict=True):
            low, high = int(self.day[start]), int(self.day[end - 1])
            undated = "day IS NULL OR " if low == NO_DAY else ""
            yield f"WHERE {undated}day BETWEEN {low} AND {high} "


def day_of(rows: Rows, time: str) -> str:
    """Return a row's UTC day in SQL, counted from 1970."""
    return f"floor({rows.microseconds(time)} / {DAY_US}.0)::BIGINT"


def rows_by_hour(rows: Rows, time: str) -> tuple[Whole, Whole]:
    """Return the hours, counted from 1970, in which there are rows, and how many."""
    at = rows.microseconds(time)
    found = rows.table(
        f"SELECT floor({at} / {HOUR_US}.0)::BIGINT AS hour, count(*) AS n "
        f"FROM t WHERE {at} IS NOT NULL GROUP BY 1 ORDER BY 1"
    )
    return whole(found.column("hour")), whole(found.column("n"))


def largest_step(medians: Floats, days: Whole) -> tuple[float, int]:
    """Return the largest change from one day to the very next, and the place of that next day.

    Days without a median (NaN) are left out. The place is -1 where no day follows another.
    """
    known = np.flatnonzero(np.isfinite(medians) & (days > NO_DAY))
    changes = np.abs(np.diff(medians[known]))
    changes[np.diff(days[known]) != 1] = -1.0
    if not len(changes) or changes.max() < 0.0:
        return 0.0, -1
    at = int(np.argmax(changes))
    return float(changes[at]), int(known[at + 1])


def whole(column: pa.ChunkedArray, *, absent: int = 0) -> Whole:
    """Return whole numbers that an engine brought."""
    return np.asarray(column.fill_null(absent).to_numpy()).astype(np.int64)


def floats(column: pa.ChunkedArray) -> Floats:
    """Return numbers that an engine brought, NaN for null."""
    return np.array(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
