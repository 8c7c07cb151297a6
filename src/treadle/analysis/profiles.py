"""A profile: what a table's columns look like, small enough to store and to compare against.

One sort (numbers, times) or one count (categories) per column; a column at a time, so that memory
stays at one column. NaN counts as null; infinite values are counted apart and left out.
"""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from typing import TYPE_CHECKING

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.analysis.bins import Bins, quantiles_of_sorted, reference_bins
from treadle.analysis.columns import NULL_CATEGORY, Values, as_array, as_floats, category_counts
from treadle.analysis.columns import require_same_length as _require_same_length
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.analysis.columns import Floats

QUANTILE_LEVELS = (0.0, 0.01, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1.0)
TOP_VALUES = 20
HISTOGRAM_BINS = 20
_TEXT_SHARE = 0.5  # more distinct values than this share of rows: free text or an identifier
_FEW = 50  # this few distinct values are categories in any table


class ColumnProfile(msgspec.Struct, frozen=True):
    """One column. What does not apply to its kind is None or empty.

    `kind`: number, category, time, bool or text. Times are UTC microseconds (times of day:
    microseconds since midnight). `quantiles` belong to QUANTILE_LEVELS. `histogram` has bins of
    equal width for a picture (edges: one more than counts); `reference_bins` are cut at quantiles
    (edges: inner cuts, one fewer than counts) for `drift.psi_from_bins`. `top_values` are the
    most frequent values as text.
    """

    name: str
    type: str
    kind: str
    rows: int
    nulls: int
    infinite: int = 0
    distinct: int | None = None
    min: float | str | None = None
    max: float | str | None = None
    mean: float | None = None
    std: float | None = None
    quantiles: tuple[float, ...] = ()
    histogram: Bins | None = None
    reference_bins: Bins | None = None
    top_values: tuple[tuple[str, int], ...] = ()

    def quantile(self, level: float) -> float:
        """Return a stored quantile."""
        if level not in QUANTILE_LEVELS or not self.quantiles:
            raise InvalidInput(
                f"Column {self.name!r} ({self.kind}) stores no quantile {level}.",
                hint=f"Stored for numbers and times: {', '.join(map(str, QUANTILE_LEVELS))}.",
            )
        return self.quantiles[QUANTILE_LEVELS.index(level)]


class TableProfile(msgspec.Struct, frozen=True):
    """A table's number of rows and the profile of each column, in order."""

    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile:
        """Return the profile of one column by its name."""
        for column in self.columns:
            if column.name == name:
                return column
        known = ", ".join(c.name for c in self.columns[:5])
        raise InvalidInput(f"The profile has no column {name!r}.", hint=f"It begins with {known}.")


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


def profile_table(table: pa.Table, *, bins: int = 10) -> TableProfile:
    """Look at every column of a table once."""
    columns = tuple(
        profile_column(table.column(i), name=table.field(i).name, bins=bins)
        for i in range(table.num_columns)
    )
    return TableProfile(table.num_rows, columns)


def profile_column(column: pa.ChunkedArray, *, name: str, bins: int = 10) -> ColumnProfile:
    """Look at one column once."""
    kind = column.type
    if pa.types.is_boolean(kind):
        return _profile_bool(column, name=name)
    if pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        values = column.combine_chunks()
        return _profile_numbers(values, name=name, label=str(kind), kind="number", bins=bins)
    if pa.types.is_temporal(kind) and not pa.types.is_interval(kind):
        return _profile_numbers(
            _microseconds(column), name=name, label=str(kind), kind="time", bins=bins
        )
    return _profile_names(column, name=name)


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


def _profile_numbers(
    values: pa.Array | pa.ChunkedArray, *, name: str, label: str, kind: str, bins: int
) -> ColumnProfile:
    column = as_floats(values)
    nulls = int(np.isnan(column).sum())
    ordered = np.sort(column[np.isfinite(column)])
    infinite = len(column) - nulls - len(ordered)
    if not len(ordered):
        return ColumnProfile(name, label, kind, len(column), nulls, infinite, distinct=0)
    counted = _distinct(ordered)
    quantiles = quantiles_of_sorted(ordered, levels=np.asarray(QUANTILE_LEVELS))
    is_number = kind == "number"
    return ColumnProfile(
        name=name,
        type=label,
        kind=kind,
        rows=len(column),
        nulls=nulls,
        infinite=infinite,
        distinct=len(counted[0]),
        min=float(ordered[0]),
        max=float(ordered[-1]),
        mean=float(ordered.mean()) if is_number else None,
        std=float(ordered.std(ddof=1)) if is_number and len(ordered) > 1 else None,
        quantiles=tuple(quantiles.tolist()),
        histogram=_histogram(ordered),
        reference_bins=reference_bins(ordered, bins=bins),
        top_values=_top_numbers(*counted),
    )


def _distinct(ordered: Floats) -> tuple[Floats, Floats]:
    starts = np.flatnonzero(np.concatenate([[True], ordered[1:] != ordered[:-1]]))
    return ordered[starts], np.diff(np.concatenate([starts, [len(ordered)]]))


def _top_numbers(values: Floats, counts: Floats) -> tuple[tuple[str, int], ...]:
    # Ties go to the smaller value: values are ascending and the sort is stable.
    top = np.argsort(-counts, kind="stable")[:TOP_VALUES]
    return tuple((f"{values[i]:.15g}", int(counts[i])) for i in top)


def _histogram(ordered: Floats) -> Bins:
    if ordered[0] == ordered[-1]:
        return Bins((float(ordered[0]), float(ordered[-1])), (len(ordered),))
    edges = np.linspace(ordered[0], ordered[-1], HISTOGRAM_BINS + 1)
    below = np.searchsorted(ordered, edges[1:-1], side="left")
    counts = np.diff(np.concatenate([[0], below, [len(ordered)]]))
    return Bins(tuple(edges.tolist()), tuple(counts.tolist()))


def _profile_bool(column: pa.ChunkedArray, *, name: str) -> ColumnProfile:
    nulls, rows = column.null_count, len(column)
    true = int(pc.sum(column).as_py() or 0)
    counts = Counter({"true": true, "false": rows - nulls - true})
    return ColumnProfile(
        name,
        str(column.type),
        "bool",
        rows,
        nulls,
        distinct=sum(1 for n in counts.values() if n),
        mean=true / (rows - nulls) if rows > nulls else None,
        top_values=tuple((v, n) for v, n in counts.most_common() if n),
    )


def _profile_names(column: pa.ChunkedArray, *, name: str) -> ColumnProfile:
    label, rows = str(column.type), len(column)
    if pa.types.is_nested(column.type):
        return ColumnProfile(name, label, "text", rows, column.null_count)
    counts = category_counts(column)
    nulls = counts.pop(NULL_CATEGORY, 0)
    few = len(counts) <= max(_FEW, _TEXT_SHARE * (rows - nulls))
    return ColumnProfile(
        name,
        label,
        "category" if few else "text",
        rows,
        nulls,
        distinct=len(counts),
        min=min(counts, default=None),
        max=max(counts, default=None),
        top_values=tuple(list(counts.items())[:TOP_VALUES]),
    )


def _microseconds(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Dates, timestamps, times of day and durations as int64 microseconds."""
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        zone = kind.tz if pa.types.is_timestamp(kind) else None
        column = pc.cast(column, pa.timestamp("us", tz=zone), safe=False)
    elif pa.types.is_time(kind):
        column = pc.cast(column, pa.time64("us"), safe=False)
    else:
        column = pc.cast(column, pa.duration("us"), safe=False)
    return pc.cast(column, pa.int64())
