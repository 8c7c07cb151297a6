"""Tables as a diff reads them: lists of Parquet files that DuckDB reads out of core.

In SQL their columns are `c0`, `c1`, …, for names may be anything and differ in case alone; `row`
orders their rows.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Self

from treadle.data.parquet import COMPRESSION_LEVEL, written_schema
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from treadle.data.diffs.schemas import Pairing

BATCH_ROWS = 8_192
GROUP_ROWS = 1 << 20
_ROW_BITS = 40
"""A row is numbered by its file's place and its place in the file."""


class Part(NamedTuple):
    """A Parquet file of a table. Parts with one digest, if they have one, hold the same rows."""

    path: Path
    digest: str = ""


class Table:
    """A table to compare: the Parquet files that hold its rows, in their order.

    `schema` has its types as they are compared, without dictionaries, `written` as they are.
    """

    def __init__(self, parts: Sequence[Part]) -> None:
        if not parts:
            raise InvalidInput("A table without files has no columns to compare.")
        self.parts = tuple(parts)
        with pq.ParquetFile(parts[0].path) as file:
            schema = written_schema(file) or file.schema_arrow.remove_metadata()
        self.written = schema
        self.schema = pa.schema([pa.field(f.name, _plain(f.type)) for f in schema])
        self.part_rows: tuple[int, ...] = tuple(
            pq.read_metadata(part.path).num_rows for part in parts
        )

    @property
    def rows(self) -> int:
        """Return how many rows it has."""
        return sum(self.part_rows)

    def without(self, digests: Sequence[str]) -> list[int]:
        """Return the places of parts that are left when each digest takes one of them away."""
        gone = list(digests)
        left = []
        for place, part in enumerate(self.parts):
            if part.digest in gone:
                gone.remove(part.digest)
            else:
                left.append(place)
        return left

    def select(self, places: Sequence[int] | None = None) -> str:
        """Return SQL that reads it, or some of its parts: all columns and `row`."""
        chosen = range(len(self.parts)) if places is None else places
        names = ", ".join(f"c{place}" for place in range(len(self.schema)))
        if not chosen:
            return f"SELECT * FROM ({self.select([0])}) LIMIT 0"
        paths = ", ".join(quoted(str(self.parts[place].path)) for place in chosen)
        # Places of files among those that are read become places among all.
        place_of = f"[{', '.join(map(str, chosen))}][file::BIGINT + 1]"
        return (
            f"SELECT {names}, ({place_of}::BIGINT << {_ROW_BITS}) + at_row AS row FROM "
            f"(SELECT *, file_index FROM read_parquet([{paths}], file_row_number = true)) "
            f"AS s({names}, at_row, file)"
        )

    def row_number(self, row: int) -> int:
        """Return which row of the table `row` is, from 0."""
        return sum(self.part_rows[: row >> _ROW_BITS]) + (row & ((1 << _ROW_BITS) - 1))

    @classmethod
    def write(cls, rows: pa.Table | pa.RecordBatchReader, path: Path) -> Self:
        """Keep rows in a file of their own, a batch at a time, and return them as a table."""
        schema = pa.schema([pa.field(f.name, f.type) for f in rows.schema])
        batches = rows.to_batches(GROUP_ROWS) if isinstance(rows, pa.Table) else rows
        options = {"compression": "zstd", "compression_level": COMPRESSION_LEVEL}
        with pq.ParquetWriter(path, schema, **options) as writer:
            for batch in batches:
                writer.write_batch(batch.replace_schema_metadata(None))
        return cls([Part(path)])


def quoted(text: str) -> str:
    """Return a text as SQL writes it."""
    return "'" + text.replace("'", "''") + "'"


def compared(pairing: Pairing, side: str, *, called: str = "") -> str:
    """Return a column of one side (`before` or `after`) as it is compared."""
    place = pairing.before if side == "before" else pairing.after
    column = f"{called or side}.c{place}"
    return f"TRY_CAST({column} AS {pairing.sql_type})" if pairing.sql_type else column


def as_written(columns: Sequence[pa.Array], schema: pa.Schema) -> pa.RecordBatch:
    """Return columns that DuckDB made with the types that they have in the table."""
    cells = [cast_to(column, f.type) for column, f in zip(columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(cells, schema=schema)


def cast_to(column: pa.Array, type_: pa.DataType) -> pa.Array:
    """Return a column as another type; what has no cast goes by whole numbers."""
    if column.type == type_:
        return column
    if pa.types.is_duration(type_):
        return column.cast(pa.int64()).cast(type_)
    return column.cast(type_)


def _plain(type_: pa.DataType) -> pa.DataType:
    return type_.value_type if pa.types.is_dictionary(type_) else type_
