"""Tables as Parquet objects: the same rows give the same bytes, and come back as they were."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, BinaryIO

import pyarrow as pa
from pyarrow import parquet as pq

from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

# Whole columns compress best; a million rows bound what a reader must hold at once.
ROWS_PER_GROUP = 1 << 20
COMPRESSION_LEVEL = 3


def encode_table(table: pa.Table) -> pa.Buffer:
    """Return a table as Parquet. Equal tables give equal bytes, however their rows are chunked.

    Raises InvalidInput naming the column whose type Parquet has no place for.
    """
    bare = table.replace_schema_metadata(None).unify_dictionaries().combine_chunks()
    sink = pa.BufferOutputStream()
    try:
        pq.write_table(
            bare,
            sink,
            compression="zstd",
            compression_level=COMPRESSION_LEVEL,
            row_group_size=ROWS_PER_GROUP,
        )
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise _unstorable(bare.schema, error) from error
    return sink.getvalue()


def decode_table(stream: BinaryIO | Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet object; only some columns when they are named, in that order.

    Raises NotFound with near misses for a column that is not there.
    """
    with pq.ParquetFile(stream) as file:
        known = file.schema_arrow.names
        for name in columns or ():
            if name not in known:
                raise NotFound("column", name, known=known)
        wanted = None if columns is None else [known.index(name) for name in columns]
        table = file.read(columns=None if columns is None else list(columns))
        schema = written_schema(file)
    if wanted is None:
        return table.cast(schema) if schema else table.replace_schema_metadata(None)
    table = table.select(list(columns or ()))
    if schema:
        return table.cast(pa.schema([schema.field(i) for i in wanted]))
    return table.replace_schema_metadata(None)


def read_foreign(raw: bytes, *, name: str) -> pa.Table:
    """Read a Parquet file somebody else wrote. Raises InvalidInput when it is none."""
    try:
        return pq.ParquetFile(pa.BufferReader(raw)).read().replace_schema_metadata(None)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise InvalidInput(
            f"{name} cannot be read as Parquet: {error}.", hint="Write it again; it is damaged."
        ) from error


def written_schema(file: pq.ParquetFile) -> pa.Schema | None:
    # Parquet has no seconds and fewer types than Arrow: its writer keeps the true schema beside.
    kept = (file.metadata.metadata or {}).get(b"ARROW:schema")
    if kept is None:
        return None
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(kept)))
    return schema.remove_metadata()


def _unstorable(schema: pa.Schema, error: Exception) -> InvalidInput:
    for field in schema:
        try:
            pq.write_table(pa.schema([field]).empty_table(), pa.BufferOutputStream())
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
            return InvalidInput(
                f"Column {field.name!r} of type {field.type} cannot be stored: {error}.",
                hint="Cast it to a number, a text or a time first.",
            )
    return InvalidInput(f"The table cannot be stored: {error}.")
