"""Where observed and predicted part most: the cause an alert names."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.analysis.columns import as_floats, is_categorical
from treadle.monitoring.distances import INPUT_PREFIX, inputs_of

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

NAMED = 2
LEAST_ROWS = 50
BINS = 6
MOST_CATEGORIES = 50


class Segment(NamedTuple):
    """Rows that share something, with what was observed and predicted there."""

    text: str
    rows: int
    observed: float
    predicted: float

    @property
    def weight(self) -> float:
        """The gap in events per square root of rows: large and unlikely, not merely large."""
        return abs(self.observed - self.predicted) * float(np.sqrt(self.rows))

    def __str__(self) -> str:
        return (
            f"{self.text}: {self.observed:.0%} observed, {self.predicted:.0%} predicted, "
            f"n={self.rows:,}"
        )


def segments(rows: pa.Table, *, cut_at: pa.Table) -> tuple[Segment, ...]:
    """Return the segments of labelled rows where observed and predicted part most.

    Numbers are cut at quantiles of `cut_at` (the reference, so that segments stay comparable from
    window to window), names by value. A segment needs at least `LEAST_ROWS` rows.
    """
    label = rows["label"].to_numpy().astype(np.float64)
    value = rows["value"].to_numpy().astype(np.float64)
    found = [
        Segment(text, int(mask.sum()), float(label[mask].mean()), float(value[mask].mean()))
        for name in inputs_of(rows)
        if name in cut_at.column_names
        for text, mask in _masks(name.removeprefix(INPUT_PREFIX), rows[name], cut_at[name])
        if mask.sum() >= LEAST_ROWS
    ]
    return tuple(sorted(found, key=lambda s: -s.weight)[:NAMED])


def _masks(
    feature: str, column: pa.ChunkedArray, reference: pa.ChunkedArray
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    if is_categorical(column):
        yield from _by_name(feature, column)
    elif not is_categorical(reference):
        yield from _by_number(feature, as_floats(column), as_floats(reference))


def _by_name(feature: str, column: pa.ChunkedArray) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    words = column.cast(pa.string())
    counted = pc.value_counts(words).to_pylist()
    common = sorted(counted, key=lambda c: -c["counts"])[:MOST_CATEGORIES]
    for word in (c["values"] for c in common if c["values"] is not None):
        yield (
            f"{feature} = {word}",
            pc.fill_null(pc.equal(words, word), fill_value=False).to_numpy(),
        )


def _by_number(
    feature: str, numbers: NDArray[np.float64], reference: NDArray[np.float64]
) -> Iterator[tuple[str, NDArray[np.bool_]]]:
    known = reference[np.isfinite(reference)]
    if not len(known):
        return
    inner = np.unique(np.quantile(known, np.linspace(0, 1, BINS + 1)[1:-1]))
    for low, high in pairwise([-np.inf, *inner, np.inf]):
        yield _span(feature, low, high), (numbers >= low) & (numbers < high)
    yield f"{feature} missing", np.isnan(numbers)


def _span(feature: str, low: float, high: float) -> str:
    if np.isinf(low):
        return f"{feature} < {high:.3g}"
    return f"{feature} ≥ {low:.3g}" if np.isinf(high) else f"{feature} {low:.3g} to {high:.3g}"
