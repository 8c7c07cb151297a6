"""The few kinds of column a contract speaks of, out of the many types Arrow has."""

from __future__ import annotations

import datetime as dt
import math
from functools import cache
from typing import TYPE_CHECKING, Any

from treadle.kernel.clock import DAY_US
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from treadle.data.contracts import ColumnType


@cache
def _kinds() -> tuple[tuple[Any, ColumnType], ...]:
    return (
        (pa.types.is_boolean, "boolean"),
        (pa.types.is_integer, "integer"),
        (pa.types.is_floating, "number"),
        (pa.types.is_decimal, "number"),
        (pa.types.is_string, "text"),
        (pa.types.is_large_string, "text"),
        (pa.types.is_string_view, "text"),
        (pa.types.is_timestamp, "timestamp"),
        (pa.types.is_date, "date"),
        (pa.types.is_time, "time"),
        (pa.types.is_duration, "duration"),
    )


def kind_of(type_: pa.DataType) -> ColumnType:
    """Return which kind of column an Arrow type is."""
    if pa.types.is_dictionary(type_):
        return kind_of(type_.value_type)
    return next((kind for test, kind in _kinds() if test(type_)), "other")


def plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return a column without dictionary encoding."""
    if pa.types.is_dictionary(column.type):
        return pc.cast(column, column.type.value_type)
    return column


def null_mask(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """Return where a column has no value; NaN is none."""
    nan_is_null = pa.types.is_floating(column.type)
    return np.asarray(pc.is_null(column, nan_is_null=nan_is_null).to_numpy())


def days_of(column: pa.ChunkedArray) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Return each row's UTC day, counted from 1970; -1 below every day where there is no time."""
    instants = instants_of(column)
    days = np.asarray(pc.fill_null(instants, NO_DAY * DAY_US).to_numpy()) // DAY_US
    return days.astype(np.int64)


def instants_of(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Return times as µs UTC; one without a zone counts as UTC."""
    as_us = pc.cast(column, pa.timestamp("us", tz=getattr(column.type, "tz", None)), safe=False)
    return pc.cast(as_us, pa.int64())


NO_DAY = -100_000_000
"""The day of a row without a time: earlier than any instant in microseconds but the first."""


def as_shown(value: Any) -> Any:
    """Return a cell as JSON can hold it: times as ISO text, bytes as hex, the rest as text."""
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, (dt.datetime, dt.date, dt.time)):
        return value.isoformat()
    return value.hex() if isinstance(value, bytes) else str(value)
