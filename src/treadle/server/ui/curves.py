"""Curves of metrics, thinned so that their extremes stay, for pages that draw them by script."""

from __future__ import annotations

import math
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from treadle.server.ui.contexts import CurveLook, CurveSet
from treadle.server.ui.places import asking
from treadle.server.ui.run_columns import SYSTEM
from treadle.server.ui.widgets import Option

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.app import App
    from treadle.tracking.entities import MetricPoint, Run

KEYS_MOST = 120
RUNS_MOST = 50
# What a browser draws of one metric without a stutter, shared by its runs.
POINTS_ALL = 12_000
SYSTEM_SET = SYSTEM.rstrip("/")
POINTS_LEAST, POINTS_MOST = 240, 2_000
AXES = (("step", "Step"), ("time", "Time"), ("relative", "Time since its start"))


class Curve(msgspec.Struct, frozen=True):
    """A metric of a run: steps, instants (µs) and values; whether points were left out."""

    run: str
    key: str
    step: tuple[int, ...]
    at: tuple[int, ...]
    value: tuple[float | None, ...]
    is_thinned: bool


def curves(app: App, runs: Sequence[str], keys: Sequence[str]) -> tuple[Curve, ...]:
    """Return the thinned curves of some metrics of some runs; those without points are left out."""
    most = min(max(POINTS_ALL // max(len(runs), 1), POINTS_LEAST), POINTS_MOST)
    return tuple(
        _curve(run, key, points, is_thinned=_is_thinned(app, run, points, most=most))
        for key in keys[:KEYS_MOST]
        for run, points in app.tracking.chart(runs[:RUNS_MOST], key, points=most).items()
    )


def curve_sets(app: App, runs: Sequence[Run], *, is_live: bool = False) -> tuple[CurveSet, ...]:
    """Return the metrics that have a course, grouped by what stands before their slash."""
    groups = _grouped(sorted(_keys_with_a_course(app, runs))[:KEYS_MOST])
    ids = tuple(run.id for run in runs)
    names = tuple(run.name or run.id[:12] for run in runs)
    return tuple(
        CurveSet(
            id="".join(c if c.isalnum() else "-" for c in group) or "metrics",
            label="" if group == SYSTEM_SET and len(runs) == 1 else group,
            keys=tuple(members),
            runs=ids,
            names=names,
            href=asking("/ui/curves.json", {"runs": ",".join(ids)}),
            is_live=is_live,
        )
        for group, members in sorted(groups.items(), key=_own_first)
    )


def curve_look(given: Mapping[str, str]) -> CurveLook:
    """Return how the address wants its curves drawn."""
    x = given.get("x", "")
    try:
        smooth = float(given.get("smooth", "0"))
    except ValueError:
        smooth = 0.0
    wanted = x if x in dict(AXES) else "step"
    return CurveLook(
        x=tuple(Option(value, label, None, value == wanted) for value, label in AXES),
        is_log=given.get("log", "") == "1",
        smooth=min(max(smooth, 0.0), 0.99) if math.isfinite(smooth) else 0.0,
    )


def _is_thinned(app: App, run: str, points: Sequence[MetricPoint], *, most: int) -> bool:
    # Far fewer points than may be shown are all there are.
    if 4 * len(points) < most:
        return False
    return app.tracking.history_page(run, points[0].key, limit=1).total > len(points)


def _curve(run: str, key: str, points: Sequence[MetricPoint], *, is_thinned: bool) -> Curve:
    return Curve(
        run=run,
        key=key,
        step=tuple(p.step for p in points),
        at=tuple(p.at for p in points),
        value=tuple(p.value if math.isfinite(p.value) else None for p in points),
        is_thinned=is_thinned,
    )


def _keys_with_a_course(app: App, runs: Sequence[Run]) -> set[str]:
    if len(runs) == 1:
        summaries = app.tracking.metric_summaries(runs[0].id)
        return {each.key for each in summaries if each.points > 1}
    # Of many runs the latest points are known already; whoever counts no steps has no curve there.
    return {point.key for run in runs for point in run.latest if point.step}


def _grouped(keys: Sequence[str]) -> dict[str, list[str]]:
    sizes = Counter(key.partition("/")[0] for key in keys if "/" in key)
    groups: dict[str, list[str]] = {}
    for key in keys:
        first = key.partition("/")[0]
        # `train/loss` and `val/loss` belong beside each other when each is alone in its group.
        is_group = sizes[first] > 1 or first == SYSTEM_SET
        groups.setdefault(first if is_group else "", []).append(key)
    return groups


def _own_first(group: tuple[str, object]) -> tuple[bool, bool, str]:
    # What the machine did stands behind what the model learned.
    name = group[0]
    return name == SYSTEM_SET, bool(name), name
