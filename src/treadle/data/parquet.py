"""Tables as Parquet: the same rows give the same bytes, and come back as they were.

Parquet has fewer types than Arrow. What it has no place for is written as what it stands for (a
dictionary's values, a time in finer units) and the true schema beside it, where Arrow's readers
look for it.
"""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any, BinaryIO

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.late import pa, pc, pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

COMPRESSION_LEVEL = 3
# Pages end where their content says, so that an insertion changes a page or two of each column.
# Half of Arrow's usual length halves what that costs, and takes half a percent more space.
PAGES = {"min_chunk_size": 64 << 10, "max_chunk_size": 256 << 10, "norm_level": 0}
# A dictionary that outgrows this is given up: all pages up to there change with one new value.
DICTIONARY_BYTES = 256 << 10
# Nothing else may end a page: counted from where a part begins, it would move with an insertion.
NEVER = 1 << 30
SCHEMA_KEY = "ARROW:schema"


def write_part(table: pa.Table, schema: pa.Schema, sink: BinaryIO) -> None:
    """Write rows as one row group of pages that content cuts.

    `table` has the columns of `schema` as Parquet holds them (`plain_schema`).
    """
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=COMPRESSION_LEVEL,
        use_content_defined_chunking=PAGES,
        dictionary_pagesize_limit=DICTIONARY_BYTES,
        data_page_size=NEVER,
        max_rows_per_page=NEVER,
        store_schema=False,
    ) as writer:
        writer.write_table(table, row_group_size=max(1, table.num_rows))
        told = base64.b64encode(schema.serialize().to_pybytes()).decode()
        writer.add_key_value_metadata({SCHEMA_KEY: told})


def bare_schema(schema: pa.Schema) -> pa.Schema:
    """Return a schema without the notes beside it and its columns."""
    return pa.schema([field.remove_metadata() for field in schema])


def plain_schema(schema: pa.Schema) -> pa.Schema:
    """Return the types in which columns are written.

    Raises InvalidInput naming the column whose type Parquet has no place for.
    """
    plain = pa.schema([field.with_type(_plain_type(field.type)) for field in schema])
    for field, written in zip(schema, plain, strict=True):
        try:
            pq.ParquetWriter(pa.BufferOutputStream(), pa.schema([written])).close()
        except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
            raise InvalidInput(
                f"Column {field.name!r} of type {field.type} cannot be stored: {error}.",
                hint="Cast it to a number, a text or a time first.",
            ) from error
    return plain


def as_schema(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """Return a table in other types that hold the same values."""
    if table.schema.equals(schema):
        return table.replace_schema_metadata(None)
    columns = [
        _as_type(column, field.type) for column, field in zip(table.columns, schema, strict=True)
    ]
    return pa.Table.from_arrays(columns, schema=schema)


def decode_table(stream: BinaryIO | Path, *, columns: Sequence[str] | None = None) -> pa.Table:
    """Read a Parquet file; only some columns when they are named, in that order.

    Raises NotFound with near misses for a column that is not there.
    """
    with pq.ParquetFile(stream) as file:
        require_columns(file.schema_arrow, columns or ())
        schema = schema_of(file)
        if columns is not None:
            schema = pa.schema([schema.field(name) for name in columns])
        table = file.read(columns=None if columns is None else list(columns))
    return as_schema(table.select(schema.names), schema)


def require_columns(schema: pa.Schema, columns: Sequence[str]) -> None:
    """Raise NotFound with near misses unless all columns are there."""
    for name in columns:
        if name not in schema.names:
            raise NotFound("column", name, known=schema.names)


def schema_of(file: pq.ParquetFile) -> pa.Schema:
    """Return the columns of a file with the types in which they were given."""
    return written_schema(file) or file.schema_arrow.remove_metadata()


def written_schema(file: pq.ParquetFile) -> pa.Schema | None:
    """Return the schema that Arrow's writer kept beside, None when another wrote the file."""
    kept = (file.metadata.metadata or {}).get(SCHEMA_KEY.encode())
    if kept is None:
        return None
    schema = pa.ipc.read_schema(pa.BufferReader(base64.b64decode(kept)))
    return schema.remove_metadata()


def _plain_type(type_: pa.DataType) -> pa.DataType:
    if pa.types.is_dictionary(type_):
        return _plain_type(type_.value_type)
    if pa.types.is_string_view(type_):
        return pa.large_string()
    if pa.types.is_binary_view(type_):
        return pa.large_binary()
    return type_


def _as_type(column: Any, type_: pa.DataType) -> Any:
    if not pa.types.is_dictionary(type_) or pa.types.is_dictionary(column.type):
        return column.cast(type_)
    # Of texts Arrow makes a dictionary by a cast, of anything else only so.
    encoded = pc.dictionary_encode(column.cast(type_.value_type))
    return encoded.cast(pa.dictionary(type_.index_type, type_.value_type, type_.ordered))
