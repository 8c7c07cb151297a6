"""Which metrics and params of a list of runs stand in its columns, and how their cells read."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from treadle.server.ui.places import asking
from treadle.server.ui.widgets import Column

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.tracking.entities import Run

METRICS = 6
PARAMS = 6
FIXED = (("Run", "name"), ("Status", "status"), ("Started", "started_at"))
NEWEST_FIRST = "started_at desc"

Cell = float | int | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Shown:
    """The metrics and the params that have a column, in order."""

    metrics: tuple[str, ...]
    params: tuple[str, ...]


def shown(runs: Sequence[Run]) -> Shown:
    """Choose the metrics most runs have, and the params that most runs have and that differ."""
    metrics = Counter(key for run in runs for key in run.metrics)
    params = Counter(key for run in runs for key in run.params)
    differing = [key for key in params if len({run.params.get(key) for run in runs}) > 1]
    wanted = {key: params[key] for key in (differing or params)}
    return Shown(metrics=_most(metrics, METRICS), params=_most(wanted, PARAMS))


def columns(
    found: Shown, runs: Sequence[Run], *, order: str, keep: Mapping[str, object]
) -> tuple[Column, ...]:
    """Return the headings; each that can be sorted by leads to the list sorted so."""
    fixed = [_column(label, field, order=order, keep=keep) for label, field in FIXED]
    metrics = [
        _column(key, f"metric.{key}", order=order, keep=keep, is_numeric=True)
        for key in found.metrics
    ]
    params = [
        _column(key, f"param.{key}", order=order, keep=keep, is_numeric=_are_numbers(runs, key))
        for key in found.params
    ]
    return (*fixed, Column("Duration", is_numeric=True), *metrics, *params)


def cells(run: Run, found: Shown) -> tuple[Cell, ...]:
    """Return the cells of a run below its metric and param columns."""
    metrics = (run.metrics.get(key) for key in found.metrics)
    params = (param_cell(run.params.get(key)) for key in found.params)
    return (*metrics, *params)


def param_cell(text: str | None) -> Cell:
    """Return a param as the number it reads as, else as its text."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value) or len(text) > 24:  # noqa: PLR2004 - longer than any float prints
        return text
    return int(value) if text.lstrip("-").isdigit() else value


def _column(
    label: str, field: str, *, order: str, keep: Mapping[str, object], is_numeric: bool = False
) -> Column:
    by, _, direction = order.partition(" ")
    is_sorted = by == field
    descending = is_sorted and direction == "desc"
    # The first click on a column that sorts already turns it round.
    wanted = field if descending or not is_sorted else f"{field} desc"
    return Column(
        label,
        asking("/runs", {**keep, "order": "" if wanted == NEWEST_FIRST else wanted}),
        ("descending" if descending else "ascending") if is_sorted else "",
        is_numeric,
    )


def _most(counts: Mapping[str, int], limit: int) -> tuple[str, ...]:
    # What was compared with (`baseline.log_loss`) stands behind what it was compared to.
    ordered = sorted(counts, key=lambda key: ("." in key, -counts[key], key))
    return tuple(ordered[:limit])


def _are_numbers(runs: Sequence[Run], key: str) -> bool:
    return all(not isinstance(param_cell(run.params.get(key)), str) for run in runs)
