"""All compared runs in one picture: which dimensions it has and where it begins."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treadle.server.ui.contexts import Dimension, RunsPlot
from treadle.server.ui.places import run_place
from treadle.server.ui.run_columns import SYSTEM, param_cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.server.ui.run_columns import Cell
    from treadle.tracking.entities import Run

PARAMS = 8
METRICS = 5
TEXTS_MOST = 12


def runs_plot(runs: Sequence[Run], *, given: Mapping[str, str]) -> RunsPlot | None:
    """Return the dimensions in which the runs differ; None when there are fewer than two."""
    params = [{key: param_cell(text) for key, text in run.params.items()} for run in runs]
    metrics: list[dict[str, Cell]] = [dict(run.metrics) for run in runs]
    inputs = _dimensions("param", params, limit=PARAMS)
    outputs = _dimensions("metric", metrics, limit=METRICS)
    found = (*inputs, *outputs)
    if len(found) < 2:  # noqa: PLR2004 - a picture has two directions
        return None
    known = [each.field for each in found]
    first, last = (inputs or outputs)[0].field, (outputs or inputs)[0].field
    return RunsPlot(
        names=tuple(run.name or run.id[:12] for run in runs),
        hrefs=tuple(run_place(run.id) for run in runs),
        dimensions=found,
        x=given.get("px", "") if given.get("px") in known else first,
        y=given.get("py", "") if given.get("py") in known else last,
    )


def _dimensions(
    kind: str, values: Sequence[Mapping[str, Cell]], *, limit: int
) -> tuple[Dimension, ...]:
    keys = sorted({key for each in values for key in each if not key.startswith(SYSTEM)})
    made = [
        Dimension(f"{kind}.{key}", key, tuple(_drawn(each.get(key)) for each in values))
        for key in sorted(keys, key=lambda key: ("." in key, key))
    ]
    return tuple(each for each in made if _tells(each))[:limit]


def _drawn(value: Cell) -> Cell:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _tells(dimension: Dimension) -> bool:
    there = {value for value in dimension.values if value is not None}
    texts = {value for value in there if isinstance(value, str)}
    return len(there) > 1 and len(texts) <= TEXTS_MOST
