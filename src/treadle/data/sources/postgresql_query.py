"""Queries of PostgreSQL: a cursor on the server, in a read-only transaction of one snapshot."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from treadle.data.sources.answers import (
    ROWS_PER_BATCH,
    Answer,
    batches_of,
    counted,
    quoted,
    require_columns,
)
from treadle.data.sources.secrets import bare, scrubbed
from treadle.kernel.errors import InvalidInput, MissingExtra, Unavailable
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from psycopg import Column, Connection

    from treadle.data.sources.ports import Above

CONNECT_LIMIT_S = 15
# By the oid that PostgreSQL gives its own types; it never changes.
_TYPES: dict[int, str] = {
    16: "bool",
    17: "binary",
    20: "int64",
    21: "int16",
    23: "int32",
    25: "string",
    700: "float32",
    701: "float64",
    1042: "string",
    1043: "string",
    1082: "date32",
    1083: "time64[us]",
    1114: "timestamp[us]",
    1184: "timestamp[us, tz=UTC]",
}
_LISTS: dict[int, int] = {
    1000: 16, 1001: 17, 1005: 21, 1007: 23, 1009: 25, 1014: 1042, 1015: 1043, 1016: 20,
    1021: 700, 1022: 701, 1115: 1114, 1182: 1082, 1183: 1083, 1185: 1184,
}  # fmt: skip
_NUMERIC, _NUMERICS, _OID = 1700, 1231, 26
_MAX_DIGITS = 76


@contextmanager
def rows(url: str, query: str, *, above: Above | None) -> Iterator[Answer]:
    """Run a query; nothing it could write would be kept, and it is not allowed to."""
    with _explained(url), _connected(url) as connection:
        asked = f"({query}\n) AS asked"
        columns = _described(connection, asked)
        require_once([column.name for column in columns])
        where, values, older = "", None, None
        if above is not None:
            require_columns([c.name for c in columns], (above.column, *above.key))
            column, values = quoted(above.column), [above.value]
            asked = asked.replace("%", "%%")  # with values, psycopg reads the text for places
            older = _older(connection, above, column=column, asked=asked)
            where = f" WHERE {column} > %s OR {column} IS NULL"
        fields, wanted = zip(*(_read_as(column) for column in columns), strict=True)
        if values is not None:
            wanted = tuple(text.replace("%", "%%") for text in wanted)
        with connection.cursor(name="treadle", binary=True) as cursor:
            cursor.execute(f"SELECT {', '.join(wanted)} FROM {asked}{where}", values)  # noqa: S608 - columns are quoted, values bound
            lots = iter(lambda: cursor.fetchmany(ROWS_PER_BATCH), [])
            schema = pa.schema(fields)
            batches = _raised(batches_of(lots, schema), url)
            yield Answer(pa.RecordBatchReader.from_batches(schema, batches), older)


def require_once(names: list[str]) -> None:
    """Raise InvalidInput when two columns of a query have one name."""
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(
            f"The query has the column {twice[0]!r} {names.count(twice[0])} times.",
            hint="Give each a name of its own with AS.",
        )


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    psycopg = _driver()
    address = "postgresql://" + url.partition("://")[2]
    try:
        connection = psycopg.connect(address, **_limit(address))
    except psycopg.Error as error:
        raise Unavailable(
            f"{bare(url)} cannot be reached: {_told(error, url)}.",
            hint="Is it up, and are user and password right?",
        ) from error
    with connection:
        connection.read_only = True
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("SET LOCAL TIME ZONE 'UTC'")
        yield connection
        connection.rollback()


def _limit(address: str) -> dict[str, Any]:
    return {} if "connect_timeout" in address else {"connect_timeout": CONNECT_LIMIT_S}


def _described(connection: Connection, asked: str) -> list[Column]:
    # As a bound statement it can be one only: nothing can hide behind a semicolon.
    cursor = connection.execute(f"SELECT * FROM {asked} LIMIT 0", binary=True)  # noqa: S608 - the query is the user's
    return list(cursor.description or ())


def _older(connection: Connection, above: Above, *, column: str, asked: str) -> int:
    counting = counted(above.key, where=f"{column} <= %s", asked=asked)
    row = connection.execute(counting, [above.value]).fetchone()
    return int(row[0]) if row else 0


def _type(oid: int) -> pa.DataType:
    zoned = _TYPES[oid] == "timestamp[us, tz=UTC]"
    return pa.timestamp("us", "UTC") if zoned else pa.type_for_alias(_TYPES[oid])


def _read_as(column: Column) -> tuple[pa.Field, str]:
    """Return a column's type here, and how it is asked for."""
    name, oid = quoted(column.name), column.type_code
    if oid in _TYPES:
        return pa.field(column.name, _type(oid)), name
    if oid in _LISTS:
        return pa.field(column.name, pa.list_(_type(_LISTS[oid]))), name
    if oid == _OID:
        return pa.field(column.name, pa.int64()), f"{name}::int8 AS {name}"
    if oid in {_NUMERIC, _NUMERICS}:
        return _number(column, is_list=oid == _NUMERICS)
    # JSON, UUID, enumerations, ranges, addresses, … as PostgreSQL writes them.
    if is_list_type(column):
        return pa.field(column.name, pa.list_(pa.string())), f"{name}::text[] AS {name}"
    return pa.field(column.name, pa.string()), f"{name}::text AS {name}"


def is_list_type(column: Column) -> bool:
    """Say whether a column of another type is an array of it, as its name tells."""
    return column.type_display.endswith("[]")


def _number(column: Column, *, is_list: bool) -> tuple[pa.Field, str]:
    name, digits, scale = quoted(column.name), column.precision, column.scale
    kind: pa.DataType = pa.float64()
    if digits and scale is not None and 0 <= scale <= digits <= _MAX_DIGITS:
        kind = pa.decimal128(digits, scale) if digits <= 38 else pa.decimal256(digits, scale)  # noqa: PLR2004 - as many as 128 bits hold
        wanted = name
    else:
        wanted = f"{name}::float8{'[]' if is_list else ''} AS {name}"
    return pa.field(column.name, pa.list_(kind) if is_list else kind), wanted


def _raised(batches: Iterator[pa.RecordBatch], url: str) -> Iterator[pa.RecordBatch]:
    with _explained(url):
        yield from batches


@contextmanager
def _explained(url: str) -> Iterator[None]:
    psycopg = _driver()
    try:
        yield
    except psycopg.OperationalError as error:
        raise Unavailable(f"{bare(url)} went away: {_told(error, url)}.") from error
    except psycopg.Error as error:
        raise InvalidInput(
            f"PostgreSQL does not take the query: {_told(error, url)}.", hint=_advice(error)
        ) from error


def _told(error: Any, url: str) -> str:
    text = (error.diag.message_primary if error.diag else "") or str(error)
    return scrubbed(text.strip().partition("\n")[0].rstrip("."), url=url)


def _advice(error: Any) -> str:
    hint = error.diag.message_hint or ""
    return hint.strip()


def _driver() -> Any:
    try:
        import psycopg  # noqa: PLC0415 - an optional extra
    except ModuleNotFoundError as missing:
        raise MissingExtra("psycopg", extra="postgres") from missing
    return psycopg
