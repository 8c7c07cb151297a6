"""Rows at random, kept whole while a table is scanned: for what two columns say of each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.analysis import associations
from treadle.analysis.associations import NULL
from treadle.analysis.leakage import single_feature_probe
from treadle.analysis.profiles import TargetTie
from treadle.data.labels import outcomes
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treadle.analysis.associations import Pair
    from treadle.analysis.columns import Floats
    from treadle.analysis.profiles import ColumnProfile
    from treadle.data.contracts import LabelRule
    from treadle.data.profiling.reading import Streamed

MOST_ROWS = 50_000
MOST_CELLS = 5_000_000
MOST_NUMBERS, MOST_NAMES = 30, 15
"""Columns whose pairs are measured: the first of each sort that vary."""
FEWEST_CLASSES, MOST_CLASSES = 2, 100
MOST_TIES = 200
_PREFIX = 200
"""Longer texts that begin alike count as one."""


class Sample:
    """Rows of a table, drawn without replacement; the same table gives the same rows."""

    def __init__(self, columns: Sequence[Streamed], *, rows: int) -> None:
        self._columns = columns
        size = min(rows, MOST_ROWS, MOST_CELLS // max(1, len(columns)))
        if size < rows:
            chosen = np.random.default_rng(0).choice(rows, size, replace=False, shuffle=False)
            self._places = np.sort(chosen)
        else:
            self._places = np.arange(rows)
        self._seen = 0
        self._kept: list[list[pa.Array]] = [[] for _ in columns]

    @property
    def size(self) -> int:
        """Return how many rows it holds."""
        return len(self._places)

    def take(self, batch: pa.RecordBatch) -> None:
        """Keep the rows of the next batch that were drawn."""
        first, last = np.searchsorted(self._places, [self._seen, self._seen + batch.num_rows])
        if first < last:
            places = pa.array(self._places[first:last] - self._seen)
            for column, kept, values in zip(self._columns, self._kept, batch.columns, strict=False):
                picked = values.take(places)
                is_text = column.kind == "category"
                kept.append(pc.utf8_slice_codeunits(picked, 0, _PREFIX) if is_text else picked)
        self._seen += batch.num_rows

    def column(self, place: int) -> pa.Array:
        """Return the rows of one column."""
        kept = self._kept[place]
        return pa.concat_arrays(kept) if kept else pa.nulls(0)

    def pairs(self, profiles: Sequence[ColumnProfile]) -> tuple[tuple[Pair, ...], tuple[str, ...]]:
        """Return the pairs of the first columns that vary, and which varying ones are left out."""
        varying = [i for i, p in enumerate(profiles) if (p.distinct or 0) >= FEWEST_CLASSES]
        numbers = [i for i in varying if profiles[i].kind in {"number", "bool"}]
        names = [
            i
            for i in varying
            if profiles[i].kind == "category" and (profiles[i].distinct or 0) <= MOST_CLASSES
        ]
        left = sorted([*numbers[MOST_NUMBERS:], *names[MOST_NAMES:]])
        found = associations.pairs(
            {profiles[i].name: _floats(self.column(i)) for i in numbers[:MOST_NUMBERS]},
            {profiles[i].name: _codes(self.column(i)) for i in names[:MOST_NAMES]},
        )
        return found, tuple(profiles[i].name for i in left)

    def ties(self, profiles: Sequence[ColumnProfile], *, label: LabelRule) -> tuple[TargetTie, ...]:
        """Return what each column alone tells of the target, most first."""
        place = next((i for i, p in enumerate(profiles) if p.name == label.column), None)
        if place is None or profiles[place].kind == "other" or not self.size:
            return ()
        target = outcomes(self.column(place), rule=label)
        known = np.isfinite(target)
        is_text = profiles[place].kind in {"category", "text"} and label.positive is None
        classes = _class_codes(target[known], are_names=is_text)
        bits = associations.entropy(classes)
        features = {
            p.name: self.column(i).filter(pa.array(known))
            for i, p in enumerate(profiles[:MOST_TIES])
            if i != place and p.kind not in {"other", "text"} and p.distinct
        }
        probes = _probes(features, target[known], are_names=is_text)
        ties = []
        for name, column in features.items():
            told = associations.corrected_information(_any_codes(column), classes)
            auc, status = probes.get(name, (None, ""))
            share = min(1.0, told / bits) if bits else 0.0
            ties.append(TargetTie(name, round(told, 6), round(share, 6), auc, status))
        return tuple(sorted(ties, key=lambda t: (-t.share, -(t.auc or 0.0), t.name)))


def _probes(
    features: dict[str, pa.Array], target: Floats, *, are_names: bool
) -> dict[str, tuple[float | None, str]]:
    if are_names and len(np.unique(target)) != 2:  # noqa: PLR2004 - yes and no
        return {}
    probed = {
        n: c.cast(pa.int8()) if pa.types.is_boolean(c.type) else c for n, c in features.items()
    }
    try:
        found = single_feature_probe(probed, target)
    except InvalidInput:  # no rows with a target, or all alike
        return {}
    return {p.name: (round(p.auc, 6), p.status) for p in found}


def _class_codes(target: Floats, *, are_names: bool) -> NDArray[np.int64]:
    return target.astype(np.int64) if are_names else associations.codes_of_numbers(target)


def _any_codes(column: pa.Array) -> NDArray[np.int64]:
    """Return codes with null as a code of its own."""
    is_name = pa.types.is_string(column.type) or pa.types.is_large_string(column.type)
    codes = _codes(column) if is_name else associations.codes_of_numbers(_floats(column))
    return np.where(codes == NULL, codes.max(initial=NULL) + 1, codes)


def _floats(column: pa.Array) -> Floats:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if pa.types.is_null(column.type):
        return np.full(len(column), np.nan)
    values = np.array(pc.cast(column, pa.float64(), safe=False).to_numpy(zero_copy_only=False))
    values[~np.isfinite(values)] = np.nan
    return values


def _codes(column: pa.Array) -> NDArray[np.int64]:
    if not len(column):
        return np.empty(0, dtype=np.int64)
    codes = column.dictionary_encode().indices
    return np.asarray(pc.fill_null(codes, NULL)).astype(np.int64)
