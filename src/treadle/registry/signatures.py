"""From a table to a signature, and from a signature to a table that fits it."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import pyarrow as pa

from treadle.kernel.errors import InvalidInput, counted, near_misses
from treadle.registry.entities import Field, FieldType, Signature

if TYPE_CHECKING:
    from collections.abc import Iterable

SHOWN_COLUMNS = 5

ARROW: dict[FieldType, pa.DataType] = {
    "int64": pa.int64(),
    "double": pa.float64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "category": pa.dictionary(pa.int32(), pa.string()),
    "timestamp": pa.timestamp("us", tz="UTC"),
    "date": pa.date32(),
}
# What a column may be when it is given; the cast itself refuses values that would change.
CASTS: dict[FieldType, frozenset[FieldType]] = {
    "int64": frozenset({"int64", "double"}),
    "double": frozenset({"int64", "double"}),
    "bool": frozenset({"bool"}),
    "string": frozenset({"string", "category"}),
    "category": frozenset({"string", "category"}),
    "timestamp": frozenset({"timestamp", "date"}),
    "date": frozenset({"date"}),
}


def infer_inputs(example: pa.Table) -> tuple[Field, ...]:
    """Return the input columns of a model from an example of its table.

    A column whose Arrow field has the metadata `optional: true` may be left out later. Raises
    InvalidInput for a table without columns or rows, and for a column of no known type.
    """
    if example.num_rows == 0 or example.num_columns == 0:
        raise InvalidInput(
            f"The example has {counted(example.num_rows, 'row')} and "
            f"{counted(example.num_columns, 'column')}.",
            hint="Give at least one row of what the model will be asked.",
        )
    _check_unique(example.column_names, whose="The example")
    return tuple(_field(field) for field in example.schema)


def conform(table: pa.Table, signature: Signature, *, whose: str) -> pa.Table:
    """Return a table with exactly the columns of a signature, in its order and types.

    Numbers are cast when no value changes. Raises InvalidInput that names the column, what was
    expected and what was found.
    """
    wanted = _schema(signature)
    if table.schema.equals(wanted):
        return table
    _check_columns(table, signature, whose=whose)
    given = frozenset(table.column_names)
    columns = [
        _cast(table.column(f.name), f, whose=whose)
        if f.name in given
        else pa.nulls(table.num_rows, ARROW[f.type])
        for f in signature.inputs
    ]
    return pa.table(columns, schema=wanted)


@lru_cache(maxsize=256)
def _schema(signature: Signature) -> pa.Schema:
    return pa.schema([pa.field(f.name, ARROW[f.type]) for f in signature.inputs])


def _field(field: pa.Field) -> Field:
    kind = _kind(field.type)
    if kind is None:
        raise InvalidInput(
            f"Column {field.name!r} of the example is {field.type}.",
            hint=f"A model's inputs are {', '.join(ARROW)}; cast it first.",
            column=field.name,
            found=str(field.type),
        )
    optional = (field.metadata or {}).get(b"optional") == b"true"
    return Field(name=field.name, type=kind, optional=optional)


def _kind(arrow: pa.DataType) -> FieldType | None:
    is_ = pa.types
    if is_.is_dictionary(arrow):
        return "category" if _kind(arrow.value_type) == "string" else None
    tests: tuple[tuple[bool, FieldType], ...] = (
        (is_.is_integer(arrow), "int64"),
        (is_.is_floating(arrow), "double"),
        (is_.is_boolean(arrow), "bool"),
        (is_.is_string(arrow) or is_.is_large_string(arrow) or is_.is_string_view(arrow), "string"),
        (is_.is_timestamp(arrow), "timestamp"),
        (is_.is_date(arrow), "date"),
    )
    return next((kind for holds, kind in tests if holds), None)


def _check_columns(table: pa.Table, signature: Signature, *, whose: str) -> None:
    given = table.column_names
    _check_unique(given, whose=f"The table for {whose}")
    expected = {field.name: field.type for field in signature.inputs}
    optional = {field.name for field in signature.inputs if field.optional}
    missing = [name for name in expected if name not in given and name not in optional]
    extra = [name for name in given if name not in expected]
    if missing:
        raise InvalidInput(
            f"{whose} needs column {missing[0]!r} ({expected[missing[0]]}), which is missing.",
            hint=_near(missing[0], extra) or f"All that are missing: {_some(missing)}.",
            column=missing[0],
            expected=expected[missing[0]],
            found=None,
        )
    if extra:
        raise InvalidInput(
            f"{whose} has no input {extra[0]!r}.",
            hint=_near_input(extra[0], optional - set(given))
            or f"Leave out {_some(extra)}; its inputs are {_some(expected)}.",
            column=extra[0],
            expected=None,
            found=str(table.schema.field(extra[0]).type),
        )


def _cast(column: pa.ChunkedArray, field: Field, *, whose: str) -> pa.ChunkedArray:
    wanted = ARROW[field.type]
    if column.type == wanted:
        return column
    kind = _kind(column.type)
    if column.type != pa.null() and kind not in CASTS[field.type]:
        raise _mismatch(column, field, whose=whose)
    try:
        if kind == "category" or field.type == "category":
            column = column.cast(pa.string())
        return (
            column.dictionary_encode().cast(wanted)
            if field.type == "category"
            else column.cast(wanted)
        )
    except pa.ArrowInvalid as error:
        raise _mismatch(column, field, whose=whose, why=f" ({error})") from error


def _mismatch(column: pa.ChunkedArray, field: Field, *, whose: str, why: str = "") -> InvalidInput:
    return InvalidInput(
        f"Column {field.name!r} of {whose} must be {field.type}; found {column.type}{why}.",
        column=field.name,
        expected=field.type,
        found=str(column.type),
    )


def _check_unique(names: list[str], *, whose: str) -> None:
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InvalidInput(f"{whose} has column {twice[0]!r} more than once.", column=twice[0])


def _near(name: str, known: Iterable[str]) -> str:
    close = near_misses(name, known)
    return f"Found {close[0]!r}; is that it?" if close else ""


def _near_input(name: str, known: Iterable[str]) -> str:
    close = near_misses(name, known)
    return f"There is {close[0]!r}, which was not given; is that it?" if close else ""


def _some(names: Iterable[str]) -> str:
    names = tuple(names)
    return ", ".join(names[:SHOWN_COLUMNS]) + (", …" if len(names) > SHOWN_COLUMNS else "")
