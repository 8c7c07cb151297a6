"""A table as Parquet files on disk."""

from __future__ import annotations

import re
from itertools import accumulate
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from pathlib import Path

_PART = re.compile(r"part-\d{5,}\.parquet")


class ParquetFiles(NamedTuple):
    """A table as files, in the order of its rows, and how many rows each has."""

    paths: tuple[Path, ...]
    rows: tuple[int, ...]

    @classmethod
    def of(cls, paths: tuple[Path, ...]) -> ParquetFiles:
        """Describe files that are there."""
        return cls(paths, tuple(pq.read_metadata(path).num_rows for path in paths))

    @property
    def starts(self) -> tuple[int, ...]:
        """Return the number, counted over the whole table, of each file's first row."""
        return (0, *accumulate(self.rows))[: len(self.rows)]


AnyTable: TypeAlias = "pa.Table | Path | ParquetFiles"
"""What an engine reads: a table in memory, a Parquet file, or several."""


def part_name(number: int) -> str:
    """Return what a part is called in a version's list of files."""
    return f"part-{number:05}.parquet"


def is_part(path: str) -> bool:
    """Say whether a path in a table's list of files is one of its parts; others are its sources."""
    return _PART.fullmatch(path) is not None
