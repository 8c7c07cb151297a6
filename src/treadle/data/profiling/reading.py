"""A table as DuckDB streams it to a profile: few columns of plain types, some rows at a time.

Numbers come as they are or as doubles, times as µs UTC, texts as texts; of what is not profiled
comes only whether it is null. With each row comes a hash of all its columns.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from treadle.data.column_types import kind_of, plain
from treadle.data.engine import engine
from treadle.data.parquet import written_schema
from treadle.kernel.late import pa, pc, pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path
    from typing import TypeAlias

    from duckdb import DuckDBPyConnection

    from treadle.analysis.profiles import Kind

    Source: TypeAlias = pa.Table | Sequence[Path]

MEMORY = "512MB"
"""What DuckDB may hold of a table; the rest waits in temporary files."""
BATCH_BYTES = 32 << 20
_FEWEST, _MOST = 2_048, 131_072
"""Rows of a batch."""
_US: dict[str, str] = {"s": "* 1000000", "ms": "* 1000", "us": "", "ns": "// 1000"}


class Streamed(NamedTuple):
    """A column: its name, its type as the table has it, its kind, and how SQL brings it."""

    name: str
    type: pa.DataType
    kind: Kind
    sql: str


class Reading:
    """One table that DuckDB reads: Parquet files out of core, or an Arrow table where it is."""

    def __init__(
        self, source: Source, connection: DuckDBPyConnection, names: Sequence[str] | None
    ) -> None:
        self._connection = connection
        schema, self.rows, row_bytes = _measured(source)
        is_arrow = isinstance(source, pa.Table)
        if isinstance(source, pa.Table):
            if len(schema):  # DuckDB takes no table without columns
                connection.register("given", _readable(source))
            found = "given"
        else:
            files = ", ".join(_quoted(str(path)) for path in source)
            found = f"read_parquet([{files}])"
        places = [f"c{i}" for i in range(len(schema))]
        self._source = f"(SELECT * FROM {found} AS s({', '.join(places)}))"
        wanted = set(schema.names if names is None else names)
        self.columns = tuple(
            _streamed(field, place, is_arrow=is_arrow)
            for field, place in zip(schema, places, strict=True)
            if field.name in wanted
        )
        self._hashed = ", ".join(places)
        self._batch = int(min(_MOST, max(_FEWEST, BATCH_BYTES // max(1, row_bytes))))

    def batches(self, columns: Sequence[Streamed], *, hashes: bool) -> Iterator[pa.RecordBatch]:
        """Give these columns as `v0`, `v1`, …, and `h`, the hash of the whole row."""
        asked = [f"{c.sql} AS v{i}" for i, c in enumerate(columns)]
        asked += [f"hash({self._hashed}) AS h"] if hashes else []
        if columns and self.rows:
            text = f"SELECT {', '.join(asked)} FROM {self._source}"
            yield from self._connection.sql(text).to_arrow_reader(self._batch)

    def ends(self, column: Streamed) -> tuple[int, int] | None:
        """Return the first and the last instant of a column of times."""
        text = f"SELECT min({column.sql}), max({column.sql}) FROM {self._source}"
        ((low, high),) = self._connection.sql(text).fetchall()
        return None if low is None else (int(low), int(high))

    def texts(self, column: Streamed, *, top: int, looked: int) -> Texts:
        """Count the texts of a column with too many of them to be counted in memory."""
        ask = self._connection.sql
        self._connection.execute(
            f"CREATE OR REPLACE TEMP TABLE counted AS SELECT {column.sql} AS v, count(*) AS n "
            f"FROM {self._source} WHERE {column.sql} IS NOT NULL GROUP BY v"
        )
        ((distinct, once, low, high),) = ask(
            "SELECT count(*), count(*) FILTER (n = 1), min(v), max(v) FROM counted"
        ).fetchall()
        most = ask(f"SELECT v, n FROM counted ORDER BY n DESC, v LIMIT {top}").fetchall()
        some = ask(f"SELECT v FROM counted ORDER BY hash(v), v LIMIT {looked}").fetchall()
        self._connection.execute("DROP TABLE counted")
        return Texts(distinct, once, (low, high), dict(most), tuple(v for (v,) in some))


class Texts(NamedTuple):
    """What was found of many texts: counts of the most frequent, and some at random."""

    distinct: int
    once: int
    ends: tuple[str, str]
    top: dict[str, int]
    some: tuple[str, ...]


@contextmanager
def opened(source: Source, *, names: Sequence[str] | None = None) -> Iterator[Reading]:
    """Open a table, or some columns of it, for one thread."""
    with engine(memory=MEMORY) as connection:
        yield Reading(source, connection, names)


def profiled_kind(type_: pa.DataType) -> Kind:
    """Return as what a type is profiled; a text may turn out to be a category."""
    kind = kind_of(type_)
    if kind in {"integer", "number"}:
        return "number"
    if kind in {"timestamp", "date", "time", "duration"}:
        return "time"
    if kind == "text" or pa.types.is_null(type_):
        return "category"
    return "bool" if kind == "boolean" else "other"


def _streamed(field: pa.Field, place: str, *, is_arrow: bool) -> Streamed:
    type_ = field.type.value_type if pa.types.is_dictionary(field.type) else field.type
    kind = profiled_kind(field.type)
    sql = place
    if kind == "other":
        sql = f"{place} IS NULL"
    elif kind == "number" and not pa.types.is_integer(type_):
        sql = f"CAST({place} AS DOUBLE)"
    elif kind == "time":
        sql = _microseconds(type_, place, is_arrow=is_arrow)
    elif pa.types.is_null(type_):
        sql = f"CAST({place} AS VARCHAR)"
    return Streamed(field.name, field.type, kind, sql)


def _microseconds(type_: pa.DataType, place: str, *, is_arrow: bool) -> str:
    if pa.types.is_timestamp(type_):
        return f"epoch_us({place})" if type_.tz else f"epoch_us(CAST({place} AS TIMESTAMP))"
    if pa.types.is_date(type_):
        return f"epoch_us(CAST({place} AS TIMESTAMP))"
    if is_arrow:
        return place  # made whole numbers already
    if pa.types.is_duration(type_):
        return f"CAST({place} AS BIGINT) {_US[type_.unit]}"  # Parquet has no durations
    return f"epoch_us({place})"


def _measured(source: Source) -> tuple[pa.Schema, int, int]:
    """Return the schema, the rows, and about how many bytes a row has."""
    if isinstance(source, pa.Table):
        return source.schema, source.num_rows, source.nbytes // max(1, source.num_rows)
    schema, rows, size = None, 0, 0
    for path in source:
        with pq.ParquetFile(path) as file:
            schema = schema or written_schema(file) or file.schema_arrow
            rows += file.metadata.num_rows
            groups = range(file.metadata.num_row_groups)
            size += sum(file.metadata.row_group(i).total_byte_size for i in groups)
    return schema or pa.schema([]), rows, size // max(1, rows)


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _readable(table: pa.Table) -> pa.Table:
    """Return a table with columns that DuckDB takes, named by place."""
    columns = [_taken(plain(column)) for column in table.columns]
    return pa.table(columns, names=[f"c{i}" for i in range(len(columns))])


def _taken(column: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = column.type
    if pa.types.is_date64(type_):
        return pc.cast(column, pa.date32())
    if pa.types.is_time(type_):
        return pc.cast(pc.cast(column, pa.time64("us"), safe=False), pa.int64())
    if pa.types.is_duration(type_):
        return pc.cast(pc.cast(column, pa.duration("us"), safe=False), pa.int64())
    if pa.types.is_float16(type_):
        return pc.cast(column, pa.float32())
    if pa.types.is_decimal256(type_):
        return pc.cast(column, pa.float64())
    if pa.types.is_string_view(type_) or pa.types.is_null(type_):
        return pc.cast(column, pa.string())
    known = kind_of(type_) != "other" or pa.types.is_nested(type_) or pa.types.is_binary(type_)
    if known and not _has_inner(type_, pa.types.is_dictionary):
        return column
    # Only that there is a value matters, and whether rows are equal.
    try:
        return pc.cast(column, pa.string())
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid):
        return pa.chunked_array(
            [pa.array([None if v is None else str(v) for v in column.to_pylist()], pa.string())]
        )


def _has_inner(type_: pa.DataType, test: object) -> bool:
    return any(test(type_.field(i).type) for i in range(type_.num_fields))  # type: ignore[operator]
