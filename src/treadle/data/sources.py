"""What can be committed: a CSV or Parquet file, or anything that streams Arrow."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol, TypeAlias

import msgspec
import pyarrow as pa

from treadle.data.csv_files import read_csv
from treadle.data.parquet import read_foreign
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable

CSV_ENDINGS = (".csv", ".csv.gz", ".csv.zip")
PARQUET_ENDINGS = (".parquet", ".pq")


class ArrowStream(Protocol):
    """A frame of any library that hands its rows over as an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Source: TypeAlias = "Path | str | pa.Table | ArrowStream"


class Loaded(msgspec.Struct, frozen=True):
    """A source in memory: its table, and the file's name and bytes when it was a file."""

    table: pa.Table
    name: str = ""
    raw: bytes = b""

    @property
    def is_parquet(self) -> bool:
        """Say whether the file's own bytes already are Parquet."""
        return self.name.lower().endswith(PARQUET_ENDINGS)


def files_among(source: object) -> list[Path]:
    """Return the paths that are committed as files; none when the source is a table.

    A file with the ending of a table is one, also when it is not there.
    """
    if isinstance(source, (list, tuple)) and all(isinstance(p, (str, Path)) for p in source):
        return [Path(path) for path in source]
    if not isinstance(source, (str, Path)):
        return []
    path = Path(source)
    is_table = path.name.lower().endswith(CSV_ENDINGS + PARQUET_ENDINGS) and not path.is_dir()
    return [] if is_table or not path.exists() else [path]


def load_source(source: Source) -> Loaded:
    """Read what is to be committed and refuse what has no usable columns.

    A file is read into memory once, so that the rows that are checked are the bytes that are kept.
    """
    loaded = _load_file(Path(source)) if isinstance(source, (str, Path)) else _load_frame(source)
    _require_columns(loaded.table.column_names, where=loaded.name or "The table")
    return loaded


def read_file(path: Path) -> pa.Table:
    """Read a CSV or Parquet file as it would be committed, without committing it."""
    return load_source(path).table


def _load_frame(source: object) -> Loaded:
    if isinstance(source, pa.Table):
        return Loaded(source.replace_schema_metadata(None))
    if not hasattr(source, "__arrow_c_stream__"):
        raise InvalidInput(
            f"A {type(source).__name__} cannot be committed.",
            hint="Give the path of a CSV or Parquet file, or a frame (Arrow, Polars, pandas).",
        )
    # `pa.table` would import pandas to ask whether this is one of its frames.
    return Loaded(pa.RecordBatchReader.from_stream(source).read_all().replace_schema_metadata(None))


def _load_file(path: Path) -> Loaded:
    name = path.name
    if not name.lower().endswith(CSV_ENDINGS + PARQUET_ENDINGS):
        _require_file(path)
        raise InvalidInput(
            f"{name}: no such kind of file can be committed.",
            hint=f"Known endings: {', '.join(CSV_ENDINGS + PARQUET_ENDINGS)}.",
        )
    _require_file(path)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror}.") from error
    read = read_csv if name.lower().endswith(CSV_ENDINGS) else read_foreign
    return Loaded(read(raw, name=name), name, raw)


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder.", hint="Commit one file.")
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = "" if beside else f"The folder {path.parent} is {_what_is(path.parent)}."
    raise NotFound("file", path.name, known=beside, hint=hint)


def _what_is(folder: Path) -> str:
    return "empty" if folder.is_dir() else "not there"


def _require_columns(names: list[str], *, where: str) -> None:
    if not names:
        raise InvalidInput(f"{where} has no columns.")
    twice = sorted({n for n in names if names.count(n) > 1})
    if twice:
        raise InvalidInput(
            f"{where} has the column {twice[0]!r} {names.count(twice[0])} times.",
            hint="Give each column a name of its own.",
        )
    if "" in names:
        raise InvalidInput(
            f"{where}: column {names.index('') + 1} has no name.",
            hint="An index written by mistake? Write without it (pandas: to_csv(index=False)).",
        )
