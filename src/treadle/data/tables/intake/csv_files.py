"""Reading CSV in blocks, so that whatever is wrong is said with its line."""

from __future__ import annotations

import contextlib
import csv
import io
import re
from typing import TYPE_CHECKING

import msgspec
from pyarrow import csv as arrow_csv

from treadle.data.tables.intake.origins import Opened, Reconsidered, require_columns, require_same
from treadle.data.tables.intake.text import MAX_SHOWN, SHOWN_CHARACTERS, TextFile, text_files
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa, pc

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.data.tables.intake.text import CheckedText

NULL_TEXTS = ("", "NA")
BLOCK_BYTES = 1 << 20
"""A row is no longer than this."""
_OTHER_SEPARATORS = ";\t|"
# A quoted field that goes on for so long was never closed.
_LONGEST_FIELD = 1 << 28
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
_TEXT = len(_CHAIN) - 1
_FRACTIONS = (_NANOSECONDS, pa.timestamp("ns", tz="UTC"))
_FAILED = re.compile(r"In CSV column #(\d+)")


class BrokenRow(msgspec.Struct, frozen=True):
    """A row that does not have as many fields as the header."""

    line: int
    found: int
    text: str


class CsvRows:
    """Comma-separated files with a header in UTF-8 (`.csv`, also within `.gz` or `.zip`).

    `NA` and empty fields are null; numbers, booleans, dates and ISO 8601 times are recognised over
    all rows. What the first block shows is believed until a row shows another type: then all rows
    are looked at, and read once more.
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
        self._is_known = True

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
            _require_closed_quotes(self._file)
            raise _ragged(self._file, expected=self._expected, seen=self._broken)
        if self._text.quotes % 2:
            _require_closed_quotes(self._file)
        if not self._rows:
            self._text.require_text()
            raise InvalidInput(
                f"{self._file.name} has a header but no rows.", hint="Was the export cut short?"
            )

    def close(self) -> None:
        self._reader.close()
        self._text.close()

    @contextlib.contextmanager
    def _explained(self) -> Iterator[None]:
        try:
            yield
        except pa.ArrowInvalid as error:
            failed = _FAILED.search(str(error))
            if failed:
                raise _Mistyped(int(failed[1])) from error
            self._text.require_text()
            _require_closed_quotes(self._file)
            if self._broken:
                raise _ragged(self._file, expected=self._expected, seen=self._broken) from error
            raise InvalidInput(f"{self._file.name} cannot be read as CSV: {error}.") from error

    def _opened(self, types: dict[str, pa.DataType]) -> arrow_csv.CSVStreamingReader:
        with self._explained():
            return arrow_csv.open_csv(
                pa.PythonFile(self._text, mode="r"),
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


def _can_be(column: pa.ChunkedArray, type_: pa.DataType) -> bool:
    try:
        pc.cast(column, type_)
    except pa.ArrowInvalid:  # it counts nanoseconds
        return False
    return True


def _ragged(file: TextFile, *, expected: int, seen: list[BrokenRow]) -> InvalidInput:
    # The parser knows no line numbers; only a broken file pays for this second look.
    shown: list[BrokenRow] = []
    count = 0
    with contextlib.suppress(csv.Error), _long_fields():
        for row in _rows_of(file):
            if row.found != expected:
                count += 1
                shown = [*shown, row] if count <= MAX_SHOWN else shown
    if not count:
        shown, count = seen[:MAX_SHOWN], len(seen)
    told = [
        f"line {r.line}: expected {expected} fields, found {r.found}: {r.text!r}" for r in shown
    ]
    more = f"; and {count - MAX_SHOWN} more" if count > MAX_SHOWN else ""
    counted = "1 broken row" if count == 1 else f"{count} broken rows"
    return InvalidInput(
        f"{file.name} has {counted}: {'; '.join(told)}{more}.",
        hint="Mend or remove them and commit again; no version was made.",
        file=file.name,
        broken=count,
        expected=expected,
        rows=[msgspec.structs.asdict(r) for r in shown],
    )


def _rows_of(file: TextFile) -> Iterator[BrokenRow]:
    with contextlib.closing(file.open()) as checked:
        lines = _Lines(checked)
        reader, start = csv.reader(lines), 0
        for fields in reader:
            if fields:
                text = lines.begun.rstrip("\r\n")[:SHOWN_CHARACTERS]
                yield BrokenRow(start + 1, len(fields), text)
            start = reader.line_num
            lines.begun = ""


class _Lines:
    """The lines of a text; it remembers the one with which a row began."""

    def __init__(self, text: CheckedText) -> None:
        buffered = io.BufferedReader(text, BLOCK_BYTES)
        self._lines = io.TextIOWrapper(buffered, encoding="utf-8-sig", newline="")
        self.begun = ""
        self.is_over = False

    def __iter__(self) -> Iterator[str]:
        for line in self._lines:
            self.begun = self.begun or line
            yield line
        self.is_over = True


@contextlib.contextmanager
def _long_fields() -> Iterator[None]:
    # The csv module's limit is one for the whole process: others need theirs back.
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, _LONGEST_FIELD))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _require_closed_quotes(file: TextFile) -> None:
    """Refuse a file whose last quoted field never ends: it would swallow every row after it."""
    with contextlib.closing(file.open()) as checked:
        while checked.read(BLOCK_BYTES):
            pass
        quotes = checked.quotes
    begun = _never_closed(file) if quotes % 2 else None
    if begun is not None:
        line, text = begun
        raise InvalidInput(
            f"{file.name}, line {line}: a quote is opened and never closed: {text!r}.",
            hint='Close it, or write a quote inside a field as "".',
            line=line,
        )


def _never_closed(file: TextFile) -> tuple[int, str] | None:
    """Return where the row begins that never ends."""
    with contextlib.closing(file.open()) as checked, _long_fields():
        lines = _Lines(checked)
        reader, start = csv.reader(lines, strict=True), 0
        try:
            for _ in reader:
                start = reader.line_num
                lines.begun = ""
        except csv.Error as error:
            # A stray quote inside a field the parser reads as it stands.
            never_ends = lines.is_over or "larger than" in str(error)
            return (start + 1, lines.begun.rstrip()[:SHOWN_CHARACTERS]) if never_ends else None
    return None


def _require_comma(names: list[str], *, name: str) -> None:
    header = names[0] if names else ""
    used = [s for s in _OTHER_SEPARATORS if s in header]
    if len(names) == 1 and used:
        raise InvalidInput(
            f"{name} seems to be separated by {used[0]!r}: its only column is {header[:80]!r}.",
            hint="Export it with commas.",
        )
