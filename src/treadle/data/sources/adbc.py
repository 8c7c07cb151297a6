"""Queries of anything that has an ADBC driver: `adbc+sqlite:///x.db`, `adbc+flightsql:grpc://…`."""

from __future__ import annotations

import importlib
import importlib.util
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from treadle.data.sources.answers import Answer
from treadle.data.sources.secrets import bare, scrubbed
from treadle.data.sources.sqlite_query import file_of
from treadle.kernel.errors import InvalidInput, MissingExtra, Unavailable
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.sources.ports import Above

PREFIX = "adbc+"


@contextmanager
def rows(url: str, query: str, *, above: Above | None) -> Iterator[Answer]:
    """Run a query; what it would write is rolled back.

    Drivers differ in how values are bound, so every row comes, whatever it should be above.
    """
    del above
    with _connected(url) as connection, _explained(url), connection.cursor() as cursor:
        cursor.execute(query)
        batches = cursor.fetch_record_batch()
        yield Answer(pa.RecordBatchReader.from_batches(batches.schema, _raised(batches, url)))
        connection.rollback()


@contextmanager
def _connected(url: str) -> Iterator[Any]:
    name, _, where = url.removeprefix(PREFIX).partition(":")
    driver = _driver(name)
    try:
        connection = driver.connect(_address(name, where))
    except Exception as error:
        raise Unavailable(f"{bare(url)} cannot be reached: {_told(error, url)}.") from error
    with connection:
        yield connection


def _driver(name: str) -> Any:
    package = f"adbc-driver-{name}"
    if importlib.util.find_spec("adbc_driver_manager") is None:
        raise MissingExtra("adbc-driver-manager", extra="adbc")
    try:
        return importlib.import_module(f"{package.replace('-', '_')}.dbapi")
    except ModuleNotFoundError as missing:
        needed = MissingExtra(package, extra="adbc")
        needed.hint = f"Install it with: pip install 'treadle[adbc]' {package}"
        raise needed from missing


def _address(name: str, where: str) -> str:
    """Return what a driver is given: its own address where one follows, else `NAME://…`."""
    if name == "sqlite":
        return f"file:{file_of(f'sqlite:{where}').resolve()}?mode=ro"
    return f"{name}:{where}" if where.startswith("//") else where


@contextmanager
def _explained(url: str) -> Iterator[None]:
    from adbc_driver_manager import Error  # noqa: PLC0415 - an optional extra

    try:
        yield
    except (Error, OSError) as error:
        raise InvalidInput(f"{bare(url)} does not take the query: {_told(error, url)}.") from error


def _raised(batches: pa.RecordBatchReader, url: str) -> Iterator[pa.RecordBatch]:
    with _explained(url):
        yield from batches


def _told(error: Exception, url: str) -> str:
    return scrubbed(str(error).strip().partition("\n")[0].rstrip("."), url=url)
