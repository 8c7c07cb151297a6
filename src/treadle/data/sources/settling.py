"""Column types as they are kept: what Arrow has several types for becomes one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator

_UTC = {"UTC", "Etc/UTC", "Etc/UCT", "UCT", "GMT", "Etc/GMT", "Z", "+00:00"}


def settled(batches: pa.RecordBatchReader) -> pa.RecordBatchReader:
    """Return the same rows in plain types: one for texts, one for bytes, no categories, UTC.

    Raises InvalidInput for a column that has no plain type.
    """
    given = batches.schema.remove_metadata()
    schema = pa.schema([pa.field(f.name, _plain(f)) for f in given])
    if schema == given and not batches.schema.metadata:
        return batches

    def cast() -> Iterator[pa.RecordBatch]:
        for batch in batches:
            yield pa.RecordBatch.from_arrays(
                [
                    _cast(column, kind)
                    for column, kind in zip(batch.columns, schema.types, strict=True)
                ],
                schema=schema,
            )

    return pa.RecordBatchReader.from_batches(schema, cast())


def _cast(column: pa.Array, kind: pa.DataType) -> pa.Array:
    if column.type == kind:
        return column
    storage = getattr(column, "storage", column)
    if isinstance(column, pa.UuidArray):
        return pa.array([None if v is None else str(v) for v in column.to_pylist()], kind)
    return storage.cast(kind)


def _plain(field: pa.Field) -> pa.DataType:
    kind = field.type
    if isinstance(kind, pa.UuidType):
        return pa.string()
    if isinstance(kind, pa.OpaqueType):
        raise _no_type(field)
    if isinstance(kind, pa.BaseExtensionType):
        kind = kind.storage_type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if pa.types.is_large_string(kind) or pa.types.is_string_view(kind):
        return pa.string()
    if pa.types.is_large_binary(kind) or pa.types.is_binary_view(kind):
        return pa.binary()
    if pa.types.is_timestamp(kind) and kind.tz in _UTC:
        return pa.timestamp(kind.unit, "UTC")
    if pa.types.is_interval(kind) or pa.types.is_union(kind):
        raise _no_type(field)
    return kind


def _no_type(field: pa.Field) -> InvalidInput:
    return InvalidInput(
        f"Column {field.name!r} of type {field.type} cannot be kept.",
        hint=f"Cast it in the query, for example to text: CAST({field.name} AS TEXT).",
    )
