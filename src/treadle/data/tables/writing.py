"""From rows to parts: batches of any sizes become Parquet files of bounded size, in chunks."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from treadle.data.parquet import plain_schema, write_part
from treadle.data.tables.cuts import CutSearch, logical_bytes
from treadle.data.tables.files import part_name
from treadle.data.trees.entities import TreeEntry
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from treadle.storage.chunks.writing import ChunkWriter

PIECE_BYTES = 1 << 20
# Long texts end a piece before its rows do, at a multiple of a few rows.
LONG_PIECE_BYTES = 4 << 20
_STEP_ROWS = 1 << 4
_MOST_ROWS = 1 << 16
_LEAST_ROWS = 1 << 8


class Behind(NamedTuple):
    """Parts of another version that stay as they are, before the rows that are written."""

    entries: tuple[TreeEntry, ...]
    rows: int


class PartWriter:
    """Takes rows and gives parts to a writer of chunks.

    Equal rows give equal parts: where pieces of a part end depends on the rows from its begin on,
    whatever the batches were.
    """

    def __init__(
        self, schema: pa.Schema, *, writer: ChunkWriter, behind: Behind | None = None
    ) -> None:
        self._schema = schema
        self._plain = plain_schema(schema)
        self._writer = writer
        self._piece_rows = _rows_of_piece(len(schema))
        self._open: list[pa.RecordBatch] = []
        self._open_rows = 0
        self._open_bytes = 0
        self._pieces: list[pa.RecordBatch] = []
        self._search = CutSearch()
        self._entries: list[TreeEntry] = list(behind.entries) if behind else []
        self.rows = behind.rows if behind else 0

    def add(self, batch: pa.RecordBatch) -> None:
        """Take rows."""
        self.rows += batch.num_rows
        self._add(batch)

    def finish(self) -> list[TreeEntry]:
        """Write what is held and return all parts; of no rows there is one too."""
        while self._open:
            self._close_piece()
        if self._pieces or not self._entries:
            self._write(self._pieces)
            self._pieces = []
        return self._entries

    def _add(self, batch: pa.RecordBatch) -> None:
        at = 0
        while at < batch.num_rows:
            some = _plain(batch.slice(at, self._piece_rows - self._open_rows), self._plain)
            size = logical_bytes(some)
            while self._open_bytes + size >= LONG_PIECE_BYTES and some.num_rows > self._step:
                some = some.slice(0, max(self._step, some.num_rows // 2))
                size = logical_bytes(some)
            self._open.append(some)
            self._open_rows += some.num_rows
            self._open_bytes += size
            at += some.num_rows
            is_long = self._open_bytes >= LONG_PIECE_BYTES and self._step == _STEP_ROWS
            if is_long or self._open_rows == self._piece_rows:
                self._close_piece()

    @property
    def _step(self) -> int:
        """Return how many rows are missing to where a piece may end."""
        return _STEP_ROWS - self._open_rows % _STEP_ROWS

    def _close_piece(self) -> None:
        piece = self._open[0] if len(self._open) == 1 else pa.concat_batches(self._open)
        size, self._open_bytes = self._open_bytes, 0
        self._open, self._open_rows = [], 0
        self._pieces.append(piece)
        row = self._search.look(piece, size)
        if row is not None:
            self._cut(len(self._pieces) - 1, row)
        elif self._search.is_over:
            self._cut(*(self._search.smallest or (len(self._pieces), 0)))

    def _cut(self, number: int, row: int) -> None:
        """Write a part that ends before a row of a piece, and go on with the rows behind it."""
        pieces, self._pieces, self._search = self._pieces, [], CutSearch()
        first = [*pieces[:number], *([pieces[number].slice(0, row)] if row else [])]
        self._write(first)
        rest = [pieces[number].slice(row), *pieces[number + 1 :]] if number < len(pieces) else []
        del pieces, first
        for piece in rest:
            self._add(piece)

    def _write(self, pieces: list[pa.RecordBatch]) -> None:
        with self._writer.sink() as sink:
            table = pa.Table.from_batches(pieces, schema=self._plain)
            write_part(table, self._schema, cast("BinaryIO", sink))
        path = part_name(len(self._entries))
        content = b"".join(sink.digests)
        self._entries.append(TreeEntry(path, "file", sink.size_bytes, content))


def _plain(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    if batch.schema.equals(schema):
        return batch.replace_schema_metadata(None)
    columns = [column.cast(f.type) for column, f in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _rows_of_piece(columns: int) -> int:
    """Return a power of two: so many rows of eight bytes a cell."""
    fitting = PIECE_BYTES // (8 * max(1, columns))
    return min(_MOST_ROWS, max(_LEAST_ROWS, 1 << max(0, fitting.bit_length() - 1)))
