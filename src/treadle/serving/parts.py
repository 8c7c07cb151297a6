"""Parts of the request log: Parquet objects with predictions sorted by id."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from treadle.serving.records import INPUT_PREFIX
from treadle.storage.objects import put_bytes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from treadle.storage.ports import ObjectInfo, ObjectStore

# A part is fetched whole: this bounds what one prediction's lookup has to read and check.
ROWS_PER_PART = 131_072
ROWS_PER_GROUP = 32_768

_WORDS = ("endpoint", "variant", "version", "role", "status")
_ENCODINGS = {
    # Sorted ids share long beginnings.
    "id": "DELTA_BYTE_ARRAY",
    "answer_id": "DELTA_BYTE_ARRAY",
    "key": "DELTA_BYTE_ARRAY",
    "at": "DELTA_BINARY_PACKED",
    "logged_at": "DELTA_BINARY_PACKED",
    "latency_us": "DELTA_BINARY_PACKED",
}


def pieces(table: pa.Table) -> Iterator[pa.Table]:
    """Yield a table cut into parts of a bounded number of rows."""
    for start in range(0, table.num_rows, ROWS_PER_PART):
        yield table.slice(start, ROWS_PER_PART)


def write_part(objects: ObjectStore, table: pa.Table) -> ObjectInfo:
    """Store predictions sorted by id as one object."""
    return put_bytes(objects, parquet_bytes(table, statistics=("id", "at")))


def parquet_bytes(table: pa.Table, *, statistics: Sequence[str]) -> bytes:
    """Return a table as Parquet, with minimum and maximum of some columns per group of rows."""
    sink = io.BytesIO()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        row_group_size=ROWS_PER_GROUP,
        use_dictionary=[name for name in table.column_names if _repeats(table, name)],
        column_encoding={n: e for n, e in _ENCODINGS.items() if n in table.column_names},
        write_statistics=list(statistics),
        store_schema=False,
    )
    return sink.getvalue()


def read_part(
    objects: ObjectStore, digest: str, *, columns: Collection[str] | None = None
) -> pa.Table:
    """Read some columns of a part, or all; columns it does not have are left out."""
    with objects.open(digest) as stream:
        file = pq.ParquetFile(stream)
        names = file.schema_arrow.names
        wanted = None if columns is None else [name for name in names if name in columns]
        return file.read(columns=wanted, use_threads=False)


def find_row(objects: ObjectStore, digest: str, *, identifier: str) -> pa.Table:
    """Return the row of a part with an id: a table of one row, or of none."""
    with objects.open(digest) as stream:
        file = pq.ParquetFile(stream)
        for group in range(file.num_row_groups):
            limits = file.metadata.row_group(group).column(0).statistics
            if limits is None or limits.min <= identifier <= limits.max:
                ids = file.read_row_group(group, columns=["id"])["id"]
                row = pc.index(ids, identifier).as_py()
                if row >= 0:
                    return file.read_row_group(group).slice(row, 1)
        return file.schema_arrow.empty_table()


def _repeats(table: pa.Table, name: str) -> bool:
    # Numbers seldom repeat enough to pay for a dictionary, and trying costs as much as writing.
    if name in _WORDS:
        return True
    return name.startswith(INPUT_PREFIX) and not (
        pa.types.is_floating(table.schema.field(name).type)
    )
