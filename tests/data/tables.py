"""Tables written as a version's parts lie."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
from pyarrow import parquet as pq

from treadle.data.diffs.tables import Part, Table

if TYPE_CHECKING:
    from pathlib import Path


def kept(folder: Path, table: pa.Table, name: str, *, parts: int = 1) -> Table:
    """Write a table in so many files, named by what they hold."""
    size = max(1, -(-table.num_rows // parts))
    found = []
    for place, at in enumerate(range(0, max(1, table.num_rows), size)):
        path, piece = folder / f"{name}-{place}.parquet", table.slice(at, size)
        pq.write_table(piece, path)
        found.append(Part(path, str(piece.to_pylist()) if parts > 1 else ""))
    return Table(found)
