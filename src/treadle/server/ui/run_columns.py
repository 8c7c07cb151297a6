"""Which metrics, params and tags of a list of runs stand in its columns, and how cells read."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from treadle.server.ui.runs_asked import NEWEST_FIRST
from treadle.server.ui.widgets import Column, Option

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.server.ui.runs_asked import RunsAsked
    from treadle.tracking.entities import Run

METRICS = 6
PARAMS = 6
OFFERED = 150
FIXED = (("Run", "name"), ("Status", "status"), ("Started", "started_at"))
KINDS = ("metric", "param", "tag")
# Longer texts are params too, but no float prints so many characters.
NUMBER_LENGTH = 24
HIDDEN_TAGS = ("treadle.", "mlflow.")
SYSTEM = "system/"

Cell = float | int | str | None


class Shown(NamedTuple):
    """A column that can be chosen: `metric`, `param` or `tag`, and its name."""

    kind: str
    key: str

    @property
    def field(self) -> str:
        """How addresses say it, and orders too."""
        return f"{self.kind}.{self.key}"


def shown(runs: Sequence[Run], *, chosen: Sequence[str] = ()) -> tuple[Shown, ...]:
    """Return the columns asked for; unless any is, those that vary most among the runs."""
    named = [Shown(kind, key) for kind, _, key in (text.partition(".") for text in chosen) if key]
    return tuple(each for each in named if each.kind in KINDS) or varying(runs)


def varying(runs: Sequence[Run]) -> tuple[Shown, ...]:
    """Choose the metrics that vary and most runs have, and the params likewise."""
    metrics = _ranked(runs, [run.metrics for run in runs], limit=METRICS)
    params = _ranked(runs, [run.params for run in runs], limit=PARAMS)
    return (*(Shown("metric", key) for key in metrics), *(Shown("param", key) for key in params))


def offered(runs: Sequence[Run], *, columns: Sequence[Shown]) -> tuple[tuple[str, Option], ...]:
    """Return the columns that can be chosen, each with the name of its kind; marks those shown."""
    known = dict.fromkeys(columns)
    known |= dict.fromkeys(Shown("metric", k) for k in sorted({k for r in runs for k in r.metrics}))
    known |= dict.fromkeys(Shown("param", k) for k in sorted({k for r in runs for k in r.params}))
    tags = sorted({k for r in runs for k in r.tags if not k.startswith(HIDDEN_TAGS)})
    known |= dict.fromkeys(Shown("tag", key) for key in tags)
    words = {"metric": "Metrics", "param": "Params", "tag": "Tags"}
    return tuple(
        (words[each.kind], Option(each.field, each.key, None, each in columns))
        for each in sorted(
            list(known)[:OFFERED], key=lambda each: (KINDS.index(each.kind), each.key)
        )
    )


def headings(
    found: Sequence[Shown], runs: Sequence[Run], *, asked: RunsAsked
) -> tuple[Column, ...]:
    """Return the headings; each that can be sorted by leads to the list sorted so."""
    fixed = [_heading(label, field, asked=asked) for label, field in FIXED]
    chosen = (
        _heading(each.key, each.field, asked=asked, is_numeric=_is_numeric(runs, each))
        for each in found
    )
    return (*fixed, Column("Took", is_numeric=True), *chosen)


def cells(run: Run, found: Iterable[Shown]) -> tuple[Cell, ...]:
    """Return the cells of a run below the chosen columns."""
    return tuple(_cell(run, each) for each in found)


def param_cell(text: str | None) -> Cell:
    """Return a param as the number it reads as, else as its text."""
    if text is None:
        return None
    try:
        value = float(text)
    except ValueError:
        return text
    if not math.isfinite(value) or len(text) > NUMBER_LENGTH or "_" in text:
        return text
    return int(value) if text.lstrip("-").isdigit() else value


def _cell(run: Run, each: Shown) -> Cell:
    if each.kind == "metric":
        return run.metrics.get(each.key)
    if each.kind == "param":
        return param_cell(run.params.get(each.key))
    return run.tags.get(each.key)


def _heading(label: str, field: str, *, asked: RunsAsked, is_numeric: bool = False) -> Column:
    by, _, direction = asked.sorting.rpartition(" ")
    descending = direction == "desc"
    if not descending:
        by = asked.sorting.removesuffix(" asc")
    is_sorted = by == field
    # The first click on a column that sorts already turns it round.
    wanted = f"{field} desc" if is_sorted and not descending else field
    return Column(
        label,
        asked.address(order="" if wanted == NEWEST_FIRST else wanted),
        ("descending" if descending else "ascending") if is_sorted else "",
        is_numeric,
    )


def _ranked(
    runs: Sequence[Run], values: Sequence[Mapping[str, object]], *, limit: int
) -> tuple[str, ...]:
    counts = Counter(key for each in values for key in each if not key.startswith(SYSTEM))
    distinct = {key: len({each[key] for each in values if key in each}) for key in counts}
    differing = [key for key in counts if distinct[key] > 1]
    if len(runs) == 1 or not differing:
        differing = list(counts)
    # What was compared with (`baseline.log_loss`) stands behind what it was compared to.
    rank = {key: ("." in key, -counts[key], -min(distinct[key], 3), key) for key in differing}
    return tuple(sorted(differing, key=lambda key: rank[key])[:limit])


def _is_numeric(runs: Sequence[Run], each: Shown) -> bool:
    return all(not isinstance(_cell(run, each), str) for run in runs)
