"""What can be committed as a table: files of rows, or anything that streams Arrow."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from treadle.data.tables.intake.arrow import ArrowRows, ParquetRows
from treadle.data.tables.intake.origins import FrameRows, Reconsidered
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.late import late, pa

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treadle.data.tables.intake import csv_files, json_lines
    from treadle.data.tables.intake.origins import Origin
else:
    # They take Arrow's readers with them.
    csv_files = late("treadle.data.tables.intake.csv_files")
    json_lines = late("treadle.data.tables.intake.json_lines")

CSV_ENDINGS = (".csv", ".csv.gz", ".csv.zst", ".csv.zip")
PARQUET_ENDINGS = (".parquet", ".pq")
ARROW_ENDINGS = (".arrow", ".feather", ".ipc")
JSON_ENDINGS = (
    *(".jsonl", ".jsonl.gz", ".jsonl.zst"),
    *(".ndjson", ".ndjson.gz", ".ndjson.zst"),
)

TABLE_ENDINGS = CSV_ENDINGS + PARQUET_ENDINGS + ARROW_ENDINGS + JSON_ENDINGS


def _csv_rows(paths: tuple[Path, ...]) -> Origin:
    return csv_files.CsvRows.of(paths)


def _json_rows(paths: tuple[Path, ...]) -> Origin:
    return json_lines.JsonRows.of(paths)


_READERS: tuple[tuple[tuple[str, ...], Callable[[tuple[Path, ...]], Origin]], ...] = (
    (CSV_ENDINGS, _csv_rows),
    (PARQUET_ENDINGS, ParquetRows),
    (ARROW_ENDINGS, ArrowRows),
    (JSON_ENDINGS, _json_rows),
)


class ArrowStream(Protocol):
    """A frame of any library that hands its rows over as an Arrow stream."""

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object: ...


Source: TypeAlias = (
    "Path | str | pa.Table | ArrowStream | Mapping[str, Any] | Sequence[Mapping[str, Any]]"
)


def files_among(source: object) -> list[Path]:
    """Return the paths that are committed as files; none when the source is a table.

    A file with the ending of a table is one, also when it is not there.
    """
    if _are_paths(source):
        return [Path(path) for path in source]  # type: ignore[attr-defined] # _are_paths saw to it
    if not isinstance(source, (str, Path)):
        return []
    path = Path(source)
    is_table = path.name.lower().endswith(TABLE_ENDINGS) and not path.is_dir()
    return [] if is_table or not path.exists() else [path]


def origin_of(source: Source | Sequence[Path | str]) -> Origin:
    """Return rows to read: of a file, of several with the same columns, or of a frame."""
    if isinstance(source, (str, Path)):
        return _of_files((Path(source),))
    if _are_paths(source):
        return _of_files(tuple(Path(path) for path in source))  # type: ignore[union-attr, arg-type] # as above
    return FrameRows(source)


def read_file(source: Source) -> pa.Table:
    """Read a file or frame as it would be committed, into memory, without committing it."""
    origin = origin_of(source)
    while True:
        with suppress(Reconsidered):
            opened = origin.open()
            return pa.Table.from_batches(opened.batches, schema=opened.schema)


def _are_paths(source: object) -> bool:
    return isinstance(source, (list, tuple)) and all(isinstance(p, (str, Path)) for p in source)


def _of_files(paths: tuple[Path, ...]) -> Origin:
    if not paths:
        raise InvalidInput("No file was named.", hint="Name one or several files of one kind.")
    made = {_reader_of(path) for path in paths}
    if len(made) > 1:
        raise InvalidInput(
            f"{', '.join(path.name for path in paths[:5])} are files of several kinds.",
            hint="Files of one table are all CSV, or all Parquet; commit others with --as files.",
        )
    names = [path.name for path in paths]
    twice = next((n for n in names if names.count(n) > 1), None)
    if twice:
        raise InvalidInput(
            f"Two of the files are called {twice}.",
            hint="Each is remembered by its name: give each its own.",
        )
    return made.pop()(paths)


def _reader_of(path: Path) -> Callable[[tuple[Path, ...]], Origin]:
    name = path.name.lower()
    reader = next((made for endings, made in _READERS if name.endswith(endings)), None)
    _require_file(path)
    if reader is None:
        raise InvalidInput(
            f"{path.name}: no such kind of file can be committed as a table.",
            hint=f"Known endings: {', '.join(TABLE_ENDINGS)}.",
        )
    return reader


def _require_file(path: Path) -> None:
    if path.is_file():
        return
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder.", hint="Commit one file.")
    if path.is_symlink():
        hint = f"It is a link to {path.readlink()}, where nothing is."
        raise NotFound("file", path.name, hint=hint)
    beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
    hint = "" if beside else f"The folder {path.parent} is {_what_is(path.parent)}."
    raise NotFound("file", path.name, known=beside, hint=hint)


def _what_is(folder: Path) -> str:
    return "empty" if folder.is_dir() else "not there"
