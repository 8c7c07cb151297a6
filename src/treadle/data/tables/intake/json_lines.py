"""JSON lines in blocks: a row a line, errors with their lines."""

from __future__ import annotations

import json
from contextlib import closing
from typing import TYPE_CHECKING, NamedTuple

from pyarrow import json as arrow_json

from treadle.data.tables.intake.origins import Opened, Reconsidered, require_columns
from treadle.data.tables.intake.text import MAX_SHOWN, SHOWN_CHARACTERS, TextFile, text_files
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from treadle.data.tables.intake.text import CheckedText

BLOCK_BYTES = 1 << 20
LONGEST_LINE = 1 << 26


class Block(NamedTuple):
    """Whole lines, and how many were before."""

    data: bytes
    lines_before: int


class JsonRows:
    """Files with one JSON object a line, also within `.gz` or `.zst`.

    A key is a column, whatever line it first appears in; numbers, texts, times, lists and objects
    are recognised over all lines. As with CSV, the first block is believed until a line shows
    otherwise.
    """

    keeps_text = True
    can_repeat = True

    def __init__(self, files: tuple[TextFile, ...], *, paths: tuple[Path, ...] = ()) -> None:
        self.paths = paths
        self._files = files
        self._schema: pa.Schema | None = None
        self._is_known = False

    @classmethod
    def of(cls, paths: tuple[Path, ...]) -> JsonRows:
        """Read files by their paths."""
        return cls(text_files(paths), paths=paths)

    def open(self, progress: Callable[[int], None] | None = None) -> Opened:
        """Begin to read. Raises InvalidInput with the line of whatever is wrong."""
        if self._schema is None:
            self._schema = self._first()
        require_columns(self._schema.names, where=self._files[0].name)
        schema = pa.schema([f.with_type(_in_microseconds(f.type)) for f in self._schema])
        return Opened(schema, self._batches(self._schema, schema, progress))

    def _first(self) -> pa.Schema:
        file = self._files[0]
        with closing(file.open(what="JSON lines")) as text:
            for block in _blocks(text, name=file.name):
                return _parsed(block, name=file.name).schema
        return pa.schema([])

    def _batches(
        self, read: pa.Schema, kept: pa.Schema, progress: Callable[[int], None] | None
    ) -> Iterator[pa.RecordBatch]:
        for file in self._files:
            with closing(file.open(progress, what="JSON lines")) as text:
                for block in _blocks(text, name=file.name):
                    try:
                        table = _parsed(block, name=file.name, schema=read)
                    except _Other as other:
                        raise self._reconsidered(other) from other
                    yield from table.cast(kept).to_batches()
                text.require_text()

    def _reconsidered(self, other: _Other) -> Exception:
        if self._is_known:
            return other.error
        found: pa.Schema | None = None
        for file in self._files:
            with closing(file.open(what="JSON lines")) as text:
                for block in _blocks(text, name=file.name):
                    of_block = _parsed(block, name=file.name).schema
                    found = _joined(found, of_block, block, name=file.name)
        self._schema, self._is_known = found, True
        return Reconsidered()


class _Other(Exception):
    """A block is not of the types that are believed."""

    def __init__(self, error: InvalidInput) -> None:
        super().__init__(str(error))
        self.error = error


def _blocks(text: CheckedText, *, name: str) -> Iterator[Block]:
    held, before = b"", 0
    while data := text.read(BLOCK_BYTES):
        held += data
        end = held.rfind(b"\n") + 1
        if not end and len(held) > LONGEST_LINE:
            raise InvalidInput(
                f"{name}, line {before + 1} is longer than {LONGEST_LINE >> 20} MB.",
                hint="JSON lines have one object a line.",
            )
        if held[:end].strip():
            yield Block(held[:end].removeprefix(b"\xef\xbb\xbf"), before)
        before += held.count(b"\n", 0, end)
        held = held[end:]
    text.require_text()
    if held.strip():
        yield Block(held, before)


def _parsed(block: Block, *, name: str, schema: pa.Schema | None = None) -> pa.Table:
    try:
        return _read(block.data, schema)
    except pa.ArrowInvalid as error:
        broken = _broken_lines(block)
        if broken:
            raise _unreadable(name, broken) from error
        told = _at_fault(block, schema)
        line = block.lines_before + told + 1
        found = InvalidInput(
            f"{name}, line {line} is not of the columns' types: {error}.",
            hint="A key holds values of one type in all lines.",
            line=line,
        )
        raise (found if schema is None else _Other(found)) from error


def _read(data: bytes, schema: pa.Schema | None) -> pa.Table:
    return arrow_json.read_json(
        pa.BufferReader(data),
        read_options=arrow_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=arrow_json.ParseOptions(
            explicit_schema=schema,
            unexpected_field_behavior="infer" if schema is None else "error",
        ),
    )


def _broken_lines(block: Block) -> list[tuple[int, str, str]]:
    """Return lines that hold no JSON object: number, what is wrong, text."""
    broken = []
    for number, line in enumerate(block.data.split(b"\n"), start=block.lines_before + 1):
        try:
            what = "" if not line.strip() or isinstance(json.loads(line), dict) else "no object"
        except (ValueError, RecursionError) as error:
            what = str(error).split(":")[0]
        if what:
            broken.append((number, what, line.decode(errors="replace")[:SHOWN_CHARACTERS]))
    return broken


def _unreadable(name: str, broken: list[tuple[int, str, str]]) -> InvalidInput:
    told = "; ".join(f"line {n}: {what}: {text!r}" for n, what, text in broken[:MAX_SHOWN])
    more = f"; and {len(broken) - MAX_SHOWN} more" if len(broken) > MAX_SHOWN else ""
    counted = "1 broken line" if len(broken) == 1 else f"{len(broken)} broken lines"
    return InvalidInput(
        f"{name} has {counted}: {told}{more}.",
        hint="Each line is one JSON object. Mend them and commit again; no version was made.",
        line=broken[0][0],
    )


def _at_fault(block: Block, schema: pa.Schema | None) -> int:
    """Return which line is the first that the lines up to it cannot be read with."""
    lines = block.data.splitlines(keepends=True)
    low, high = 0, len(lines)
    while low + 1 < high:
        middle = (low + high) // 2
        try:
            _read(b"".join(lines[:middle]), schema)
            low = middle
        except pa.ArrowInvalid:
            high = middle
    return low


def _joined(before: pa.Schema | None, found: pa.Schema, block: Block, *, name: str) -> pa.Schema:
    if before is None:
        return found
    fields = {field.name: field.type for field in before}
    for field in found:
        known = fields.get(field.name, pa.null())
        joined = _joined_types(known, field.type)
        if joined is None:
            line = block.lines_before + 1
            raise InvalidInput(
                f"Column {field.name!r} of {name} is {known} before line {line} and "
                f"{field.type} from there on.",
                hint="A key holds values of one type in all lines.",
                line=line,
            )
        fields[field.name] = joined
    return pa.schema(list(fields.items()))


def _joined_types(one: pa.DataType, other: pa.DataType) -> pa.DataType | None:
    """Return the type of values of both, None when there is none."""
    if one.equals(other) or pa.types.is_null(other):
        return one
    if pa.types.is_null(one):
        return other
    if pa.types.is_list(one) and pa.types.is_list(other):
        inner = _joined_types(one.value_type, other.value_type)
        return None if inner is None else pa.list_(inner)
    if pa.types.is_struct(one) and pa.types.is_struct(other):
        return _joined_structs(one, other)
    kinds = {_kind(one), _kind(other)}
    if kinds == {"integer", "number"}:
        return pa.float64()
    return pa.string() if kinds <= {"time", "text"} else None


def _joined_structs(one: pa.StructType, other: pa.StructType) -> pa.DataType | None:
    fields = {field.name: field.type for field in one}
    for field in other:
        joined = _joined_types(fields.get(field.name, pa.null()), field.type)
        if joined is None:
            return None
        fields[field.name] = joined
    return pa.struct(list(fields.items()))


def _kind(type_: pa.DataType) -> str:
    if pa.types.is_integer(type_):
        return "integer"
    if pa.types.is_floating(type_):
        return "number"
    if pa.types.is_timestamp(type_):
        return "time"
    return "text" if pa.types.is_string(type_) else str(type_)


def _in_microseconds(type_: pa.DataType) -> pa.DataType:
    is_seconds = pa.types.is_timestamp(type_) and type_.unit == "s"
    return pa.timestamp("us", tz=type_.tz) if is_seconds else type_
