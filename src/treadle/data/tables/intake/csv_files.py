"""Reading CSV in blocks, so that whatever is wrong is said with its line."""

from __future__ import annotations

import contextlib
import io
import re
from typing import TYPE_CHECKING

from pyarrow import csv as arrow_csv

from treadle.data.tables.intake.csv_lines import (
    BLOCK_BYTES,
    BrokenRow,
    ragged,
    require_closed_quotes,
)
from treadle.data.tables.intake.origins import Opened, Reconsidered, require_columns, require_same
from treadle.data.tables.intake.text import TextFile, text_files
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.data.tables.intake.text import CheckedText

NULL_TEXTS = ("", "NA")
# Arrow reads 32 blocks ahead, whatever one asks: the first is whole, the others are short.
SHORT_BYTES = 1 << 19
_OTHER_SEPARATORS = ";\t|"
# What the parser takes texts for, in the order in which it tries.
_SECONDS, _NANOSECONDS = pa.timestamp("s"), pa.timestamp("ns")
_CHAIN = (
    pa.null(),
    pa.int64(),
    pa.bool_(),
    pa.date32(),
    pa.time32("s"),
    _SECONDS,
    pa.timestamp("s", tz="UTC"),
    _NANOSECONDS,
    pa.timestamp("ns", tz="UTC"),
    pa.float64(),
    pa.string(),
)
_PLACES = {type_: place for place, type_ in enumerate(_CHAIN)}
_FRACTION = len(_CHAIN) - 2
_TEXT = len(_CHAIN) - 1
_WHOLE = r"^[+-]?[0-9]+$"
_BEYOND_INTEGERS = 2.0**63
_FRACTIONS = (_NANOSECONDS, pa.timestamp("ns", tz="UTC"))
_FAILED = re.compile(r"In CSV column #(\d+)")


class CsvRows:
    """Comma-separated files with a header in UTF-8 (`.csv`, also within `.gz`, `.zst` or `.zip`).

    `NA` and empty fields are null; numbers, booleans, dates and ISO 8601 times are recognised over
    all rows. Whole numbers of which one has more than 64 bits stay texts: as fractions, different
    ones would be equal. What the first block shows is believed until a row shows another type: then
    all rows are looked at, and read once more.
    """

    keeps_text = True
    can_repeat = True

    def __init__(self, files: tuple[TextFile, ...], *, paths: tuple[Path, ...] = ()) -> None:
        self.paths = paths
        self._files = files
        self._names: list[str] = []
        self._kinds: list[int] = []
        self._loses: set[int] = set()
        """Columns with times of less than a microsecond."""
        self._vast: set[int] = set()
        """Columns of fractions, one of which is larger than any integer."""
        self._broken_up: set[int] = set()
        """Columns with something else than whole numbers."""
        self._is_known = False

    @classmethod
    def of(cls, paths: tuple[Path, ...]) -> CsvRows:
        """Read files by their paths."""
        return cls(text_files(paths), paths=paths)

    def open(self, progress: Callable[[int], None] | None = None) -> Opened:
        """Begin to read. Raises InvalidInput with the line of whatever is wrong."""
        try:
            first = self._reading(self._files[0], progress)
        except _Mistyped as error:
            raise self._reconsidered(error) from error
        if not self._kinds:
            self._names = first.schema.names
            self._kinds = [_PLACES[type_] for type_ in first.schema.types]
        if not self._is_known and any(_CHAIN[kind] in _FRACTIONS for kind in self._kinds):
            first.close()
            self._look_at_all()
            first = self._reading(self._files[0], progress)
        schema = self._schema(first.schema.names)
        return Opened(schema, self._batches(first, schema, progress))

    def _batches(
        self, first: _Reading, schema: pa.Schema, progress: Callable[[int], None] | None
    ) -> Iterator[pa.RecordBatch]:
        for file in self._files:
            try:
                reading = first if file is self._files[0] else self._reading(file, progress)
                names = (self._files[0].name, file.name)
                require_same(first.schema, reading.schema, names=names)
                with contextlib.closing(reading):
                    for batch in reading:
                        self._require_no_vast(batch)
                        yield _in_types(batch, schema)
            except _Mistyped as error:
                raise self._reconsidered(error) from error

    def _reading(self, file: TextFile, progress: Callable[[int], None] | None) -> _Reading:
        types = [_CHAIN[kind] for kind in self._kinds]
        return _Reading(file, dict(zip(self._names, types, strict=True)), progress=progress)

    def _schema(self, names: list[str]) -> pa.Schema:
        """Return the columns as they are kept: times in microseconds, unless that loses digits."""
        types = [_CHAIN[kind] for kind in self._kinds]
        return pa.schema(
            (name, type_ if place in self._loses else _in_microseconds(type_))
            for place, (name, type_) in enumerate(zip(names, types, strict=True))
        )

    def _reconsidered(self, error: _Mistyped) -> Reconsidered:
        before = list(self._kinds)
        if not self._is_known:
            self._look_at_all()
        if self._kinds == before:  # each block alone is of these types, all together are not
            self._kinds[error.column] += 1
        return Reconsidered()

    def _look_at_all(self) -> None:
        """Find the types that each block would have alone; the last in order is that of all."""
        for file in self._files:
            texts = dict.fromkeys(self._names, pa.string())
            with contextlib.closing(_Reading(file, texts)) as reading:
                for batch in reading:
                    self._look_at(batch)
        for place in self._vast - self._broken_up:
            self._kinds[place] = _TEXT
        self._is_known = True

    def _require_no_vast(self, batch: pa.RecordBatch) -> None:
        """Look at all rows where a number may be one that must not become a fraction."""
        if self._is_known:
            return
        fractions = (place for place, kind in enumerate(self._kinds) if kind == _FRACTION)
        if any(_is_vast(batch.column(place)) for place in fractions):
            self._look_at_all()
            raise Reconsidered

    def _look_at(self, texts: pa.RecordBatch) -> None:
        open_ = [place for place, kind in enumerate(self._kinds) if kind != _TEXT]
        if not open_:
            return
        sink = pa.BufferOutputStream()
        arrow_csv.write_csv(texts.select(open_), sink)
        written = sink.getvalue()
        found = arrow_csv.read_csv(
            pa.BufferReader(written),
            read_options=arrow_csv.ReadOptions(block_size=written.size + 1),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
            convert_options=_conversion(),
        )
        for place, column in zip(open_, found.columns, strict=True):
            self._kinds[place] = max(self._kinds[place], _PLACES[column.type])
            if column.type == pa.float64():
                if place not in self._broken_up and not _is_whole(texts.column(place)):
                    self._broken_up.add(place)
                if _is_vast(column):
                    self._vast.add(place)
            target = _in_microseconds(column.type)
            if target != column.type and not _can_be(column, target):
                self._loses.add(place)


class _Mistyped(Exception):
    """A cell is not of the type that its column is believed to be of."""

    def __init__(self, column: int) -> None:
        super().__init__(column)
        self.column = column


class _Reading:
    """One walk through one file with the types that are believed."""

    def __init__(
        self,
        file: TextFile,
        types: dict[str, pa.DataType],
        *,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._file = file
        self._broken: list[BrokenRow] = []
        self._expected = 0
        self._rows = 0
        self._text = file.open(progress)
        try:
            self._reader = self._opened(types)
            self.schema = self._reader.schema
            _require_comma(self.schema.names, name=file.name)
            require_columns(self.schema.names, where=file.name)
        except BaseException:
            self._text.close()
            raise

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        with self._explained():
            for batch in self._reader:
                if self._broken:
                    break
                self._rows += batch.num_rows
                if batch.num_rows:
                    yield batch
        if self._broken:
            require_closed_quotes(self._file)
            raise ragged(self._file, expected=self._expected, seen=self._broken)
        if self._text.quotes % 2:
            require_closed_quotes(self._file)
        if not self._rows:
            self._text.require_text()
            raise self._no_rows()

    def close(self) -> None:
        self._reader.close()
        self._text.close()

    def _no_rows(self) -> InvalidInput:
        return InvalidInput(
            f"{self._file.name} has a header but no rows.", hint="Was the export cut short?"
        )

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowInvalid as error:
            failed = _FAILED.search(str(error))
            if failed:
                raise _Mistyped(int(failed[1])) from error
            self._text.require_text()
            require_closed_quotes(self._file)
            if self._broken:
                raise ragged(self._file, expected=self._expected, seen=self._broken) from error
            if "Empty CSV" in str(error):  # a header without an end of line
                raise self._no_rows() from error
            raise InvalidInput(f"{self._file.name} cannot be read as CSV: {error}.") from error

    def _opened(self, types: dict[str, pa.DataType]) -> arrow_csv.CSVStreamingReader:
        with self._explained():
            return arrow_csv.open_csv(
                pa.PythonFile(_ShortBlocks(self._text), mode="r"),
                read_options=arrow_csv.ReadOptions(block_size=BLOCK_BYTES, use_threads=False),
                parse_options=arrow_csv.ParseOptions(
                    newlines_in_values=True, invalid_row_handler=self._note
                ),
                convert_options=_conversion(types),
            )

    def _note(self, row: arrow_csv.InvalidRow) -> str:
        self._expected = row.expected_columns
        self._broken.append(BrokenRow(0, row.actual_columns, row.text))
        return "skip"


class _ShortBlocks(io.RawIOBase):
    """A text in blocks that are no longer than they have to be: in each of them a row ends."""

    def __init__(self, text: CheckedText) -> None:
        self._text = text
        self._is_first = True

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return the next block; empty at the end."""
        some = size if self._is_first else min(size, SHORT_BYTES)
        self._is_first = False
        block = self._text.read(some)
        while 0 < len(block) < size and not self._has_end(block):
            more = self._text.read(min(SHORT_BYTES, size - len(block)))
            if not more:
                break
            block += more
        return block

    def _has_end(self, block: bytes) -> bool:
        """Say whether the last line break is outside of quotes, as the quotes so far say."""
        end = block.rfind(b"\n")
        return end >= 0 and (self._text.quotes - block.count(b'"', end)) % 2 == 0


def read_csv(raw: bytes, *, name: str) -> pa.Table:
    """Read a file that is in memory. Raises InvalidInput with the line of whatever is wrong."""
    rows = CsvRows((TextFile(name, raw),))
    while True:
        with contextlib.suppress(Reconsidered):
            opened = rows.open()
            return pa.Table.from_batches(opened.batches, schema=opened.schema)


def _conversion(types: dict[str, pa.DataType] | None = None) -> arrow_csv.ConvertOptions:
    return arrow_csv.ConvertOptions(
        strings_can_be_null=True, null_values=list(NULL_TEXTS), column_types=types
    )


def _in_types(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    columns = [column.cast(f.type) for column, f in zip(batch.columns, schema, strict=True)]
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _in_microseconds(type_: pa.DataType) -> pa.DataType:
    return pa.timestamp("us", tz=type_.tz) if pa.types.is_timestamp(type_) else type_


def _is_vast(numbers: pa.Array | pa.ChunkedArray) -> bool:
    found = pc.min_max(numbers).as_py()
    return any(abs(n) >= _BEYOND_INTEGERS for n in found.values() if n is not None)


def _is_whole(texts: pa.Array) -> bool:
    matches: bool | None = pc.all(pc.match_substring_regex(texts, _WHOLE)).as_py()
    return matches is not False


def _can_be(column: pa.ChunkedArray, type_: pa.DataType) -> bool:
    try:
        pc.cast(column, type_)
    except pa.ArrowInvalid:  # it counts nanoseconds
        return False
    return True


def _require_comma(names: list[str], *, name: str) -> None:
    header = names[0] if names else ""
    used = [s for s in _OTHER_SEPARATORS if s in header]
    if len(names) == 1 and used:
        raise InvalidInput(
            f"{name} seems to be separated by {used[0]!r}: its only column is {header[:80]!r}.",
            hint="Export it with commas, or say how it is to be read: --from duckdb:// --sql "
            f"\"FROM read_csv('{name}', delim={used[0]!r})\".",
        )
