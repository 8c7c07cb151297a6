"""Frames of any library as Arrow, as files, and as what is remembered of them."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any

import msgspec
from blake3 import blake3

from treadle.client.ports import UsedDataset
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import late

if TYPE_CHECKING:
    from collections.abc import Callable

    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq
else:
    pa, pa_csv, pq = late("pyarrow"), late("pyarrow.csv"), late("pyarrow.parquet")

DIGEST_LENGTH = 32
"""MLflow's clients allow a dataset's digest 36 characters."""
SCHEMA_COLUMNS = 1_000
PLAIN = {
    "large_string": "string",
    "string_view": "string",
    "large_binary": "binary",
    "binary_view": "binary",
}


def as_table(frame: object) -> pa.Table:
    """Return rows as Arrow: pandas, Polars, Arrow, DuckDB, a dict of columns, a list of dicts."""
    try:
        if isinstance(frame, pa.Table):
            return frame
        if hasattr(frame, "__arrow_c_stream__"):
            return pa.RecordBatchReader.from_stream(frame).read_all()
        if isinstance(frame, dict):
            return pa.table(frame)
        if isinstance(frame, list) and all(isinstance(row, dict) for row in frame):
            return pa.Table.from_pylist(frame)
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InvalidInput(f"This is no table: {error}.") from error
    raise InvalidInput(
        f"A {type(frame).__name__} is no table.",
        hint="Give a frame (pandas, Polars, Arrow, DuckDB), a dict of columns or a list of dicts.",
    )


def as_file(frame: object, path: str) -> bytes:
    """Return rows as the bytes of a file of the kind its path ends in."""
    writer = next((write for ending, write in WRITERS.items() if path.endswith(ending)), None)
    if writer is None:
        raise InvalidInput(
            f"{path!r} does not say what kind of table to write.",
            hint=f"Let it end in {', '.join(WRITERS)}.",
        )
    return writer(as_table(frame))


def described(frame: object, *, name: str, context: str) -> UsedDataset:
    """Return what is remembered of a frame: a digest of its rows, its columns, its size."""
    table = as_table(frame)
    columns = [
        {"name": field.name, "type": str(field.type), "required": not field.nullable}
        for field in list(table.schema)[:SCHEMA_COLUMNS]
    ]
    profile = {"num_rows": table.num_rows, "num_elements": table.num_rows * table.num_columns}
    return UsedDataset(
        name=name,
        digest=_digest(table),
        context=context,
        schema=_json({"columns": columns}),
        profile=_json(profile),
    )


def _digest(table: pa.Table) -> str:
    # Of names, types and values, however the rows were cut into chunks.
    hasher = blake3()
    sink = pa.PythonFile(_Hashing(hasher.update), mode="w")
    whole = _plain(table).combine_chunks()
    with pa.ipc.new_stream(sink, whole.schema) as writer:
        writer.write_table(whole)
    return hasher.hexdigest()[:DIGEST_LENGTH]


def _plain(table: pa.Table) -> pa.Table:
    # The same texts are `string` to one library and `large_string` or `string_view` to another.
    def plain(kind: pa.DataType) -> pa.DataType:
        return pa.type_for_alias(PLAIN[str(kind)]) if str(kind) in PLAIN else kind

    fields = [field.with_type(plain(field.type)).remove_metadata() for field in table.schema]
    return table.cast(pa.schema(fields))


class _Hashing(io.RawIOBase):
    """A file that is only hashed."""

    def __init__(self, update: Callable[[Any], object]) -> None:
        self._update = update

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._update(data)
        return len(data)


def _parquet(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()


def _csv(table: pa.Table) -> bytes:
    sink = io.BytesIO()
    pa_csv.write_csv(table, sink)
    return sink.getvalue()


def _rows_as_json(table: pa.Table) -> bytes:
    # The form `mlflow.load_table` reads.
    columns = [column.to_pylist() for column in table.columns]
    rows = [list(row) for row in zip(*columns, strict=True)]
    return msgspec.json.encode({"columns": table.column_names, "data": rows})


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


WRITERS: dict[str, Callable[[pa.Table], bytes]] = {
    ".parquet": _parquet,
    ".csv": _csv,
    ".json": _rows_as_json,
}
