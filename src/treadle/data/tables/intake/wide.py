"""Row groups of Parquet that are too wide to be read at once: some columns, then the next ones.

Arrow's reader holds a page of every column, unpacked, and its dictionary: 2 MB a column, whatever
the batches are. Here it reads some columns of a row group at a time into temporary files; what it
gave is read back from them, which takes a batch, and put side by side.
"""

from __future__ import annotations

import tempfile
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any, BinaryIO, cast

from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.kernel.late import pq

# More than this is not held for pages; narrower tables are read as they are.
MOST_HELD_BYTES = 64 << 20
HELD_BYTES = 32 << 20
# A page and a dictionary of 1 MB each, as Arrow and Java write them; a footer does not tell.
COLUMN_BYTES = 2 << 20


def is_wide(metadata: pq.FileMetaData) -> bool:
    """Say whether the pages of all columns are more than a reader should hold."""
    return any(
        sum(_leaf_bytes(metadata, group)) > MOST_HELD_BYTES
        for group in range(metadata.num_row_groups)
    )


def wide_batches(file: pq.ParquetFile, *, rows: int) -> Iterator[pa.RecordBatch]:
    """Yield all rows of a file, so many at a time, and no more than a row group in files."""
    names = file.schema_arrow.names
    for group in range(file.metadata.num_row_groups):
        slices = _slices(names, file.metadata, group)
        with ExitStack() as stack:
            readers = []
            for columns in slices:
                spool = cast(
                    "BinaryIO", stack.enter_context(tempfile.TemporaryFile(prefix="treadle-"))
                )
                batches = file.iter_batches(
                    rows, row_groups=[group], columns=columns, use_threads=False
                )
                _write(batches, columns, file.schema_arrow, spool)
                spool.seek(0)
                readers.append(pa.ipc.open_stream(spool))
            yield from _joined(readers, file.schema_arrow)


def _leaf_bytes(metadata: pq.FileMetaData, group: int) -> list[int]:
    row_group = metadata.row_group(group)
    return [
        min(COLUMN_BYTES, row_group.column(n).total_uncompressed_size)
        for n in range(metadata.num_columns)
    ]


def _slices(names: list[str], metadata: pq.FileMetaData, group: int) -> list[list[str]]:
    """Return the columns in order, so many together as may be read at once."""
    sizes = [0] * len(names)
    at = 0
    for leaf, size in enumerate(_leaf_bytes(metadata, group)):
        path = metadata.schema.column(leaf).path
        # A nested column has several leaves, which lie one behind the other.
        while not f"{path}.".startswith(f"{names[at]}."):
            at += 1
        sizes[at] += size
    slices: list[list[str]] = [[]]
    held = 0
    for name, size in zip(names, sizes, strict=True):
        if slices[-1] and held + size > HELD_BYTES:
            slices.append([])
            held = 0
        slices[-1].append(name)
        held += size
    return slices


def _write(
    batches: Iterator[pa.RecordBatch], columns: list[str], schema: pa.Schema, spool: BinaryIO
) -> None:
    kept = pa.schema([schema.field(name) for name in columns])
    options = pa.ipc.IpcWriteOptions(compression="lz4", use_threads=False)
    with pa.ipc.new_stream(spool, kept, options=options) as writer:
        for batch in batches:
            # Arrow takes `a` to mean `a.b` too, which may be another column.
            some = pa.RecordBatch.from_arrays([batch[name] for name in columns], schema=kept)
            writer.write_batch(some)


def _joined(
    readers: list[pa.RecordBatchStreamReader], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Yield batches side by side; long texts make those of some columns shorter."""
    held: list[Any] = [next(reader, None) for reader in readers]
    while all(batch is not None for batch in held):
        rows = min(batch.num_rows for batch in held)
        columns = [column for batch in held for column in batch.slice(0, rows).columns]
        yield pa.RecordBatch.from_arrays(columns, schema=schema)
        held = [
            batch.slice(rows) if batch.num_rows > rows else next(reader, None)
            for batch, reader in zip(held, readers, strict=True)
        ]
