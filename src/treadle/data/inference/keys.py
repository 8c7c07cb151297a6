"""Which columns name a row: searched in a part, then on all rows by what repeats.

Rows are compared by 64-bit hashes of their cells. Two rows that differ never count as one unless
their hashes agree, so that a key may at worst be missed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.pairs import MOST_KEYS, learn_key
from treadle.kernel.late import np, pa

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from treadle.data.checks.scan import Rows

    Hashes = NDArray[np.uint64]

PART = 60_000
MOST_CANDIDATES = 100
"""Columns that are tried: the first that have a value in each row."""
MOST_REPEATING = 100_000
"""Where more rows than this repeat another, columns that name the part do not name all."""


def find_key(rows: Rows, names: Sequence[str], *, total: int) -> tuple[str, ...]:
    """Return the fewest columns found that name a row, the first given first; () when none do."""
    names = list(names)[:MOST_CANDIDATES]
    part = _hashes(rows, names, f"FROM t LIMIT {PART}" if total > PART else "FROM t")
    key = list(learn_key(part))
    if key and total > PART:
        key = _widened(rows, key, names)
    return tuple(n for n in names if n in key)


def _widened(rows: Rows, key: list[str], names: Sequence[str]) -> list[str]:
    """Add columns until no row repeats another; [] when none helps."""
    while True:
        of_key = _joint(rows, key)
        batches = rows.stream(f"SELECT {of_key} AS h FROM t")
        found = np.sort(np.concatenate([np.asarray(batch.column(0)) for batch in batches]))
        again = np.unique(found[1:][found[1:] == found[:-1]])
        if not len(again):
            return key
        others = [n for n in names if n not in key]
        if len(key) >= MOST_KEYS or not others or len(again) > MOST_REPEATING:
            return []
        # Only among rows that repeat another can one more column tell rows apart.
        repeating, distinct = _repeating(rows, of_key, others, again)
        best = max(others, key=lambda n: distinct[n])
        if distinct[best] <= len(again) or repeating > MOST_REPEATING:
            return []
        key = [*key, best]


def _repeating(
    rows: Rows, of_key: str, others: Sequence[str], again: Hashes
) -> tuple[int, Mapping[str, int]]:
    """Return how many rows repeat, and how many differ once a column is added."""
    kept: list[list[Hashes]] = [[] for _ in others]
    repeating = 0
    asked = ", ".join(f"{_joint(rows, [n])} AS h{i}" for i, n in enumerate(others))
    with rows.beside("again", pa.table({"h": again})):
        text = f"SELECT h, {asked} FROM (SELECT *, {of_key} AS h FROM t) SEMI JOIN again USING (h)"
        for batch in rows.stream(text):
            first, *rest = (np.asarray(column) for column in batch.columns)
            repeating += len(first)
            if repeating > MOST_REPEATING:
                break
            for column, hashes in zip(kept, rest, strict=True):
                column.append(first * np.uint64(0x9E3779B97F4A7C15) ^ hashes)
    return repeating, {
        n: len(np.unique(np.concatenate(hashes))) for n, hashes in zip(others, kept, strict=True)
    }


def _hashes(rows: Rows, names: Sequence[str], source: str) -> dict[str, NDArray[np.int64]]:
    asked = ", ".join(f"{_joint(rows, [n])} AS h{i}" for i, n in enumerate(names))
    found = rows.table(f"SELECT {asked} {source}")
    return {
        n: np.asarray(found.column(i).combine_chunks().dictionary_encode().indices, dtype=np.int64)
        for i, n in enumerate(names)
    }


def _joint(rows: Rows, names: Sequence[str]) -> str:
    return f"hash({', '.join(rows.column(n) for n in names)})"
