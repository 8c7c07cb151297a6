"""Parquet and Arrow files, some rows at a time."""

from __future__ import annotations

import errno
import os
import tempfile
from contextlib import closing
from typing import TYPE_CHECKING

from treadle.data.parquet import as_schema, bare_schema, schema_of
from treadle.data.tables.intake.origins import Opened, require_columns, require_same
from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

# Arrow's batches keep twice what their cells need; short ones are copied when they are joined.
BATCH_BYTES = 1 << 18
MOST_ROWS = 1 << 16
LEAST_ROWS = 1 << 6
BUFFER_BYTES = 1 << 16
# Of few columns, which a wide table is read by, a batch is short.
WIDE_FACTOR = 4


class ParquetRows:
    """Parquet files of the same columns."""

    keeps_text = False
    can_repeat = True
    kind = "Parquet"

    def __init__(self, paths: tuple[Path, ...]) -> None:
        self.paths = paths

    def open(self, progress: Callable[[int], None] | None = None) -> Opened:
        """Begin to read. Raises InvalidInput when a file is none of its kind."""
        schema = self._schema(self.paths[0])
        require_columns(schema.names, where=self.paths[0].name)
        for path in self.paths[1:]:
            names = (self.paths[0].name, path.name)
            require_same(schema, self._schema(path), names=names)
        return Opened(schema, self._all(schema, progress))

    def _all(
        self, schema: pa.Schema, progress: Callable[[int], None] | None
    ) -> Iterator[pa.RecordBatch]:
        for path in self.paths:
            size, told, rows = path.stat().st_size, 0, 0
            try:
                for batch, of_rows in self._batches(path, schema):
                    yield batch
                    rows += batch.num_rows
                    if progress and of_rows:
                        done = size * rows // of_rows
                        progress(done - told)
                        told = done
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
                raise self._unreadable(path, error) from error

    def _schema(self, path: Path) -> pa.Schema:
        try:
            return self._schema_of(path)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise self._unreadable(path, error) from error

    def _unreadable(self, path: Path, error: Exception) -> InvalidInput | Unavailable:
        # Reading fills no disk: it was what is kept of a wide table.
        if isinstance(error, OSError) and error.errno == errno.ENOSPC:
            return Unavailable(
                f"Columns of {path.name} cannot be kept in {tempfile.gettempdir()}: "
                f"{os.strerror(error.errno)}.",
                hint="Make room there, or name another folder by TMPDIR.",
            )
        # Of what is in a file Arrow says no number.
        if isinstance(error, OSError) and error.errno:
            return Unavailable(f"Cannot read {path}: {os.strerror(error.errno)}.")
        return InvalidInput(
            f"{path.name} cannot be read as {self.kind}: {str(error).rstrip('.')}.",
            hint="Write it again, it is damaged; or keep it as it is: --as files.",
        )

    def _schema_of(self, path: Path) -> pa.Schema:
        with pq.ParquetFile(path) as file:
            return bare_schema(schema_of(file))

    def _batches(self, path: Path, schema: pa.Schema) -> Iterator[tuple[pa.RecordBatch, int]]:
        """Yield batches, each with the number of all rows."""
        # Most commits read no Parquet, and are to import little.
        from treadle.data.tables.intake.wide import (  # noqa: PLC0415 - see above
            is_wide,
            wide_batches,
        )

        with pq.ParquetFile(path, buffer_size=BUFFER_BYTES, pre_buffer=False) as file:
            rows = file.metadata.num_rows
            at_once = _rows_at_once(file.metadata)
            for batch in (
                wide_batches(file, rows=WIDE_FACTOR * at_once)
                if is_wide(file.metadata)
                else file.iter_batches(at_once, use_threads=False)
            ):
                whole = as_schema(pa.Table.from_batches([batch]), schema)
                yield from ((some, rows) for some in whole.to_batches())


class ArrowRows(ParquetRows):
    """Arrow files (Feather, IPC; a file or a stream) of the same columns."""

    kind = "Arrow"

    def _schema_of(self, path: Path) -> pa.Schema:
        with closing(pa.memory_map(str(path))) as source, _opened(source) as reader:
            return bare_schema(reader.schema)

    def _batches(self, path: Path, schema: pa.Schema) -> Iterator[tuple[pa.RecordBatch, int]]:
        # Mapped, not read: a file may be one batch, which is then never in memory as a whole.
        with closing(pa.memory_map(str(path))) as source, _opened(source) as reader:
            is_file = isinstance(reader, pa.RecordBatchFileReader)
            for batch in (
                (reader.get_batch(n) for n in range(reader.num_record_batches))
                if is_file
                else reader
            ):
                yield pa.RecordBatch.from_arrays(batch.columns, schema=schema), 0


def _opened(source: pa.MemoryMappedFile) -> pa.RecordBatchFileReader | pa.RecordBatchStreamReader:
    start = source.read(6)
    source.seek(0)
    return pa.ipc.open_file(source) if start == b"ARROW1" else pa.ipc.open_stream(source)


def _rows_at_once(metadata: pq.FileMetaData) -> int:
    """Return how many rows are a few MB, by what the file says of itself."""
    groups = [metadata.row_group(n) for n in range(min(metadata.num_row_groups, 16))]
    size = sum(group.total_byte_size for group in groups)
    rows = sum(group.num_rows for group in groups)
    fitting: int = BATCH_BYTES * rows // max(1, size)
    return max(LEAST_ROWS, min(MOST_ROWS, fitting))
