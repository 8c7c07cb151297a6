"""Reading CSV so that whatever is wrong is said with its line."""

from __future__ import annotations

import contextlib
import csv
import gzip
import io
import zipfile
import zlib
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

NULL_TEXTS = ("", "NA")
MAX_SHOWN = 5
SHOWN_CHARACTERS = 80
_OTHER_SEPARATORS = ";\t|"


class BrokenRow(msgspec.Struct, frozen=True):
    """A row that does not have as many fields as the header."""

    line: int
    found: int
    text: str


def read_csv(raw: bytes, *, name: str) -> pa.Table:
    """Read a comma-separated file (`.csv`, also within `.gz` or `.zip`) with a header in UTF-8.

    `NA` and empty fields are null; numbers, booleans, dates and ISO 8601 times are recognised over
    the whole file. Raises InvalidInput with the line of whatever is wrong.
    """
    data = _unpacked(raw, name=name)
    _require_text(data, name=name)
    table = _parsed(data, name=name)
    _require_closed_quotes(data, name=name)
    _require_comma(table, name=name)
    if not table.num_rows:
        raise InvalidInput(f"{name} has a header but no rows.", hint="Was the export cut short?")
    return _with_microseconds(table)


def _unpacked(raw: bytes, *, name: str) -> bytes:
    try:
        if name.lower().endswith(".gz"):
            return gzip.decompress(raw)
        if name.lower().endswith(".zip"):
            return _only_member(raw, name=name)
    except (OSError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise InvalidInput(
            f"{name} cannot be unpacked: {error}.", hint="Copy the file again; it is damaged."
        ) from error
    return raw


def _only_member(raw: bytes, *, name: str) -> bytes:
    with zipfile.ZipFile(io.BytesIO(raw)) as archive:
        members = [m for m in archive.namelist() if not m.endswith("/")]
        if len(members) != 1:
            raise InvalidInput(
                f"{name} holds {len(members)} files: {', '.join(members[:MAX_SHOWN])}.",
                hint="Unpack it and commit one CSV at a time.",
            )
        return archive.read(members[0])


def _require_text(data: bytes, *, name: str) -> None:
    if not data or data.isspace():
        raise InvalidInput(f"{name} is empty.", hint="A CSV begins with a header line.")
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        raise InvalidInput(f"{name} is UTF-16, not UTF-8.", hint="Save it as CSV UTF-8.")
    zero = data.find(b"\0")
    if zero >= 0:
        raise InvalidInput(
            f"{name} is no text: line {_line_at(data, zero)} has a zero byte.",
            hint="Is it a spreadsheet or an archive? Export it as CSV.",
        )
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _not_utf8(data, at=error.start, name=name) from error


def _not_utf8(data: bytes, *, at: int, name: str) -> InvalidInput:
    line = _line_at(data, at)
    around = data[data.rfind(b"\n", 0, at) + 1 :].split(b"\n", 1)[0]
    shown = around.decode("latin-1").rstrip("\r")[:SHOWN_CHARACTERS]
    return InvalidInput(
        f"{name}, line {line} is not UTF-8: byte 0x{data[at]:02x} in {shown!r}.",
        hint="Convert it, for example: iconv -f latin1 -t utf-8.",
        line=line,
    )


def _line_at(data: bytes, position: int) -> int:
    return data.count(b"\n", 0, position) + 1


def _parsed(data: bytes, *, name: str) -> pa.Table:
    broken: list[BrokenRow] = []
    expected = 0

    def note(row: arrow_csv.InvalidRow) -> str:
        nonlocal expected
        expected = row.expected_columns
        broken.append(BrokenRow(0, row.actual_columns, row.text))
        return "skip"

    try:
        table = arrow_csv.read_csv(
            pa.BufferReader(data),
            parse_options=arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=note),
            convert_options=arrow_csv.ConvertOptions(
                strings_can_be_null=True, null_values=list(NULL_TEXTS)
            ),
        )
    except pa.ArrowInvalid as error:
        _require_closed_quotes(data, name=name)
        raise InvalidInput(f"{name} cannot be read as CSV: {error}.") from error
    if broken:
        _require_closed_quotes(data, name=name)
        raise _ragged(data, name=name, expected=expected, seen=broken)
    return table


def _ragged(data: bytes, *, name: str, expected: int, seen: list[BrokenRow]) -> InvalidInput:
    # The parser's threads know no line numbers; only a broken file pays for this second look.
    with _fields_of_any_length(data):
        rows = [row for row in _rows_of(data) if row.found != expected] or seen
    shown = [
        f"line {r.line}: expected {expected} fields, found {r.found}: {r.text!r}"
        for r in rows[:MAX_SHOWN]
    ]
    more = f"; and {len(rows) - MAX_SHOWN} more" if len(rows) > MAX_SHOWN else ""
    counted = "1 broken row" if len(rows) == 1 else f"{len(rows)} broken rows"
    return InvalidInput(
        f"{name} has {counted}: {'; '.join(shown)}{more}.",
        hint="Mend or remove them and commit again; nothing was stored.",
        file=name,
        broken=len(rows),
        expected=expected,
        rows=[msgspec.structs.asdict(r) for r in rows[:MAX_SHOWN]],
    )


def _rows_of(data: bytes) -> Iterator[BrokenRow]:
    lines = io.StringIO(data.decode("utf-8-sig"), newline="").readlines()
    reader, start = csv.reader(lines), 0
    for fields in reader:
        if fields:
            text = lines[start].rstrip("\r\n")[:SHOWN_CHARACTERS]
            yield BrokenRow(start + 1, len(fields), text)
        start = reader.line_num


@contextlib.contextmanager
def _fields_of_any_length(data: bytes) -> Iterator[None]:
    # The csv module's limit is one for the whole process: others need theirs back.
    before = csv.field_size_limit()
    csv.field_size_limit(max(before, len(data)))
    try:
        yield
    finally:
        csv.field_size_limit(before)


def _require_closed_quotes(data: bytes, *, name: str) -> None:
    """Refuse a file whose last quoted field never ends: it would swallow every row after it."""
    if data.count(b'"') % 2 == 0:
        return
    lines = io.StringIO(data.decode("utf-8-sig"), newline="").readlines()
    reader, start = csv.reader(lines, strict=True), 0
    try:
        with _fields_of_any_length(data):
            for _ in reader:
                start = reader.line_num
    except csv.Error as error:
        if reader.line_num < len(lines):
            return  # a stray quote inside a field, which the parser reads as it stands
        raise InvalidInput(
            f"{name}, line {start + 1}: a quote is opened and never closed: "
            f"{lines[start].rstrip()[:SHOWN_CHARACTERS]!r}.",
            hint='Close it, or write a quote inside a field as "".',
            line=start + 1,
        ) from error


def _require_comma(table: pa.Table, *, name: str) -> None:
    header = table.column_names[0]
    used = [s for s in _OTHER_SEPARATORS if s in header]
    if table.num_columns == 1 and used:
        raise InvalidInput(
            f"{name} seems to be separated by {used[0]!r}: its only column is {header[:80]!r}.",
            hint="Export it with commas.",
        )


def _with_microseconds(table: pa.Table) -> pa.Table:
    """Bring every timestamp to microseconds, unless that would lose digits."""
    for index, field in enumerate(table.schema):
        if not pa.types.is_timestamp(field.type):
            continue
        target = pa.timestamp("us", tz=field.type.tz)
        try:
            column = pc.cast(table.column(index), target)
        except pa.ArrowInvalid:  # it counts nanoseconds: keep them
            continue
        table = table.set_column(index, pa.field(field.name, target), column)
    return table
