"""Queries of a DuckDB file, or of files that DuckDB reads (`duckdb://` alone)."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from treadle.data.engine import make_plain
from treadle.data.sources.answers import (
    ROWS_PER_BATCH,
    Answer,
    counted,
    quoted,
    require_columns,
)
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable
from treadle.kernel.late import duckdb

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow as pa

    from treadle.data.sources.ports import Above


@contextmanager
def rows(url: str, query: str, *, above: Above | None) -> Iterator[Answer]:
    """Run a query on a file that is opened read-only."""
    where_file = unquote(url.partition("://")[2].partition("?")[0]).removeprefix("/")
    with closing(_open(where_file)) as connection, _explained(where_file):
        _require_select(connection, query)
        asked = f"({query}\n) AS asked"
        names = [c[0] for c in connection.execute(f"SELECT * FROM {asked} LIMIT 0").description]  # noqa: S608 - the query is the user's
        where, values, older = "", [], None
        if above is not None:
            require_columns(names, (above.column, *above.key))
            column, values = quoted(above.column), [above.value]
            counting = counted(above.key, where=f"{column} <= ?", asked=asked)
            older = connection.execute(counting, values).fetchall()[0][0]
            where = f" WHERE {column} > ? OR {column} IS NULL"
        relation = connection.sql(f"SELECT * FROM {asked}{where}", params=values)  # noqa: S608 - columns are quoted, values bound
        batches = relation.to_arrow_reader(ROWS_PER_BATCH)
        try:
            yield Answer(_raised(batches, where_file), older)
        finally:
            batches.close()  # a connection with a stream still open would wait for it for ever


def _open(where: str) -> duckdb.DuckDBPyConnection:
    path = Path(where).expanduser()
    if where and not path.is_file() and Path("/", path).is_file():
        path = Path("/", path)
    if where and not path.is_file():
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFound(
            "file", path.name, known=beside, hint="" if beside else f"In {path.parent} is nothing."
        )
    try:
        connection = duckdb.connect(str(path) if where else ":memory:", read_only=bool(where))
    except duckdb.Error as error:
        raise Unavailable(f"Cannot open {where}: {_first_line(error)}.") from error
    make_plain(connection)
    return connection


def _require_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
        raise InvalidInput("The query is not one SELECT.", hint="Only reading is allowed here.")


@contextmanager
def _explained(where: str) -> Iterator[None]:
    try:
        yield
    except duckdb.Error as error:
        name = Path(where).name or "DuckDB"
        raise InvalidInput(f"{name} does not take the query: {_first_line(error)}.") from error


def _raised(batches: pa.RecordBatchReader, where: str) -> pa.RecordBatchReader:
    def explained() -> Iterator[pa.RecordBatch]:
        with _explained(where):
            try:
                yield from batches
            except OSError as error:  # Arrow's C stream knows no other kind
                raise InvalidInput(f"The query failed: {_first_line(error)}.") from error

    return type(batches).from_batches(batches.schema, explained())


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0].rstrip(".")
