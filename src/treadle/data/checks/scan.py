"""One DuckDB query that looks at every row once and says which claims it breaks.

Each claim is a condition on a row and a bit of the row's mask. Rows are grouped by their masks: the
groups' sizes are the counts, and the five earliest rows of a group come with it, so that nothing is
read twice. Sound data has few masks. Where so many differ that the groups outgrow the memory, each
claim is counted for itself, which takes longer and no more memory.
"""

from __future__ import annotations

import heapq
import re
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.data.column_types import as_shown, kind_of, plain
from treadle.data.engine import MEMORY, engine
from treadle.data.entities import MAX_EXAMPLES
from treadle.data.parquet import decode_table, written_schema
from treadle.data.tables.files import ParquetFiles
from treadle.kernel.late import duckdb, np, pa, pc, pq

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from duckdb import DuckDBPyConnection

    from treadle.data.contracts import ColumnType
    from treadle.data.tables.files import AnyTable

MOST_MASKS = 10_000
"""More kinds of row than this are not brought back with their examples."""
STREAMED = 1 << 16
MOST_CONDITIONS = 600
"""With more conditions than this one query takes longer to plan than several."""
_BITS = 60
_PLACE = re.compile(r"\$(\d+)")


class Condition(NamedTuple):
    """What rows break: an SQL condition over the columns, and what is shown of such a row."""

    sql: str
    shown: tuple[str, ...] = ()


class Broken(NamedTuple):
    """How many rows break a condition, and the first of them."""

    found: int
    rows: tuple[dict[str, Any], ...]


class Scanned(NamedTuple):
    """What a scan found: rows, what breaks each condition, and each figure asked for."""

    rows: int
    broken: tuple[Broken, ...]
    figures: tuple[Any, ...]


class Figure(NamedTuple):
    """A number over all rows: `sum`, `min` or `max` of an SQL expression."""

    verb: str
    sql: str


class Rows:
    """A table that DuckDB reads: Parquet files out of core, or an Arrow table where it is.

    Columns are asked for by name and stand in SQL as `c0`, `c1`, …; `row` counts from 0.
    """

    def __init__(self, table: AnyTable, *, connection: DuckDBPyConnection, name: str) -> None:
        self._table = table
        self._connection = connection
        self.schema = _plain_schema(table)
        self._places = {name: f"c{i}" for i, name in enumerate(self.schema.names)}
        named = ", ".join([*self._places.values(), "row"])
        if isinstance(table, pa.Table):
            connection.register(name, _readable(table))
            self.source = f"SELECT * FROM {name} AS s({named})"
        else:
            files = table if isinstance(table, ParquetFiles) else ParquetFiles.of((table,))
            self.source = _from_files(files, named=named, columns=list(self._places.values()))

    def __contains__(self, name: str) -> bool:
        return name in self._places

    def kind(self, name: str) -> ColumnType:
        """Return the kind of a column."""
        return kind_of(self.schema.field(name).type)

    def column(self, name: str) -> str:
        """Return a column in SQL; NaN is no value."""
        place = self._places[name]
        if pa.types.is_floating(self.schema.field(name).type):
            return _without_nan(place)
        return place

    def number(self, name: str) -> str:
        """Return a column as a double; a time counts in seconds."""
        if self.kind(name) in {"timestamp", "date"}:
            return f"({self.microseconds(name)} / 1e6)"
        number = f"CAST({self._places[name]} AS DOUBLE)"
        floats = pa.types.is_floating(self.schema.field(name).type)
        return _without_nan(number) if floats else number

    def microseconds(self, name: str) -> str:
        """Return a time as µs UTC; one without a zone counts as UTC."""
        type_, place = self.schema.field(name).type, self._places[name]
        zoned = pa.types.is_timestamp(type_) and type_.tz is not None
        return f"epoch_us({place})" if zoned else f"epoch_us(CAST({place} AS TIMESTAMP))"

    def query(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        """Ask the table, which the SQL calls `t`."""
        found: list[dict[str, Any]] = self.table(sql, values).to_pylist()
        return found

    def table(self, sql: str, values: Sequence[Any] = ()) -> pa.Table:
        """Ask the table for columns."""
        text = f"WITH t AS NOT MATERIALIZED ({self.source}) {sql}"
        return self._connection.sql(text, params=list(values)).to_arrow_table()

    def stream(self, sql: str, values: Sequence[Any] = ()) -> Iterator[pa.RecordBatch]:
        """Ask the table for more than memory may hold."""
        text = f"WITH t AS NOT MATERIALIZED ({self.source}) {sql}"
        reader = self._connection.sql(text, params=list(values)).to_arrow_reader(STREAMED)
        yield from reader

    @contextmanager
    def beside(self, name: str, table: pa.Table) -> Iterator[None]:
        """Have the SQL know another table by a name, as long as the block lasts."""
        self._connection.register(name, table)
        try:
            yield
        finally:
            self._connection.unregister(name)

    def arrow(self, *names: str) -> pa.Table:
        """Return some columns as they are, in the order of their rows."""
        if isinstance(self._table, pa.Table):
            return self._table.select([self.schema.get_field_index(n) for n in names])
        paths = self._table.paths if isinstance(self._table, ParquetFiles) else (self._table,)
        return pa.concat_tables(decode_table(path, columns=names) for path in paths)

    def cells(self, names: Sequence[str]) -> str:
        """Return a row's number and some of its columns as one value in SQL."""
        parts = [
            "r := row",
            *(f"{self._places[n]} := {self._cell(n)}" for n in dict.fromkeys(names)),
        ]
        return f"struct_pack({', '.join(parts)})"

    def shown(self, cells: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
        """Return what `cells` brought as an example."""
        return {
            "row": cells["r"],
            **{n: as_shown(cells[self._places[n]]) for n in dict.fromkeys(names)},
        }

    def _cell(self, name: str) -> str:
        type_, place = self.schema.field(name).type, self._places[name]
        if pa.types.is_timestamp(type_) and type_.tz is None:
            return f"CAST({place} AS TIMESTAMP)"  # Python has no nanoseconds
        simple = kind_of(type_) in {"integer", "number", "boolean", "text", "timestamp", "date"}
        return place if simple or _is_binary(type_) else f"CAST({place} AS VARCHAR)"


@contextmanager
def rows_of(
    table: AnyTable, *, others: Mapping[str, AnyTable], memory: str = MEMORY
) -> Iterator[tuple[Rows, dict[str, Rows]]]:
    """Open a table, and others beside it, for one thread."""
    with engine(memory=memory) as connection:
        rows = Rows(table, connection=connection, name="table0")
        named = enumerate(others.items(), start=1)
        yield (
            rows,
            {
                ref: Rows(other, connection=connection, name=f"table{place}")
                for place, (ref, other) in named
            },
        )


def scan_rows(
    rows: Rows, conditions: Sequence[Condition], *, figures: Sequence[Figure], values: Sequence[Any]
) -> Scanned:
    """Look at every row once; once for each MOST_CONDITIONS of very many."""
    if len(conditions) > MOST_CONDITIONS:
        return _in_turns(rows, conditions, figures=figures, values=values)
    names = [n for c in conditions for n in c.shown]
    try:
        groups = rows.query(_by_mask(rows.cells(names), conditions, figures), values)
    except duckdb.OutOfMemoryException:
        groups = []
    if not groups or len(groups) > MOST_MASKS:
        return _one_by_one(rows, conditions, figures=figures, values=values)
    return Scanned(
        rows=sum(g["n"] for g in groups),
        broken=tuple(_broken(rows, c, place, groups) for place, c in enumerate(conditions)),
        figures=tuple(_together(f, [g[f"f{i}"] for g in groups]) for i, f in enumerate(figures)),
    )


def _in_turns(
    rows: Rows, conditions: Sequence[Condition], *, figures: Sequence[Figure], values: Sequence[Any]
) -> Scanned:
    found: list[Scanned] = []
    for start in range(0, len(conditions), MOST_CONDITIONS):
        some = conditions[start : start + MOST_CONDITIONS]
        some = [Condition(in_place(c.sql, values), c.shown) for c in some]
        asked = [] if found else [Figure(f.verb, in_place(f.sql, values)) for f in figures]
        found.append(scan_rows(rows, some, figures=asked, values=()))
    broken = tuple(broken for part in found for broken in part.broken)
    return Scanned(found[0].rows, broken, found[0].figures)


def in_place(sql: str, values: Sequence[object]) -> str:
    """Put values in place: DuckDB refuses those that only other conditions name."""
    return _PLACE.sub(lambda place: quoted(str(values[int(place[1]) - 1])), sql)


def quoted(text: str) -> str:
    """Return a text as SQL has it."""
    return "'" + text.replace("'", "''") + "'"


def _by_mask(cells: str, conditions: Sequence[Condition], figures: Sequence[Figure]) -> str:
    words = range((len(conditions) + _BITS - 1) // _BITS or 1)
    masks = [_mask(conditions[w * _BITS : (w + 1) * _BITS]) for w in words]
    keys = ", ".join(f"m{w}" for w in words)
    unbroken = " AND ".join(f"m{w} = 0" for w in words)
    asked = "".join(f", {f.verb}(x{i}) AS f{i}" for i, f in enumerate(figures))
    given = "".join(f", {f.sql} AS x{i}" for i, f in enumerate(figures))
    return (
        f"SELECT {keys}, count(*) AS n, "
        f"arg_min(cells, row, {MAX_EXAMPLES}) FILTER (NOT ({unbroken})) AS rows{asked} "
        f"FROM (SELECT row, {cells} AS cells{given}, "
        f"{', '.join(f'{mask} AS m{w}' for w, mask in enumerate(masks))} FROM t) "
        f"GROUP BY {keys} LIMIT {MOST_MASKS + 1}"
    )


def _mask(conditions: Sequence[Condition]) -> str:
    bits = [
        f"(CASE WHEN {c.sql} THEN {1 << i} ELSE 0 END)::BIGINT" for i, c in enumerate(conditions)
    ]
    return " + ".join(bits) or "0::BIGINT"


def _broken(rows: Rows, condition: Condition, place: int, groups: list[dict[str, Any]]) -> Broken:
    word, bit = f"m{place // _BITS}", 1 << place % _BITS
    hit = [g for g in groups if g[word] & bit]
    first = heapq.nsmallest(MAX_EXAMPLES, (r for g in hit for r in g["rows"]), key=lambda r: r["r"])
    return Broken(sum(g["n"] for g in hit), tuple(rows.shown(r, condition.shown) for r in first))


def _together(figure: Figure, parts: list[Any]) -> Any:
    known = [p for p in parts if p is not None]
    if figure.verb == "sum":
        return sum(known)
    return None if not known else min(known) if figure.verb == "min" else max(known)


def _one_by_one(
    rows: Rows, conditions: Sequence[Condition], *, figures: Sequence[Figure], values: Sequence[Any]
) -> Scanned:
    asked = ["count(*) AS n", *(f"{f.verb}({f.sql}) AS f{i}" for i, f in enumerate(figures))]
    for i, c in enumerate(conditions):
        asked += [
            f"count(*) FILTER ({c.sql}) AS n{i}",
            f"arg_min({rows.cells(c.shown)}, row, {MAX_EXAMPLES}) FILTER ({c.sql}) AS rows{i}",
        ]
    (found,) = rows.query(f"SELECT {', '.join(asked)} FROM t", values)
    return Scanned(
        rows=found["n"],
        broken=tuple(
            Broken(found[f"n{i}"], tuple(rows.shown(r, c.shown) for r in found[f"rows{i}"] or ()))
            for i, c in enumerate(conditions)
        ),
        figures=tuple(_together(f, [found[f"f{i}"]]) for i, f in enumerate(figures)),
    )


def _without_nan(number: str) -> str:
    return f"(CASE WHEN isnan({number}) THEN NULL ELSE {number} END)"


def _from_files(files: ParquetFiles, *, named: str, columns: Sequence[str]) -> str:
    paths = ", ".join(quoted(str(path)) for path in files.paths)
    listed = f"read_parquet([{paths}], file_row_number = true)"
    if len(files.paths) == 1:
        return f"SELECT * FROM {listed} AS s({named})"
    # Rows are numbered by file; `starts` makes one count of them.
    starts = f"[{', '.join(str(start) for start in files.starts)}]"
    numbered = f"row + {starts}[CAST(file_index AS BIGINT) + 1] AS row"
    return (
        f"SELECT {', '.join(columns)}, {numbered} "
        f"FROM (SELECT *, file_index FROM {listed}) AS s({named}, file_index)"
    )


def _plain_schema(table: AnyTable) -> pa.Schema:
    """Return the schema without dictionaries: a Parquet file's as it was written."""
    if isinstance(table, pa.Table):
        schema = table.schema
    else:
        path = table.paths[0] if isinstance(table, ParquetFiles) else table
        with pq.ParquetFile(path) as file:
            schema = written_schema(file) or file.schema_arrow
    types = [f.type.value_type if pa.types.is_dictionary(f.type) else f.type for f in schema]
    return pa.schema(list(zip(schema.names, types, strict=True)))


def _readable(table: pa.Table) -> pa.Table:
    """Return a table with columns that DuckDB takes, named by place, and their rows' numbers."""
    columns = [_taken(plain(column)) for column in table.columns]
    number = pa.array(np.arange(table.num_rows, dtype=np.int64))
    return pa.table([*columns, number], names=[*(f"c{i}" for i in range(len(columns))), "row"])


def _taken(column: pa.ChunkedArray) -> pa.ChunkedArray:
    type_ = column.type
    if pa.types.is_date64(type_):
        return pc.cast(column, pa.date32())
    if pa.types.is_float16(type_):
        return pc.cast(column, pa.float32())
    if pa.types.is_decimal256(type_):
        return pc.cast(column, pa.float64())
    if _is_binary(type_):
        return pc.cast(column, pa.binary())
    if kind_of(type_) in {"time", "duration", "other"}:
        # Only that there is a value matters here, and how it is shown.
        try:
            return pc.cast(column, pa.string())
        except pa.ArrowNotImplementedError:
            return pc.if_else(pc.is_null(column), None, str(type_))
    return column


def _is_binary(type_: pa.DataType) -> bool:
    return bool(
        pa.types.is_binary(type_)
        or pa.types.is_large_binary(type_)
        or pa.types.is_fixed_size_binary(type_)
    )
