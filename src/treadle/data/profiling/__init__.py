"""Profiling a table in one scan: every figure of a column exact, in bounded memory.

The table is an Arrow table or a list of Parquet files. DuckDB streams it once; the values of each
column are sorted a piece at a time (`pieces`), so that quantiles, histograms and counts follow
without a second look. Texts of which there are too many to be counted in memory are read once
more, by a query that may spill. What pairs of columns say comes from a sample of rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from treadle.analysis.bins import count_in_bins
from treadle.analysis.profiles import FORM, TableProfile
from treadle.data.profiling.chart import charting
from treadle.data.profiling.columns import Numbers, collector_of
from treadle.data.profiling.pieces import Collected, Shelf
from treadle.data.profiling.reading import opened
from treadle.data.profiling.sample import Sample
from treadle.kernel.errors import NotFound
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.data.contracts import LabelRule
    from treadle.data.profiling.columns import Collector
    from treadle.data.profiling.reading import Reading, Source, Streamed

    Counts = Mapping[str, tuple[int, ...]]


class Profiled(NamedTuple):
    """A profile, and how many values fell between the cuts that were given for a column."""

    profile: TableProfile
    between: Counts


def profile_table(
    source: Source,
    *,
    time: str = "",
    label: LabelRule | None = None,
    columns: Sequence[str] | None = None,
) -> TableProfile:
    """Profile an Arrow table or Parquet files.

    `time` names the column of the chart; without it, the only timestamp or date is taken. `label`
    says what the target is. Raises NotFound for a column of `columns` that is not there.
    """
    return profile_with_cuts(source, time=time, label=label, columns=columns, cuts={}).profile


def profile_with_cuts(
    source: Source,
    *,
    time: str = "",
    label: LabelRule | None = None,
    columns: Sequence[str] | None = None,
    cuts: Mapping[str, Sequence[float]],
) -> Profiled:
    """Profile a table, and count the values of some columns between the cuts of a reference."""
    with opened(source, names=columns) as reading:
        known = [c.name for c in reading.columns]
        for name in columns or ():
            if name not in known:
                raise NotFound("column", name, known=known)
        with Shelf(columns=len(known) + 1) as shelf:
            return _scanned(reading, shelf, time=time, label=label, cuts=cuts)


def count_between(source: Source, cuts: Mapping[str, Sequence[float]]) -> Counts:
    """Count the finite values of columns between cuts, without anything else of a profile."""
    with opened(source, names=list(cuts)) as reading:
        edges = [np.asarray(cuts[c.name], dtype=np.float64) for c in reading.columns]
        counts = [np.zeros(len(e) + 1, dtype=np.int64) for e in edges]
        for batch in reading.batches(reading.columns, hashes=False):
            for i, values in enumerate(batch.columns):
                floats = np.asarray(values.cast(pa.float64(), safe=False))
                counts[i] += count_in_bins(floats[np.isfinite(floats)], edges=edges[i])
        pairs = zip(reading.columns, counts, strict=True)
        return {c.name: tuple(count.tolist()) for c, count in pairs}


def chart_column(columns: Iterable[tuple[str, object]], time: str = "") -> str:
    """Return the column of the chart: the one that is named, or the only time there is."""
    dated = [name for name, type_ in columns if str(type_).startswith(("timestamp", "date"))]
    if time in dated:
        return time
    return dated[0] if len(dated) == 1 else ""


def target_text(label: LabelRule | None) -> str:
    """Say in a few characters what the target is: `arr_delay > 15`, `late = yes`, `price`."""
    if label is None:
        return ""
    if label.above is not None:
        return f"{label.column} > {label.above:g}"
    return label.column if label.positive is None else f"{label.column} = {label.positive}"


def _scanned(
    reading: Reading,
    shelf: Shelf,
    *,
    time: str,
    label: LabelRule | None,
    cuts: Mapping[str, Sequence[float]],
) -> Profiled:
    columns = reading.columns
    time = chart_column([(c.name, c.type) for c in columns], time)
    chart = charting(reading, next((c for c in columns if c.name == time), None))
    at = next((i for i, c in enumerate(columns) if c.name == time), 0)
    collectors = [collector_of(column, shelf) for column in columns]
    sample, whole = Sample(columns, rows=reading.rows), Collected(shelf)
    for batch in reading.batches(columns, hashes=True):
        sample.take(batch)
        whole.add(np.array(batch.column(len(columns))))
        index = chart.index(batch.column(at)) if chart else None
        for place, (column, collector) in enumerate(zip(columns, collectors, strict=True)):
            absent = collector.take(batch.column(place))
            if chart and index is not None:
                chart.take(column.name, index, absent)
    profiles = tuple(c.profile(reading, sample.column(i)) for i, c in enumerate(collectors))
    pairs, unpaired = sample.pairs(profiles)
    profile = TableProfile(
        rows=reading.rows,
        columns=profiles,
        form=FORM,
        repeated=_repeated(whole, rows=reading.rows) if columns else None,
        sampled=sample.size,
        pairs=pairs,
        unpaired=unpaired,
        target=target_text(label),
        target_ties=sample.ties(profiles, label=label) if label is not None else (),
        time=time,
        chart=chart.chart() if chart else None,
    )
    return Profiled(profile, dict(_between(columns, collectors, cuts)))


def _repeated(whole: Collected, *, rows: int) -> int:
    ordered = whole.ordered()
    return rows - sum(len(values) for values, _ in ordered.stretches())


def _between(
    columns: Sequence[Streamed],
    collectors: Sequence[Collector],
    cuts: Mapping[str, Sequence[float]],
) -> list[tuple[str, tuple[int, ...]]]:
    found = []
    for column, collector in zip(columns, collectors, strict=True):
        if column.name in cuts and isinstance(collector, Numbers):
            counts = collector.values.ordered().counts_between(cuts[column.name])
            found.append((column.name, tuple(counts.tolist())))
    return found
