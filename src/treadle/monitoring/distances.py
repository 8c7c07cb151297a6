"""How far each input of a window is from the reference, and what that did to the predictions."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.analysis import drift
from treadle.analysis.bins import Bins, reference_bins
from treadle.analysis.clusters import Estimate, clustered_mean, difference_of, totals_by_cluster
from treadle.analysis.columns import as_floats, category_counts, finite_floats, is_categorical
from treadle.analysis.effects import attribute_shift
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import InvalidInput
from treadle.monitoring.entities import Band, Distance

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from numpy.typing import NDArray

INPUT_PREFIX = "x_"
PREDICTION = "prediction"
EFFECT_FEATURES = 8
"""The farthest inputs whose effect is estimated."""
EFFECT_ROWS = 256
"""Rows the model is asked about as they are and once per input: 2,304 predictions at most."""
LEVEL = 0.95
NORMAL_95 = 1.96

Shape: TypeAlias = "Bins | dict[str, int]"


class Reference(msgspec.Struct, frozen=True):
    """The rows a monitor measures against, and the shape of each of their columns."""

    rows: pa.Table
    shapes: dict[str, Shape]


def reference_of(rows: pa.Table) -> Reference:
    """Take the shape of each input and of the prediction: once per reference, not per window."""
    names = [*inputs_of(rows), "value"]
    return Reference(rows, {n: _shape(rows[n]) for n in names if _has_values(rows[n])})


def inputs_of(rows: pa.Table) -> list[str]:
    """Return the columns that hold a model's inputs."""
    return [name for name in rows.column_names if name.startswith(INPUT_PREFIX)]


def distances(rows: pa.Table, *, reference: Reference) -> tuple[Distance, ...]:
    """Return the PSI of each input and of the prediction against the reference, largest first."""
    found = [
        Distance(_feature(name), _psi(rows[name], shape))
        for name, shape in reference.shapes.items()
        if name in rows.column_names and _comparable(rows[name], shape)
    ]
    return tuple(sorted(found, key=lambda d: (-d.psi, d.feature)))


def with_effects(
    found: tuple[Distance, ...],
    rows: pa.Table,
    *,
    reference: Reference,
    predict: Callable[[pa.Table], NDArray[np.float64]],
    threshold: float,
) -> tuple[Distance, ...]:
    """Estimate what the farthest inputs beyond a threshold did to the mean prediction.

    `predict` is asked about at most `EFFECT_ROWS` rows for each of `EFFECT_FEATURES` numeric inputs
    and once as they are. The method is `analysis.effects.attribute_shift`: the input alone is
    carried back to the reference's distribution.
    """
    numeric = [n for n in inputs_of(rows) if isinstance(reference.shapes.get(n), Bins)]
    far = [d.feature for d in found if d.psi > threshold and INPUT_PREFIX + d.feature in numeric]
    effects = dict(_effects(far[:EFFECT_FEATURES], rows, reference=reference, predict=predict))
    if any(d.feature == PREDICTION and d.psi > threshold for d in found):
        shift = _mean_shift(rows, reference.rows)
        effects |= {} if shift is None else {PREDICTION: shift}
    return tuple(_with(d, effects.get(d.feature)) for d in found)


def _with(distance: Distance, effect: Band | None) -> Distance:
    if effect is None:
        return distance
    interval = (effect.low, effect.high)
    return msgspec.structs.replace(distance, effect=effect.estimate, interval=interval)


def _effects(
    features: list[str],
    rows: pa.Table,
    *,
    reference: Reference,
    predict: Callable[[pa.Table], NDArray[np.float64]],
) -> Iterator[tuple[str, Band]]:
    if not features:
        return
    coded = _Coded(rows)
    before = np.zeros((reference.rows.num_rows, len(coded.names)))
    for feature in features:
        name = INPUT_PREFIX + feature
        before[:, coded.names.index(feature)] = as_floats(reference.rows[name])
    shifts = attribute_shift(
        lambda matrix: predict(coded.table(matrix)),
        before,
        coded.matrix,
        names=coded.names,
        only=features,
        seed=0,
        sample=EFFECT_ROWS,
    )
    for shift in shifts:
        half = NORMAL_95 * shift.standard_error
        yield shift.name, Band(shift.effect, shift.effect - half, shift.effect + half)


class _Coded:
    """A window's inputs as one matrix of numbers, and back: names are numbered."""

    def __init__(self, rows: pa.Table) -> None:
        columns = inputs_of(rows)
        self.names = [_feature(name) for name in columns]
        self._types = [rows.schema.field(name).type for name in columns]
        self._words: dict[int, pa.Array] = {}
        self.matrix = np.empty((rows.num_rows, len(columns)))
        for i, name in enumerate(columns):
            self.matrix[:, i] = self._numbers(rows[name], place=i)

    def table(self, matrix: NDArray[np.float64]) -> pa.Table:
        """Return rows of the matrix as the table the model takes."""
        return pa.table({n: self._column(matrix[:, i], i) for i, n in enumerate(self.names)})

    def _numbers(self, column: pa.ChunkedArray, *, place: int) -> NDArray[np.float64]:
        if not is_categorical(column):
            return as_floats(column)
        words = column.cast(pa.string()).combine_chunks().dictionary_encode()
        self._words[place] = words.dictionary
        return as_floats(words.indices)

    def _column(self, numbers: NDArray[np.float64], place: int) -> pa.Array:
        known = pa.array(numbers, from_pandas=True)  # NaN stands for null
        if place in self._words:
            return self._words[place].take(known.cast(pa.int64()))
        kind = self._types[place]
        if pa.types.is_floating(kind):
            return known
        whole = pa.int32() if pa.types.is_date32(kind) or pa.types.is_time32(kind) else pa.int64()
        return known.cast(whole, safe=False).cast(kind)


def _shape(column: pa.ChunkedArray) -> Shape:
    if is_categorical(column):
        return category_counts(column)
    return reference_bins(np.sort(finite_floats(column)))


def _psi(column: pa.ChunkedArray, shape: Shape) -> float:
    if isinstance(shape, Bins):
        return drift.psi_from_bins(shape.edges, shape.counts, column)
    return drift.psi_from_counts(shape, category_counts(column))


def _comparable(column: pa.ChunkedArray, shape: Shape) -> bool:
    return is_categorical(column) != isinstance(shape, Bins) and _has_values(column)


def _has_values(column: pa.ChunkedArray) -> bool:
    if is_categorical(column):
        return bool(column.null_count < len(column))
    return bool(np.isfinite(as_floats(column)).any())


def _mean_shift(now: pa.Table, before: pa.Table) -> Band | None:
    try:
        shift = difference_of(_daily(now), _daily(before))
    except InvalidInput:  # fewer than two days: no honest interval yet
        return None
    span = shift.interval(level=LEVEL)
    return Band(shift.value, span.low, span.high)


def _daily(rows: pa.Table) -> Estimate:
    known = rows.filter(pc.is_finite(rows["value"]))
    return clustered_mean(
        totals_by_cluster(known["value"], cluster=known["at"].to_numpy() // DAY_US)
    )


def _feature(column: str) -> str:
    return PREDICTION if column == "value" else column.removeprefix(INPUT_PREFIX)
