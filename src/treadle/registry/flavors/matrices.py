"""A table as the matrix of numbers that trees and nets are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from treadle.kernel.errors import InvalidInput, near_misses

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

SHOWN = 5


def matrix(table: pa.Table) -> npt.NDArray[np.float64]:
    """Return the columns side by side, missing as NaN; raises InvalidInput for no numbers."""
    return np.column_stack([column(table, name) for name in table.column_names])


def column(table: pa.Table, name: str) -> npt.NDArray[np.float64]:
    """Return one column as floats, missing as NaN. Raises InvalidInput when it holds no numbers."""
    values = table.column(name)
    if not pa.types.is_primitive(values.type) or pa.types.is_temporal(values.type):
        raise InvalidInput(
            f"Column {name!r} is {values.type}; this model takes numbers.",
            hint="Encode it first, or register a function that does.",
            column=name,
            found=str(values.type),
        )
    numbers: npt.NDArray[np.float64] = values.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers


def by_names(table: pa.Table, names: Sequence[str]) -> pa.Table:
    """Return the columns a model was fitted on, in its order.

    Raises InvalidInput naming the one that is missing and the nearest that is there.
    """
    missing = [name for name in names if name not in table.column_names]
    if missing:
        close = near_misses(missing[0], table.column_names)
        listed = ", ".join(names[:SHOWN]) + (", …" if len(names) > SHOWN else "")
        raise InvalidInput(
            f"The model was fitted on column {missing[0]!r}, which is not in the table.",
            hint=f"Found {close[0]!r}; is that it?" if close else f"It was fitted on {listed}.",
            column=missing[0],
        )
    return table.select(list(names))
