"""What the end of a part says of its columns: between which values they lie, without their rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pyarrow.parquet as pq


class Range(NamedTuple):
    """The lowest and the highest value of a column (`plain_value`), None where all are null."""

    low: Any
    high: Any
    nulls: int

    def meets(self, other: Range) -> bool:
        """Say whether both may hold the same value; null is one."""
        if self.nulls and other.nulls:
            return True
        if self.low is None or other.low is None:
            return False
        return bool(self.low <= other.high and other.low <= self.high)


class PartRanges(NamedTuple):
    """How many rows a part has, and its columns' ranges; of some columns none is known."""

    rows: int
    ranges: dict[str, Range]


def has_range(type_: pa.DataType) -> bool:
    """Say whether the ends of parts tell the range of such a column, exactly.

    Those of fractions leave out NaN.
    """
    types = pa.types
    return bool(
        types.is_signed_integer(type_)
        or types.is_timestamp(type_)
        or types.is_date32(type_)
        or types.is_string(type_)
        or types.is_large_string(type_)
    )


def plain_value(value: Any, type_: pa.DataType) -> Any:
    """Return a value as Parquet compares it; None for null, and for what the type cannot hold."""
    if pa.types.is_timestamp(type_):
        held = pa.scalar(value, pa.timestamp("us", tz=type_.tz)) if not _is_scalar(value) else value
        unit = "ms" if type_.unit == "s" else type_.unit
        return held.cast(pa.timestamp(unit, tz=type_.tz)).cast(pa.int64()).as_py()
    held = (value if _is_scalar(value) else pa.scalar(value, type_)).cast(type_)
    if pa.types.is_date32(type_):
        return held.cast(pa.int32()).as_py()
    return held.as_py()


def ranges_of(file: pq.ParquetFile, columns: Iterable[str]) -> PartRanges:
    """Return what a part says of some columns."""
    metadata = file.metadata
    wanted = {name for name in columns if has_range(file.schema_arrow.field(name).type)}
    found: dict[str, Range] = {}
    for number in range(metadata.num_columns) if metadata.num_row_groups == 1 else ():
        column = metadata.row_group(0).column(number)
        told = column.statistics
        if column.path_in_schema not in wanted or told is None or not told.has_null_count:
            continue
        if told.has_min_max:
            low, high = _told(told.min_raw), _told(told.max_raw)
            found[column.path_in_schema] = Range(low, high, told.null_count)
        elif told.null_count == metadata.num_rows:
            found[column.path_in_schema] = Range(None, None, told.null_count)
    return PartRanges(metadata.num_rows, found)


def _told(value: Any) -> Any:
    # Texts are in the order of their bytes, which is that of their characters.
    return value.decode() if isinstance(value, bytes) else value


def _is_scalar(value: Any) -> bool:
    return isinstance(value, pa.Scalar)
