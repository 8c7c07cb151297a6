"""Where a table is cut into parts: at rows that their content chooses.

Once a part is long enough it ends before the first row whose digest is small enough. Rows inserted
anywhere leave later cuts where they were, and rows appended leave all of them. A part that finds no
such row in time ends before the one with the smallest digest.
"""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, TypeAlias

from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

Digests: TypeAlias = "np.ndarray[Any, np.dtype[np.uint64]]"

# A part is in memory while it is written. Larger ones would compress no better.
LEAST_BYTES = 16 << 20
MOST_BYTES = 28 << 20
# More columns than this tell rows no better apart.
MOST_COLUMNS = 32
NESTED_BYTES = 16
_ODD = 0x9E37_79B9_7F4A_7C15
_SHIFT = 32
_WIDTHS = {1: "uint8", 8: "uint8", 16: "uint16", 32: "uint32", 64: "uint64"}


class CutSearch:
    """The search for the end of one part, piece by piece."""

    def __init__(self) -> None:
        self._bytes = 0
        self._rows = 0
        self._pieces = 0
        self._limit: np.uint64 | None = None
        self._least: tuple[int, int, int] | None = None

    @property
    def is_over(self) -> bool:
        """Say whether the part has to end now."""
        return self._bytes >= MOST_BYTES

    @property
    def smallest(self) -> tuple[int, int] | None:
        """Return the piece, and the row in it, with the smallest digest of all looked at."""
        return self._least[1:] if self._least else None

    def look(self, piece: pa.RecordBatch, size_bytes: int) -> int | None:
        """Take the next piece; return the row of it before which the part ends, if it has one.

        `size_bytes` is what it holds (`logical_bytes`).
        """
        row = self._found(row_digests(piece)) if self._bytes >= LEAST_BYTES else None
        self._bytes += size_bytes
        self._rows += piece.num_rows
        self._pieces += 1
        return row

    def _found(self, digests: Digests) -> int | None:
        if self._limit is None:
            self._limit = _limit(self._rows, self._bytes)
        low = np.flatnonzero(digests < self._limit)
        if len(low):
            return int(low[0])
        row = int(digests.argmin())
        found = (int(digests[row]), self._pieces, row)
        self._least = min(self._least or found, found)
        return None


def _limit(rows: int, size_bytes: int) -> np.uint64:
    """Return below which digest a row ends a part: a quarter of the search is the usual one.

    It is a power of two, for then the cuts of a looser limit include those of a stricter one.
    """
    usual_rows = (MOST_BYTES - LEAST_BYTES) // 4 * rows // max(1, size_bytes)
    return np.uint64(1 << (64 - max(1, usual_rows.bit_length())))


def row_digests(batch: pa.RecordBatch) -> Digests:
    """Return a number for each row, of what its cells hold."""
    found = np.zeros(batch.num_rows, dtype=np.uint64)
    for values in islice(_words(batch.columns), MOST_COLUMNS):
        found = (found ^ _mixed(values)) * np.uint64(_ODD)
    return _mixed(found)


def logical_bytes(batch: pa.RecordBatch) -> int:
    """Return how much the cells of rows hold, however Arrow lays them out."""
    return sum(_bytes_of(column) for column in batch.columns)


def _bytes_of(column: pa.Array) -> int:
    type_ = column.type
    if _is_text(type_):
        texts: int = pc.sum(pc.binary_length(column)).as_py() or 0
        return 4 * len(column) + texts
    if pa.types.is_list(type_) or pa.types.is_large_list(type_) or pa.types.is_map(type_):
        inner = column.flatten() if not pa.types.is_map(type_) else None
        return 4 * len(column) + (_bytes_of(inner) if inner is not None else 0)
    if pa.types.is_struct(type_):
        return sum(_bytes_of(child) for child in column.flatten())
    try:
        width: int = type_.bit_width
    except ValueError:
        return len(column) * NESTED_BYTES
    return len(column) * max(1, width // 8)


def _words(columns: list[pa.Array]) -> Iterator[Digests]:
    for column in columns:
        type_ = column.type
        if pa.types.is_struct(type_):
            yield from _words(column.flatten())
        elif _is_text(type_):
            yield _of_texts(column)
        elif pa.types.is_list(type_) or pa.types.is_large_list(type_):
            yield _numbers(pc.list_value_length(column).cast(pa.int64()))
        elif pa.types.is_decimal(type_):
            yield _numbers(pc.cast(column, pa.float64(), safe=False))
        elif pa.types.is_primitive(type_):
            yield _numbers(column)


def _numbers(column: pa.Array) -> Digests:
    width = column.type.bit_width
    plain = column.cast(pa.uint8()) if width == 1 else column
    values = np.frombuffer(plain.buffers()[1], dtype=_WIDTHS[width])
    known = values[plain.offset : plain.offset + len(plain)].astype(np.uint64)
    if not plain.null_count:
        return known
    # `fill_null` and `to_numpy` would look for pandas.
    there = np.frombuffer(pc.is_valid(plain).cast(pa.uint8()).buffers()[1], dtype=np.uint8)
    return known * there[: len(plain)]


def _of_texts(column: pa.Array) -> Digests:
    """Return a number of each text's length, its first byte, its last and one between."""
    lengths = _numbers(pc.binary_length(column).cast(pa.int64()))
    at, data = _offsets(column)
    if not len(data) or not lengths.any():
        return lengths
    last = np.uint64(len(data) - 1)
    found = lengths
    for place in (at, at + lengths // np.uint64(2), at + lengths - np.uint64(1)):
        cells = data[np.minimum(place, last).astype(np.int64)].astype(np.uint64)
        found = found * np.uint64(257) + np.where(lengths > 0, cells, np.uint64(0))
    return np.asarray(found)


def _offsets(column: pa.Array) -> tuple[Digests, np.ndarray[Any, np.dtype[np.uint8]]]:
    is_large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    _, offsets, data = column.buffers()
    if offsets is None or data is None:
        return np.zeros(len(column), dtype=np.uint64), np.zeros(0, dtype=np.uint8)
    starts = np.frombuffer(offsets, dtype=np.int64 if is_large else np.int32)
    first = starts[column.offset : column.offset + len(column)].astype(np.uint64)
    return first, np.frombuffer(data, dtype=np.uint8)


def _mixed(values: Digests) -> Digests:
    spread = values * np.uint64(_ODD)
    return spread ^ (spread >> np.uint64(_SHIFT))


def _is_text(type_: pa.DataType) -> bool:
    tests: tuple[Callable[[pa.DataType], bool], ...] = (
        pa.types.is_string,
        pa.types.is_binary,
        pa.types.is_large_string,
        pa.types.is_large_binary,
    )
    return any(test(type_) for test in tests)
