"""Columns as NumPy sees them: whatever the caller holds becomes one array with one kind of null.

Nulls are None, NaN and NaT. Infinite values are no numbers a statistic can use: they count as
nulls everywhere except in a profile, which counts them separately.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, TypeAlias

from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import np, pa, pc

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

Floats: TypeAlias = "NDArray[np.float64]"
Values: TypeAlias = "ArrayLike | pa.Array | pa.ChunkedArray"

NULL_CATEGORY = "(null)"


def as_array(values: Values) -> NDArray[np.generic]:
    """Return the values as a one-dimensional NumPy array of whatever type they have."""
    if isinstance(values, pa.ChunkedArray):
        return np.asarray(_plain(values).to_numpy())
    if isinstance(values, pa.Array):
        return np.asarray(_plain(values).to_numpy(zero_copy_only=False))
    array = np.asarray(values)
    if array.ndim != 1:
        raise InvalidInput(
            f"A column has one dimension; this has {array.ndim}.", shape=list(array.shape)
        )
    return array


def is_categorical(values: Values) -> bool:
    """Say whether the values are names rather than numbers."""
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        return _is_arrow_name(values.type)
    array = as_array(values)
    if array.dtype.kind in "UST":
        return True
    return array.dtype.kind == "O" and any(isinstance(v, (str, bytes)) for v in array)


def as_floats(values: Values, *, name: str = "values") -> Floats:
    """Return the values as float64 with NaN for null. Names (strings) are refused, never parsed."""
    if is_categorical(values):
        raise InvalidInput(
            f"{name} must be numbers, but holds names.", hint="Use a measure for categories."
        )
    if isinstance(values, (pa.Array, pa.ChunkedArray)):
        values = _arrow_to_floats(values)
    array = as_array(values)
    if array.dtype.kind in "mM":
        numbers = array.astype("int64").astype(np.float64)
        numbers[np.isnat(array)] = np.nan
        return numbers
    return _cast(array, name=name)


def finite_floats(values: Values, *, name: str = "values") -> Floats:
    """Return only the finite numbers among the values."""
    array = as_floats(values, name=name)
    return array[np.isfinite(array)]


def complete_floats(values: Values, *, name: str = "values") -> Floats:
    """Return the values as float64; refuse an empty column and any null or infinite value."""
    array = as_floats(values, name=name)
    if not len(array):
        raise InvalidInput(f"{name} is empty.", hint="Give at least one row.")
    missing = int(len(array) - np.isfinite(array).sum())
    if missing:
        raise InvalidInput(
            f"{name} has {missing} of {len(array)} values that are null or infinite.",
            hint="Leave out rows without a value first, and say how many there were.",
            missing=missing,
            rows=len(array),
        )
    return array


def as_binary(values: Values, *, name: str = "y") -> NDArray[np.bool_]:
    """Return a true outcome column of 0/1 or False/True as booleans; refuse anything else."""
    array = complete_floats(values, name=name)
    positive = array == 1.0
    strange = ~positive & (array != 0.0)
    if strange.any():
        raise InvalidInput(
            f"{name} must be 0 or 1, but holds {float(array[strange][0])!r}.",
            strange=int(strange.sum()),
        )
    return np.asarray(positive)


def as_probabilities(values: Values, *, name: str = "p") -> Floats:
    """Return a column of probabilities; refuse values outside [0, 1]."""
    array = complete_floats(values, name=name)
    if array.min() < 0.0 or array.max() > 1.0:
        raise InvalidInput(
            f"{name} must lie in [0, 1], but spans {array.min():.6g} to {array.max():.6g}.",
            hint="Give predicted probabilities, not scores or classes.",
        )
    return array


def require_same_length(first: np.ndarray, second: np.ndarray, *, names: str) -> None:
    """Refuse two columns that do not belong to the same rows."""
    if len(first) != len(second):
        raise InvalidInput(f"{names} must have the same rows: {len(first)} and {len(second)}.")


def category_counts(values: Values) -> dict[str, int]:
    """Count each category, most frequent first; nulls are counted as the category "(null)"."""
    if not isinstance(values, (pa.Array, pa.ChunkedArray)):
        array = as_array(values)
        names = Counter(NULL_CATEGORY if _is_null(v) else str(v) for v in array.tolist())
        return dict(names.most_common())
    counted = pc.value_counts(_plain(values))
    pairs = zip(counted.field(0).to_pylist(), counted.field(1).to_pylist(), strict=True)
    named = {NULL_CATEGORY if _is_null(v) else str(v): int(n) for v, n in pairs}
    return dict(sorted(named.items(), key=lambda item: -item[1]))


def null_count(values: Values) -> int:
    """Count what is missing (for numbers: also what is infinite)."""
    if is_categorical(values):
        return category_counts(values).get(NULL_CATEGORY, 0)
    return int((~np.isfinite(as_floats(values))).sum())


def _is_null(value: object) -> bool:
    return value is None or value != value  # noqa: PLR0124 - only NaN and NaT differ from themselves


def _is_arrow_name(kind: pa.DataType) -> bool:
    if pa.types.is_dictionary(kind):
        return _is_arrow_name(kind.value_type)
    return bool(
        pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind)
    )


def _plain(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    # pyarrow 26 turns the nulls of a chunked dictionary into some value of it in to_numpy();
    # few kernels know string views.
    if pa.types.is_dictionary(values.type):
        return _plain(pc.cast(values, values.type.value_type))
    return pc.cast(values, pa.string()) if pa.types.is_string_view(values.type) else values


def _arrow_to_floats(values: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    values = _plain(values)
    kind = values.type
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        values = pc.cast(values, pa.int32())
    elif pa.types.is_temporal(kind):
        values = pc.cast(values, pa.int64())
    try:
        return pc.cast(values, pa.float64(), safe=False)
    except (pa.ArrowNotImplementedError, pa.ArrowInvalid) as error:
        raise InvalidInput(f"A column of type {kind} cannot be read as numbers.") from error


def _cast(array: NDArray[np.generic], *, name: str) -> Floats:
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise InvalidInput(f"{name} must be numbers: {error}.") from error
