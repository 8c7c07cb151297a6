"""What rows come from, whatever it is: columns, and batches one after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from treadle.data.parquet import bare_schema
from treadle.data.tables.intake.records import streamed, unfit
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path


class Opened(NamedTuple):
    """Rows that are being read."""

    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]


class Reconsidered(Exception):
    """A row showed that a column is of another type than the rows before said.

    The origin knows better now: open it again.
    """


class Origin(Protocol):
    """Rows that can be read; of files also which they are.

    **Memory**: no more than a few MB, or one row, at a time. **Repeating**: `open` begins anew,
    if `can_repeat`; a frame that streams once cannot.
    """

    paths: tuple[Path, ...]
    """The files that are committed; none for a frame."""
    keeps_text: bool
    """Whether the files are text, whose bytes their rows cannot give back."""
    can_repeat: bool

    def open(self, progress: Callable[[int], None] | None = None) -> Opened:
        """Begin to read; `progress` is told bytes of files as they are read.

        This and the batches raise InvalidInput for what is wrong, Reconsidered for what was judged
        too early.
        """
        ...


def require_columns(names: list[str], *, where: str) -> None:
    """Raise InvalidInput unless every column has a name of its own."""
    if not names:
        raise InvalidInput(f"{where} has no columns.")
    twice = sorted({n for n in names if n and names.count(n) > 1})
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


def require_same(first: pa.Schema, other: pa.Schema, *, names: tuple[str, str]) -> None:
    """Raise InvalidInput saying where the columns of two files differ."""
    before, after = names
    if first.names != other.names:
        lost = [n for n in first.names if n not in other.names]
        more = [n for n in other.names if n not in first.names]
        told = [f"lacks {', '.join(lost)}"] if lost else []
        told += [f"has {', '.join(more)} besides"] if more else []
        raise InvalidInput(
            f"{after} {' and '.join(told) or 'has the columns in another order'}: "
            f"its columns are not those of {before}.",
            hint="Files of one table have the same columns in the same order.",
        )
    for field in first:
        type_ = other.field(field.name).type
        if type_ != field.type:
            raise InvalidInput(
                f"Column {field.name!r} is {field.type} in {before} and {type_} in {after}.",
                hint="Files of one table have the same types.",
            )


class FrameRows:
    """Rows of a frame of any library: all that is known of it is that it streams Arrow."""

    paths: tuple[Path, ...] = ()
    keeps_text = False

    def __init__(self, frame: object) -> None:
        self._frame = streamed(frame)
        self.can_repeat = isinstance(self._frame, pa.Table)

    def open(self, progress: Callable[[int], None] | None = None) -> Opened:
        """Begin to read. Raises InvalidInput for columns that Arrow has no types for."""
        _require_values(self._frame)
        try:
            # `pa.table` would import pandas to ask whether this is one of its frames.
            reader = (
                self._frame.to_reader()
                if isinstance(self._frame, pa.Table)
                else pa.RecordBatchReader.from_stream(self._frame)
            )
        except (pa.ArrowException, TypeError, ValueError) as error:
            if "non-struct" in str(error):
                raise InvalidInput(
                    f"A {type(self._frame).__name__} is one column, and no table.",
                    hint='Name it: {"x": it} is a table.',
                ) from error
            raise unfit(f"This {type(self._frame).__name__}", error) from error
        require_columns(reader.schema.names, where="The table")
        given = bare_schema(reader.schema)
        schema = pa.schema([field.with_type(_taken_as(field.type)) for field in given])
        return Opened(schema, _told(_in_types(reader, given, schema), progress))


def _require_values(frame: object) -> None:
    """Refuse objects of Python: Polars hands over where they lie in memory, and says so nowhere."""
    if not type(frame).__module__.startswith("polars"):
        return
    types = dict(getattr(frame, "schema", {}))
    column = next((name for name, type_ in types.items() if str(type_) == "Object"), None)
    if column is not None:
        raise InvalidInput(
            f"Column {column!r} holds objects of Python, which no table can.",
            hint="Make numbers, texts or times of them first.",
        )


def _taken_as(type_: pa.DataType) -> pa.DataType:
    """Return the type a column is taken in: of categories that are views Arrow cannot do much."""
    if not pa.types.is_dictionary(type_) or not pa.types.is_string_view(type_.value_type):
        return type_
    return pa.dictionary(type_.index_type, pa.large_string(), type_.ordered)


def _in_types(
    batches: Iterable[pa.RecordBatch], given: pa.Schema, wanted: pa.Schema
) -> Iterator[pa.RecordBatch]:
    if wanted == given:
        yield from batches
        return
    for batch in batches:
        columns = [
            column
            if column.type == field.type
            else pa.DictionaryArray.from_arrays(
                column.indices,
                column.dictionary.cast(field.type.value_type),
                ordered=field.type.ordered,
            )
            for column, field in zip(batch.columns, wanted, strict=True)
        ]
        yield pa.RecordBatch.from_arrays(columns, schema=wanted)


def _told(
    batches: Iterator[pa.RecordBatch], progress: Callable[[int], None] | None
) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        yield batch
        if progress:
            progress(batch.nbytes)
