"""Rows as Python itself has them: columns in a dict, rows in a list, a structured array."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Sequence

_UNTABLED = (
    "Give the path of a CSV or Parquet file, a frame (Arrow, Polars, pandas, DuckDB), a dict of "
    "columns or a list of dicts."
)


def streamed(source: Any) -> Any:
    """Return what streams Arrow with the same rows. Raises InvalidInput for what has no rows."""
    if hasattr(source, "__arrow_c_stream__"):
        return source
    if isinstance(source, Mapping):
        return _table({str(name): values for name, values in source.items()})
    if are_records(source):
        return of_records(source)
    fields = getattr(getattr(source, "dtype", None), "names", None)
    if fields and hasattr(source, "ravel"):
        return _table({name: source[name] for name in fields})
    if hasattr(source, "scanner"):  # Arrow's datasets: files that are read a batch at a time
        return source.scanner().to_reader()
    raise InvalidInput(
        f"{type(source).__name__}: nothing of this kind can be committed.", hint=_how(source)
    )


def are_records(source: object) -> bool:
    """Say whether something is a list of rows, each a dict."""
    is_list = isinstance(source, (list, tuple)) and len(source) > 0
    return is_list and all(isinstance(row, Mapping) for row in source)  # type: ignore[attr-defined] # a list


def of_records(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Return rows as a table with every key that any of them has."""
    names = dict.fromkeys(name for row in rows for name in row)
    return _table({str(name): [row.get(name) for row in rows] for name in names})


def _table(columns: dict[str, Any]) -> pa.Table:
    arrays = {name: _array(name, values) for name, values in columns.items()}
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1:
        told = ", ".join(f"{name} {count}" for name, count in list(lengths.items())[:5])
        raise InvalidInput(
            f"The columns are not equally long: {told}.", hint="Each has a value for every row."
        )
    return pa.table(arrays)


def _array(name: str, values: Any) -> pa.Array | pa.ChunkedArray:
    # Not by `len` alone: a text has one, too, and is no column.
    if isinstance(values, (str, bytes)) or not hasattr(values, "__len__"):
        raise InvalidInput(
            f"Column {name!r} is one {type(values).__name__}, and no list of values.",
            hint="Give each column as a list or an array with a value for every row.",
        )
    try:
        return pa.array(values)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        raise unfit(f"Column {name!r}", error) from error


def unfit(what: str, error: Exception) -> InvalidInput:
    """Say why values cannot be columns of one type each."""
    told = " ".join(str(part).rstrip(".") + "." for part in error.args[:2])
    hint = "A column holds values of one type, or nothing: cast it first, to texts if need be."
    if "Duplicate column" in told:
        hint = "Give each column a name of its own."
    return InvalidInput(f"{what} cannot be taken: {told}", hint=hint)


def _how(source: object) -> str:
    if hasattr(source, "collect"):
        return "Collect it first: .collect()."
    if hasattr(source, "dtype"):
        return 'Name its columns: {"x": array[:, 0], "y": array[:, 1]}.'
    if isinstance(source, Iterator):
        return (
            "Commit the function that yields them: treadle.data.sources.function(rows); or a list."
        )
    return _UNTABLED
