"""What a database gives to a query."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

ROWS_PER_BATCH = 16_384


class Answer(msgspec.Struct, frozen=True):
    """The rows, and how many were left out because they are older than was asked for."""

    batches: pa.RecordBatchReader
    older: int | None = None


def quoted(name: str) -> str:
    """Return a column's name as SQL writes it."""
    return '"' + name.replace('"', '""') + '"'


def counted(above_key: tuple[str, ...], *, where: str, asked: str) -> str:
    """Return the query that counts rows; of several with one key, one."""
    if not above_key:
        return f"SELECT count(*) FROM {asked} WHERE {where}"  # noqa: S608 - columns are quoted, values bound
    key = ", ".join(quoted(name) for name in above_key)
    return f"SELECT count(*) FROM (SELECT DISTINCT {key} FROM {asked} WHERE {where}) AS k"  # noqa: S608 - as above


def require_columns(names: Sequence[str], wanted: Iterable[str]) -> None:
    """Raise InvalidInput naming the first wanted column that an answer lacks."""
    for name in wanted:
        if name not in names:
            known = ", ".join(names)
            raise InvalidInput(f"The query has no column {name!r}.", hint=f"It has: {known}.")


def batches_of(
    rows: Iterable[Sequence[tuple[Any, ...]]], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """Turn lots of rows into batches. Raises InvalidInput naming the column that does not fit."""
    for lot in rows:
        columns = zip(*lot, strict=True)
        arrays = [_array(values, field) for values, field in zip(columns, schema, strict=True)]
        yield pa.RecordBatch.from_arrays(arrays, schema=schema)


def _array(values: Sequence[Any], field: pa.Field) -> pa.Array:
    try:
        return pa.array(values, field.type)
    except (pa.ArrowInvalid, pa.ArrowTypeError, OverflowError, ValueError) as error:
        raise InvalidInput(
            f"Column {field.name!r} does not fit {field.type}: {error}.",
            hint=f"Cast it in the query, for example to text: CAST({field.name} AS TEXT).",
        ) from error
