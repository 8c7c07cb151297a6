"""A table as Parquet files on disk."""

from __future__ import annotations

from itertools import accumulate
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pyarrow as pa
from pyarrow import parquet as pq


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


AnyTable: TypeAlias = pa.Table | Path | ParquetFiles
"""What an engine reads: a table in memory, a Parquet file, or several."""
