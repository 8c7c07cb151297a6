"""Things side by side: what differs, then what is the same, whatever the things are."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treadle.server.ui.contexts import ComparedCell, ComparedGroup, ComparedRow

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from treadle.server.ui.run_columns import Cell


# With more things than these a difference to the first is one number too many in each cell.
DIFFERENCES_UP_TO = 10


def nowhere(_key: str, _value: Cell) -> str:
    """Lead nowhere: the values of most groups have no page."""
    return ""


def group(
    label: str, values: Sequence[Mapping[str, Cell]], *, place: Callable[[str, Cell], str] = nowhere
) -> ComparedGroup:
    """Return the keys of several things, those whose values differ apart from the others."""
    keys = sorted({key for each in values for key in each}, key=lambda key: ("." in key, key))
    rows = [_row(key, [each.get(key) for each in values], place=place) for key in keys]
    differs = [len({_compared(cell.value) for cell in row.cells}) > 1 for row in rows]
    return ComparedGroup(
        label=label,
        differing=tuple(row for row, is_so in zip(rows, differs, strict=True) if is_so),
        same=tuple(row for row, is_so in zip(rows, differs, strict=True) if not is_so),
    )


def filled(groups: Sequence[ComparedGroup]) -> tuple[ComparedGroup, ...]:
    """Leave out the groups that have nothing in them; those that differ come first."""
    there = (each for each in groups if each.differing or each.same)
    return tuple(sorted(there, key=lambda each: not each.differing))


def _row(key: str, values: Sequence[Cell], *, place: Callable[[str, Cell], str]) -> ComparedRow:
    first, is_numeric = values[0], not any(isinstance(value, str) for value in values)
    shows_difference = is_numeric and len(values) <= DIFFERENCES_UP_TO
    return ComparedRow(
        key=key,
        cells=tuple(
            ComparedCell(
                value,
                _difference(value, first) if at and shows_difference else None,
                place(key, value) if value is not None else "",
            )
            for at, value in enumerate(values)
        ),
        is_numeric=is_numeric,
    )


def _difference(value: Cell, first: Cell) -> float | None:
    if not isinstance(value, int | float) or not isinstance(first, int | float):
        return None
    found = value - first
    return found if math.isfinite(found) and found else None


def _compared(value: Cell) -> Cell:
    # NaN is the same as NaN here: both ended nowhere.
    return "NaN" if isinstance(value, float) and math.isnan(value) else value
