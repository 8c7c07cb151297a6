"""The verbs of what runs log: metrics, params and tags together, and the histories of metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import Conflict
from treadle.tracking import rules, store
from treadle.tracking.service import runs as of_runs
from treadle.tracking.service.doors import NOTHING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import MetricPoint, ModelMetric
    from treadle.tracking.rules import PointTuple
    from treadle.tracking.service.doors import Doors


def log(
    self: Doors,
    run_id: str,
    *,
    metrics: Mapping[str, object] = NOTHING,
    step: int = 0,
    params: Mapping[str, object] = NOTHING,
    tags: Mapping[str, object] = NOTHING,
) -> None:
    """Log metrics at a step, params and tags of a run: all of them or, on any error, none.

    A param is written once: another value for it raises Conflict, the same value is fine. A run
    that has ended can still be added to.
    """
    new_params, new_tags = rules.check_params(params), rules.check_tags(tags)

    def work(tx: Transaction) -> None:
        points = [(key, value, step, tx.at) for key, value in metrics.items()]
        places = rules.check_points(points)
        _write(tx, run_id, places=places, params=new_params, tags=new_tags)

    self.together.write(work)


def log_batch(
    self: Doors,
    run_id: str,
    *,
    points: Iterable[MetricPoint | PointTuple] = (),
    params: Mapping[str, object] = NOTHING,
    tags: Mapping[str, object] = NOTHING,
    model_metrics: Iterable[tuple[str, ModelMetric]] = (),
) -> None:
    """Log many points, params and tags of a run in one transaction: all of them or none.

    A point is a MetricPoint or a tuple of key, value, step and instant (µs UTC). A batch that is
    sent again changes nothing. `model_metrics` are values of logged models, each with its id.
    """
    places = rules.check_points(points)
    new_params, new_tags = rules.check_params(params), rules.check_tags(tags)

    def work(tx: Transaction) -> None:
        _write(tx, run_id, places=places, params=new_params, tags=new_tags)
        store.add_model_metrics(tx, model_metrics)

    self.together.write(work)


def log_points(self: Doors, run_id: str, points: Iterable[MetricPoint | PointTuple]) -> None:
    """Log many metric points, each with its own step and instant; a point sent twice is one.

    The latest of a metric has the greatest step, then instant, then value (NaN counts as zero).
    """
    log_batch(self, run_id, points=points)


def _write(
    tx: Transaction,
    run_id: str,
    *,
    places: Mapping[str, list[rules.Place]],
    params: Mapping[str, str],
    tags: Mapping[str, str],
) -> None:
    of_runs.must_be_live(tx, run_id, lock=bool(params))
    if params:
        _add_params(tx, run_id, params)
    if tags:
        of_runs.put_tags(tx, run_id, tags)
    store.add_points(tx, run_id, places)


def _add_params(tx: Transaction, run_id: str, params: Mapping[str, str]) -> None:
    before = store.params_among(tx, run_id, keys=params)
    changed = [
        {"key": key, "old_value": old, "new_value": params[key]}
        for key, old in before.items()
        if params[key] != old
    ]
    if changed:
        raise _written_once(run_id, changed)
    store.add_params(tx, run_id, {k: v for k, v in params.items() if k not in before})


def _written_once(run_id: str, changed: Sequence[Mapping[str, Any]]) -> Conflict:
    key, old, new = changed[0].values()
    return Conflict(
        f"Param {key!r} of run {run_id} is {rules.shown(old)} and cannot become "
        f"{rules.shown(new)}.",
        hint="A param is written once; log what changes as a metric or a tag.",
        run=run_id,
        key=key,
        old=old,
        new=new,
        changed=changed,
    )
