"""The rows of a version wherever they lie: the one way to read them."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO, cast

from treadle.data.parquet import as_schema, decode_table, require_columns, schema_of
from treadle.data.tables.files import ParquetFiles, is_part
from treadle.data.tables.ranges import ranges_of
from treadle.data.tables.writing import Behind
from treadle.data.trees.encoding import read_tree
from treadle.data.trees.stream import ChunkStream
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from treadle.data.entities import DatasetVersion
    from treadle.data.tables.laid_out import LaidOut
    from treadle.data.tables.ranges import PartRanges
    from treadle.data.trees.entities import TreeEntry
    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.ports import ObjectStore

ROWS_PER_BATCH = 1 << 16


class TableParts:
    """The rows of one version: as a table, as batches in bounded memory, or as files for an engine.

    What is read is checked: damaged bytes raise Corrupt and are never handed out.
    """

    def __init__(
        self,
        version: DatasetVersion,
        *,
        reader: ChunkReader,
        objects: ObjectStore,
        laid_out: LaidOut,
    ) -> None:
        if not version.is_table:
            raise InvalidInput(
                f"{version.ref} holds files, not a table.",
                hint=f"List them: treadle data files {version.ref}; or check them out.",
            )
        self.version = version
        self._reader = reader
        self._objects = objects
        self._laid_out = laid_out
        self._entries: tuple[TreeEntry, ...] | None = None
        self._schema: pa.Schema | None = None

    @property
    def entries(self) -> tuple[TreeEntry, ...]:
        """Return the parts in the list of files; none where the table is one whole object."""
        if self._entries is None:
            tree = read_tree(self.version.tree, reader=self._reader) if self.version.tree else ()
            self._entries = tuple(entry for entry in tree if is_part(entry.path))
        return self._entries

    def schema(self) -> pa.Schema:
        """Return the columns with the types in which they were committed."""
        if self._schema is None:
            with next(self._streams()) as stream, pq.ParquetFile(stream) as file:
                self._schema = schema_of(file)
        return self._schema

    def table(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows in memory; only some columns when they are named, in that order.

        Raises NotFound with near misses for a column that is not there.
        """
        found = []
        for stream in self._streams():
            with stream:
                found.append(decode_table(stream, columns=columns))
        return found[0] if len(found) == 1 else pa.concat_tables(found).unify_dictionaries()

    def batches(
        self,
        columns: Sequence[str] | None = None,
        *,
        rows: int = ROWS_PER_BATCH,
        only: Sequence[int] | None = None,
    ) -> pa.RecordBatchReader:
        """Return the rows some at a time; no more than one part of some columns is in memory.

        `only` are the numbers of the parts to read, in order.
        """
        schema = self.schema()
        require_columns(schema, columns or ())
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        return pa.RecordBatchReader.from_batches(
            schema, self._batches(schema, rows=rows, only=only)
        )

    def count_rows(self) -> int:
        """Return how many rows the parts say that they have."""
        rows = 0
        for stream in self._streams():
            with stream, pq.ParquetFile(stream) as file:
                rows += file.metadata.num_rows
        return rows

    def ranges(
        self, columns: Collection[str], *, known: Mapping[str, PartRanges] | None = None
    ) -> dict[str, PartRanges]:
        """Return between which values columns of each part lie, by the part's digest, in order.

        The ends of parts say it; those that are `known` are not read.
        """
        found = dict(known or {})
        for number, entry in enumerate(self.entries):
            if entry.digest not in found:
                (stream,) = self._streams([number])
                with stream, pq.ParquetFile(stream, pre_buffer=False) as file:
                    found[entry.digest] = ranges_of(file, columns)
        return {entry.digest: found[entry.digest] for entry in self.entries}

    def all_but_last(self) -> Behind:
        """Return the parts that rows which are added leave as they are."""
        (last,) = self._streams([len(self.entries) - 1])
        with last, pq.ParquetFile(last) as file:
            return Behind(self.entries[:-1], self.version.rows - file.metadata.num_rows)

    def on_disk(self) -> AbstractContextManager[ParquetFiles]:
        """Lay the rows out as read-only Parquet files, checked, for an engine that reads files.

        They are good inside the block: in a home they stay for the next, elsewhere they are
        removed.
        """
        return self._on_disk()

    def folder(self) -> Path:
        """Return a folder in the home with the rows as read-only Parquet files, checked."""
        return self._laid_out.folder(self.version, self.entries)

    @contextmanager
    def _on_disk(self) -> Iterator[ParquetFiles]:
        with self._laid_out.files(self.version, self.entries) as paths:
            yield ParquetFiles.of(paths)

    def _streams(self, only: Sequence[int] | None = None) -> Iterator[BinaryIO]:
        if not self.version.tree:
            yield self._objects.open(self.version.table)
        entries = self.entries if only is None else [self.entries[number] for number in only]
        for entry in entries:
            yield cast("BinaryIO", ChunkStream(entry.chunks, reader=self._reader))

    def _batches(
        self, schema: pa.Schema, *, rows: int, only: Sequence[int] | None
    ) -> Iterator[pa.RecordBatch]:
        for stream in self._streams(only):
            with stream, pq.ParquetFile(stream) as file:
                for batch in file.iter_batches(rows, columns=schema.names):
                    whole = pa.Table.from_batches([batch]).select(schema.names)
                    yield from as_schema(whole, schema).to_batches()
