"""What a scan keeps of each column until the profile is made: one collector for each kind."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from treadle.analysis.personal import LOOKED_AT, hints, hints_of_numbers
from treadle.analysis.profiles import (
    MOST_CATEGORIES,
    ColumnProfile,
    Lengths,
    hide_numbers,
    profile_booleans,
    profile_names,
    profile_numbers,
)
from treadle.data.profiling.pieces import Collected
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from treadle.data.profiling.pieces import Shelf
    from treadle.data.profiling.reading import Reading, Streamed

MOST_COUNTED = 20_000
"""More texts than this are counted by a query of their own, which may spill to disk."""
_MOST_COUNTED_BYTES = 8 << 20


class Collector(Protocol):
    """Takes a column a batch at a time, and makes its profile in the end."""

    def take(self, values: pa.Array) -> NDArray[np.bool_] | None:
        """Look at the next rows; return where there is no value, None when nowhere."""

    def profile(self, reading: Reading, sample: pa.Array) -> ColumnProfile:
        """Return what was found; `sample` are some of the values."""


class Numbers:
    """Numbers and times."""

    def __init__(self, column: Streamed, shelf: Shelf) -> None:
        self._column = column
        self.values = Collected(shelf)
        self._rows = self._nulls = self._infinite = 0

    def take(self, values: pa.Array) -> NDArray[np.bool_] | None:
        self._rows += len(values)
        absent = None
        if values.null_count:
            absent = np.asarray(pc.is_null(values, nan_is_null=True))
        if pa.types.is_floating(values.type):
            floats = np.asarray(values)  # null becomes NaN
            finite = np.isfinite(floats)
            if not finite.all():
                absent = np.isnan(floats)
                self._infinite += int(len(floats) - finite.sum() - absent.sum())
                floats = floats[finite]
            self.values.add(floats + 0.0)  # a copy, in which -0 is 0
        else:
            known = pc.drop_null(values) if values.null_count else values
            self.values.add(np.array(known))
        if absent is None or not absent.any():
            return None
        self._nulls += int(absent.sum())
        return absent

    def profile(self, reading: Reading, sample: pa.Array) -> ColumnProfile:
        del reading
        column = self._column
        counts = ColumnProfile(
            column.name, str(column.type), column.kind, self._rows, self._nulls, self._infinite
        )
        found = profile_numbers(self.values.ordered(), counts)
        if column.kind != "number" or not pa.types.is_integer(sample.type):
            return found
        some = pc.unique(pc.drop_null(sample)).slice(0, LOOKED_AT).to_pylist()
        return hide_numbers(found, hints_of_numbers(column.name, some))


class Booleans:
    """Yes or no."""

    def __init__(self, column: Streamed) -> None:
        self._column = column
        self._rows = self._nulls = self._true = 0

    def take(self, values: pa.Array) -> NDArray[np.bool_] | None:
        self._rows += len(values)
        self._nulls += values.null_count
        self._true += int(pc.sum(values).as_py() or 0)
        return np.asarray(pc.is_null(values)) if values.null_count else None

    def profile(self, reading: Reading, sample: pa.Array) -> ColumnProfile:
        del reading, sample
        column = self._column
        counts = ColumnProfile(column.name, str(column.type), "bool", self._rows, self._nulls)
        return profile_booleans(counts, true=self._true)


class Names:
    """Texts: counted in memory while they are few."""

    def __init__(self, column: Streamed) -> None:
        self._column = column
        self._rows = self._nulls = 0
        self._counts: dict[str, int] = {}
        self._is_many = False
        self._shortest, self._longest, self._characters, self._blank = 0, -1, 0, 0

    def take(self, values: pa.Array) -> NDArray[np.bool_] | None:
        self._rows += len(values)
        self._nulls += values.null_count
        if values.null_count < len(values):
            self._count(values)
        return np.asarray(pc.is_null(values)) if values.null_count else None

    def profile(self, reading: Reading, sample: pa.Array) -> ColumnProfile:
        del sample
        column = self._column
        base = ColumnProfile(column.name, str(column.type), "category", self._rows, self._nulls)
        if self._is_many:
            many = reading.texts(column, top=MOST_CATEGORIES, looked=LOOKED_AT)
            return profile_names(
                base, many.top, distinct=many.distinct, once=many.once, ends=many.ends,
                lengths=self._lengths(), hints=hints(column.name, many.some),
            )  # fmt: skip
        counts = self._counts
        return profile_names(
            base, counts, distinct=len(counts), once=sum(1 for n in counts.values() if n == 1),
            ends=(min(counts), max(counts)) if counts else None,
            lengths=self._lengths(), hints=hints(column.name, _spread(sorted(counts))),
        )  # fmt: skip

    def _count(self, values: pa.Array) -> None:
        if self._is_many:
            self._measure(pc.drop_null(values), None)
            return
        found = pc.value_counts(pc.drop_null(values))
        texts, counts = found.field(0), found.field(1)
        self._measure(texts, np.asarray(counts))
        if len(texts) + len(self._counts) > 2 * MOST_COUNTED or texts.nbytes > _MOST_COUNTED_BYTES:
            self._give_up()
            return
        for text, n in zip(texts.to_pylist(), counts.to_pylist(), strict=True):
            self._counts[text] = self._counts.get(text, 0) + n
        if len(self._counts) > MOST_COUNTED or self._is_heavy():
            self._give_up()

    def _give_up(self) -> None:
        self._is_many, self._counts = True, {}

    def _is_heavy(self) -> bool:
        return self._longest * len(self._counts) > _MOST_COUNTED_BYTES and (
            sum(map(len, self._counts)) > _MOST_COUNTED_BYTES
        )

    def _measure(self, texts: pa.Array, counts: NDArray[np.int64] | None) -> None:
        lengths = np.asarray(pc.utf8_length(texts)).astype(np.int64)
        blank = np.asarray(pc.utf8_is_space(texts)) | (lengths == 0)
        weights = np.ones(len(lengths), dtype=np.int64) if counts is None else counts
        least = int(lengths.min())
        self._shortest = least if self._longest < 0 else min(self._shortest, least)
        self._longest = max(self._longest, int(lengths.max()))
        self._characters += int(np.dot(lengths, weights))
        self._blank += int(weights[blank].sum())

    def _lengths(self) -> Lengths | None:
        known = self._rows - self._nulls
        if not known:
            return None
        return Lengths(self._shortest, self._characters / known, self._longest, self._blank)


class Others:
    """What is not profiled: nested and binary values, of which only nulls are counted."""

    def __init__(self, column: Streamed) -> None:
        self._column = column
        self._rows = self._nulls = 0

    def take(self, values: pa.Array) -> NDArray[np.bool_] | None:
        self._rows += len(values)
        absent = np.asarray(values.cast(pa.int8())).astype(np.bool_)
        self._nulls += int(absent.sum())
        return absent if absent.any() else None

    def profile(self, reading: Reading, sample: pa.Array) -> ColumnProfile:
        del reading, sample
        column = self._column
        return ColumnProfile(
            column.name, str(column.type), "other", self._rows, self._nulls,
            remarks=("not profiled",),
        )  # fmt: skip


def collector_of(column: Streamed, shelf: Shelf) -> Collector:
    """Return what takes a column of this kind."""
    if column.kind in {"number", "time"}:
        return Numbers(column, shelf)
    if column.kind == "bool":
        return Booleans(column)
    return Names(column) if column.kind == "category" else Others(column)


def _spread(values: Sequence[str]) -> list[str]:
    """Return at most as many values as hints look at, from everywhere in their order."""
    if len(values) <= LOOKED_AT:
        return list(values)
    places = np.linspace(0, len(values) - 1, LOOKED_AT).astype(np.int64)
    return [values[i] for i in places.tolist()]
