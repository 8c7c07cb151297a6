"""Queries of a SQLite file. Values have types there, columns do not: all are looked at first."""

from __future__ import annotations

import sqlite3
from contextlib import closing, contextmanager
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

from treadle.data.sources.answers import (
    ROWS_PER_BATCH,
    Answer,
    batches_of,
    counted,
    quoted,
    require_columns,
)
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable
from treadle.kernel.late import pa, pc

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treadle.data.sources.ports import Above

KINDS = ("integer", "real", "text", "blob")
# What a declared type promises of texts and integers, checked on all of them before it is believed.
_DATE = "____-__-__"
_TIME = "____-__-__[ T]__:__*".replace("_", "[0-9]")
_ZONED = ("*Z", "*[+-][0-9][0-9]:[0-9][0-9]")
# A text's instant is known to SQLite to a millisecond: ask for a little more.
_SLACK_DAYS = 1 / 86_400


@contextmanager
def rows(url: str, query: str, *, above: Above | None) -> Iterator[Answer]:
    """Run a query read-only, in one transaction."""
    path = file_of(url)
    with _open(path) as connection, _explained(path):
        # A view can only be a SELECT; and it knows the declared types of a table's columns.
        connection.execute(f"CREATE TEMP VIEW asked AS {query}")
        connection.execute("PRAGMA query_only = ON")
        fields = _fields(connection)
        names = [field.name for field in fields]
        where, values, older = "", (), None
        if above is not None:
            require_columns(names, (above.column, *above.key))
            column = quoted(above.column)
            kept, values = _condition(column, above.value)
            counting = counted(above.key, where=f"NOT ({kept})", asked="asked")
            older = connection.execute(counting, values).fetchone()[0]
            where = f" WHERE {kept} OR {column} IS NULL"
        cursor = connection.execute(f"SELECT * FROM asked{where}", values)  # noqa: S608 - columns are quoted, values bound
        lots = iter(lambda: cursor.fetchmany(ROWS_PER_BATCH), [])
        schema = pa.schema(fields)
        raw = pa.schema([pa.field(f.name, _as_stored(f.type)) for f in fields])
        batches = (_typed(batch, schema) for batch in _raised(batches_of(lots, raw), path))
        yield Answer(pa.RecordBatchReader.from_batches(schema, batches), older)


def file_of(url: str) -> Path:
    """Return the file of `sqlite:///relative`, `sqlite:////absolute` (as SQLAlchemy writes it)."""
    rest = url.partition("://")[2].partition("?")[0]
    path = Path(unquote(rest.removeprefix("/"))).expanduser()
    if not rest.removeprefix("/"):
        raise InvalidInput(f"{url!r} names no file.", hint="Write sqlite:///FILE.")
    if not path.is_file():
        absolute = Path("/", path)
        if absolute.is_file():  # `sqlite:///tmp/x.db`, where one more slash was meant
            return absolute
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFound(
            "file", path.name, known=beside, hint="" if beside else f"In {path.parent} is nothing."
        )
    return path


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    address = f"file:{quote(str(path.resolve()))}?mode=ro"
    try:
        connection = sqlite3.connect(address, uri=True, isolation_level=None)
    except sqlite3.Error as error:
        raise Unavailable(f"Cannot open {path}: {error}.") from error
    with closing(connection):
        with _explained(path):
            connection.execute("BEGIN")
        yield connection


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, sqlite3.Warning) as error:
        raise _error(error, path) from error


def _error(error: Exception, path: Path) -> Exception:
    text = str(error)
    if "locked" in text or "unable to open" in text:
        return Unavailable(f"Cannot read {path}: {text}.", hint="Does somebody write to it?")
    return InvalidInput(f"{path.name} does not take the query: {text}.")


def _raised(batches: Iterator[pa.RecordBatch], path: Path) -> Iterator[pa.RecordBatch]:
    with _explained(path):
        yield from batches


def _fields(connection: sqlite3.Connection) -> list[pa.Field]:
    declared = [(row[1], row[2].upper()) for row in connection.execute("PRAGMA table_info(asked)")]
    fields = []
    # A few columns at a time: a SELECT of SQLite has at most 2,000 results.
    for first in range(0, len(declared), 100):
        lot = declared[first : first + 100]
        asked = ", ".join(part for name, _ in lot for part in _looked_at(quoted(name)))
        seen = connection.execute(f"SELECT {asked} FROM asked").fetchone()  # noqa: S608 - columns are quoted
        width = len(_looked_at(""))
        for place, (name, kind) in enumerate(lot):
            counts = seen[place * width : (place + 1) * width]
            fields.append(pa.field(name, _type(name, kind, [int(c or 0) for c in counts])))
    return fields


def _looked_at(column: str) -> list[str]:
    kinds = [f"total(typeof({column}) = '{kind}')" for kind in KINDS]
    zoned = " OR ".join(f"{column} GLOB '{pattern}'" for pattern in _ZONED)
    dates = _DATE.replace("_", "[0-9]")
    return [
        *kinds,
        f"total({column} IN (0, 1))",
        f"total({column} GLOB '{dates}')",
        f"total({column} GLOB '{_TIME}')",
        f"total({column} GLOB '{_TIME}' AND ({zoned}))",
    ]


def _type(name: str, declared: str, counts: Sequence[int]) -> pa.DataType:
    integers, reals, texts, blobs, truths, dates, times, zoned = counts
    numbers = integers + reals
    if bool(numbers) + bool(texts) + bool(blobs) > 1:
        told = {"numbers": numbers, "texts": texts, "blobs": blobs}
        mixed = " and ".join(f"{count:,} {what}" for what, count in told.items() if count)
        raise InvalidInput(
            f"Column {name!r} holds {mixed}.",
            hint=f"Cast it in the query: CAST({name} AS TEXT) AS {name}.",
        )
    if numbers:
        is_truth = declared.startswith("BOOL") and not reals and truths == integers
        if is_truth:
            return pa.bool_()
        return pa.float64() if reals or _declared(declared) == pa.float64() else pa.int64()
    if blobs:
        return pa.binary()
    if texts and declared == "DATE" and dates == texts:
        return pa.date32()
    is_time = declared.startswith(("DATETIME", "TIMESTAMP")) and times == texts
    if texts and is_time and zoned in {0, texts}:
        return pa.timestamp("us", "UTC" if zoned else None)
    return pa.string() if texts else _declared(declared)


def _declared(kind: str) -> pa.DataType:
    """Return the type of a column without a single value, by SQLite's own rules of affinity."""
    if "INT" in kind:
        return pa.int64()
    if any(part in kind for part in ("REAL", "FLOA", "DOUB", "DEC", "NUM")):
        return pa.float64()
    if any(part in kind for part in ("CHAR", "CLOB", "TEXT")):
        return pa.string()
    return pa.null()


def _as_stored(kind: pa.DataType) -> pa.DataType:
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        return pa.string()
    return pa.int64() if pa.types.is_boolean(kind) else kind


def _typed(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = []
    for column, field in zip(batch.columns, schema, strict=True):
        try:
            columns.append(column if column.type == field.type else pc.cast(column, field.type))
        except pa.ArrowInvalid as error:
            raise InvalidInput(
                f"Column {field.name!r} does not fit {field.type}: {error}.",
                hint=f"Keep it as text: CAST({field.name} AS TEXT) AS {field.name}.",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _condition(column: str, value: Any) -> tuple[str, tuple[Any, ...]]:
    """Return what keeps every row above a value, and perhaps a few that are not."""
    if isinstance(value, datetime):
        moment = value.isoformat(sep=" ")
        return f"julianday({column}) > julianday(?) - {_SLACK_DAYS}", (moment,)
    if isinstance(value, date):
        return f"{column} > ?", (value.isoformat(),)
    if isinstance(value, (int, float, str)):
        return f"{column} > ?", (value,)
    return f"{column} > ?", (float(value),)
