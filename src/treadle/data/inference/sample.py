"""Rows in the order of time, evenly chosen: for claims that are counted on all rows afterwards."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from treadle.data.checks.days import floats, whole
from treadle.data.column_types import NO_DAY
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from treadle.data.checks.days import Days
    from treadle.data.checks.scan import Rows

    Floats = NDArray[np.float64]
    Whole = NDArray[np.int64]

MOST_ROWS = 100_000
MOST_CELLS = 4_000_000
"""How many numbers are brought at once."""


class Sample:
    """Every so-manieth row of a table, by day and within a day as they lie; all of a small one."""

    def __init__(self, rows: Rows, days: Days) -> None:
        self._rows = rows
        self._days = days
        self._step = max(1, -(-int(days.rows.sum()) // MOST_ROWS))

    @property
    def is_whole(self) -> bool:
        """Say whether it is all rows."""
        return self._step == 1

    def numbers(self, names: Sequence[str]) -> Iterator[tuple[str, Floats]]:
        """Give numbers of the chosen rows, NaN where there is none, column by column."""
        at_once = max(1, MOST_CELLS // max(1, len(self._chosen[0])))
        for start in range(0, len(names), at_once):
            yield from self._some(names[start : start + at_once])

    def _some(self, names: Sequence[str]) -> Iterator[tuple[str, Floats]]:
        asked = ", ".join(f"{self._rows.number(n)} AS v{i}" for i, n in enumerate(names))
        chosen, order = self._chosen
        found, seen = [], 0
        for batch in self._rows.stream(f"SELECT {asked} FROM t"):
            first, last = np.searchsorted(chosen, [seen, seen + batch.num_rows])
            found.append(batch.take(pa.array(chosen[first:last] - seen)))
            seen += batch.num_rows
        table = pa.Table.from_batches(found) if found else None
        for i, name in enumerate(names):
            yield name, np.empty(0) if table is None else floats(table.column(i))[order]

    @cached_property
    def _chosen(self) -> tuple[Whole, Whole]:
        """Return which rows are chosen, as they lie, and in which order they follow in time."""
        total = int(self._days.rows.sum())
        if not self._days.is_dated:
            chosen = np.arange(0, total, self._step)
            return chosen, np.arange(len(chosen))
        # How many rows come before the next one of each day, in the order of days.
        before = np.cumsum(self._days.rows) - self._days.rows
        rows, places, seen = [], [], 0
        for batch in self._rows.stream(f"SELECT {self._days.sql} AS day FROM t"):
            day = np.searchsorted(
                self._days.day, whole(pa.chunked_array([batch.column(0)]), absent=NO_DAY)
            )
            order = np.argsort(day, kind="stable")
            counts = np.bincount(day, minlength=len(before))
            within = np.arange(len(day)) - np.repeat(np.cumsum(counts) - counts, counts)
            place = np.empty(len(day), dtype=np.int64)
            place[order] = before[day[order]] + within
            before = before + counts
            kept = np.flatnonzero(place % self._step == 0)
            rows.append(kept + seen)
            places.append(place[kept])
            seen += len(day)
        chosen = np.concatenate(rows) if rows else np.empty(0, dtype=np.int64)
        order = np.argsort(np.concatenate(places)) if places else chosen
        return chosen, order
