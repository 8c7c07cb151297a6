"""Columns of what is held and of what comes: the same, or changed, and in what."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from treadle.data.ingestion.entities import SchemaChange

_INTEGERS = ["int8", "int16", "int32", "int64"]


def joined(held: pa.Schema, coming: pa.Schema, *, change: SchemaChange) -> pa.Schema:
    """Return the columns of the next version. Raises InvalidInput naming what changed.

    A type that fits the held one without loss is no change: a source that only saw whole numbers
    or nulls this time.
    """
    more = [f for f in coming if f.name not in held.names]
    less = [f for f in held if f.name not in coming.names]
    other = [
        (f, coming.field(f.name))
        for f in held
        if f.name in coming.names and not _fits(coming.field(f.name).type, f.type)
    ]
    real = [(was, now) for was, now in other if not pa.types.is_null(was.type)]
    told = [f"{f.name} ({f.type}) is new" for f in more]
    told += [f"{f.name} ({f.type}) is gone" for f in less]
    told += [f"{was.name} was {was.type} and is {now.type}" for was, now in real]
    if told and change == "refuse":
        raise InvalidInput(
            f"The columns of the source changed: {'; '.join(told)}.",
            hint="Accept it with --schema-change widen, or name the columns in the query.",
        )
    wider = {was.name: _wider(was, now) for was, now in other}
    kept = [pa.field(f.name, wider.get(f.name, f.type)) for f in held]
    return pa.schema([*kept, *(pa.field(f.name, f.type) for f in more)])


def reshaped(batch: pa.RecordBatch, schema: pa.Schema) -> pa.RecordBatch:
    """Return a batch with a schema's columns; those that it lacks are null."""
    columns = []
    for field in schema:
        if field.name not in batch.schema.names:
            columns.append(pa.nulls(batch.num_rows, field.type))
            continue
        column = batch.column(field.name)
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInput(
                f"Column {field.name!r} is {field.type}, and this came: "
                f"{str(error).partition(chr(10))[0]}.",
                hint="Mend it at the source, or cast it in the query.",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)


def _fits(coming: pa.DataType, held: pa.DataType) -> bool:
    types = pa.types
    if coming == held or types.is_null(coming):
        return True
    if str(coming) in _INTEGERS and str(held) in _INTEGERS:
        return _INTEGERS.index(str(coming)) <= _INTEGERS.index(str(held))
    if types.is_integer(coming) or types.is_floating(coming):
        return bool(held == pa.float64() and coming != pa.uint64())
    if types.is_timestamp(coming) and types.is_timestamp(held):
        return bool(coming.tz == held.tz) and _is_coarser(coming, held)
    return False


def _is_coarser(coming: pa.DataType, held: pa.DataType) -> bool:
    units = ["s", "ms", "us", "ns"]
    return units.index(coming.unit) <= units.index(held.unit)


def _wider(was: pa.Field, now: pa.Field) -> pa.DataType:
    if pa.types.is_null(was.type) or _fits(was.type, now.type):
        return now.type
    both = [pa.schema([pa.field("c", was.type)]), pa.schema([pa.field("c", now.type)])]
    try:
        return pa.unify_schemas(both, promote_options="permissive").field("c").type
    except (pa.ArrowTypeError, pa.ArrowInvalid) as error:
        raise InvalidInput(
            f"Column {was.name!r} was {was.type} and is {now.type}: no type holds both.",
            hint="Cast it in the query to what it was.",
        ) from error
