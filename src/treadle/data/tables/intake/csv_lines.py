"""A second look at a broken CSV: which line it is, for the parser knows none."""

from __future__ import annotations

import contextlib
import csv
import io
from typing import TYPE_CHECKING

import msgspec

from treadle.data.tables.intake.text import MAX_SHOWN, SHOWN_CHARACTERS
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.tables.intake.text import CheckedText, TextFile

BLOCK_BYTES = 1 << 20
"""A row is no longer than this."""
# A quoted field that goes on for so long was never closed.
_LONGEST_FIELD = 1 << 28


class BrokenRow(msgspec.Struct, frozen=True):
    """A row that does not have as many fields as the header."""

    line: int
    found: int
    text: str


def ragged(file: TextFile, *, expected: int, seen: list[BrokenRow]) -> InvalidInput:
    """Say which rows have other fields than the header, with their lines."""
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


def require_closed_quotes(file: TextFile) -> None:
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
