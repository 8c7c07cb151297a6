"""Histories of metrics: of one run by pages, of many runs at once, or thinned for a chart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import NotFound
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.runs import RunId
from treadle.server.mlflow.wire import US, Answer, Ask, absent, finite, number, seen
from treadle.server.mlflow.wire_runs import WireMetric, metric_of

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracking.entities import MetricPoint

BULK_MOST = 25_000
BULK_RUNS_MOST = 100
CHART_MOST = 2500
WHOLE = 10_000_000
"""A history asked for without a page size comes whole, as the genuine server gives it."""


class GetHistory(RunId):
    metric_key: str = ""
    max_results: int | None = None
    page_token: str = ""

    def missing(self) -> WireError | None:
        """Run and key are needed."""
        return super().missing() or (None if self.metric_key else absent("metric_key"))


class GetInterval(Ask):
    needs = ("run_ids", "metric_key")
    run_ids: tuple[str, ...] | None = None
    metric_key: str = ""
    start_step: int | None = None
    end_step: int | None = None
    max_results: int = CHART_MOST


class History(Answer):
    metrics: list[WireMetric] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class RunMetric(Answer, gc=False):
    key: str
    value: float | str
    timestamp: int
    step: int
    run_id: str


class Histories(Answer):
    metrics: list[RunMetric] | msgspec.UnsetType


def history(call: Call) -> History:
    """Return points of a metric by time; what a run never logged has none."""
    asked = call.read(GetHistory)
    size = asked.max_results
    if size is not None and size < 1:
        raise WireError(
            INVALID,
            f"Invalid value {size} for parameter 'max_results' supplied. "
            "It must be a positive integer.",
        )
    offset = limits.offset_of(asked.page_token)
    try:
        page = call.app.tracking.history_page(
            asked.id, asked.metric_key, limit=size or WHOLE, offset=offset
        )
    except NotFound:
        return History(metrics=msgspec.UNSET)
    more = page.next_offset
    return History(
        metrics=[metric_of(point) for point in page.items] or msgspec.UNSET,
        next_page_token=msgspec.UNSET if more is None else limits.token_of(more),
    )


def histories(call: Call) -> Histories:
    """Return points of a metric of many runs, by run and time."""
    query = call.query()
    run_ids, keys = query.get("run_id", []), query.get("metric_key")
    if not run_ids:
        raise WireError(INVALID, "GetMetricHistoryBulk request must specify at least one run_id.")
    if len(run_ids) > BULK_RUNS_MOST:
        raise WireError(
            INVALID,
            f"GetMetricHistoryBulk request cannot specify more than {BULK_RUNS_MOST} run_ids. "
            f"Received {len(run_ids)} run_ids.",
        )
    if keys is None:
        raise WireError(INVALID, "GetMetricHistoryBulk request must specify a metric_key.")
    size = min(_whole(query.get("max_results", [str(BULK_MOST)])[0]), BULK_MOST)
    found = call.app.tracking.histories(sorted(set(run_ids)), keys[0], limit=size)
    rows = [row for run_id, points in found.items() for row in _of_run(run_id, points)]
    return Histories(metrics=rows[:size])


def interval(call: Call) -> Histories:
    """Return at most so many points of each run, thinned evenly, its extremes among them."""
    asked = call.read(GetInterval)
    run_ids = asked.run_ids or ()
    if len(run_ids) > BULK_RUNS_MOST:
        raise seen(
            WireError(
                INVALID,
                f"GetMetricHistoryBulkInterval request must specify at most {BULK_RUNS_MOST} "
                f"run_ids. Received {len(run_ids)} run_ids.",
            )
        )
    if not 1 <= asked.max_results <= CHART_MOST:
        raise seen(WireError(INVALID, f"max_results must be between 1 and {CHART_MOST}."))
    _check_steps(asked.start_step, asked.end_step)
    found = call.app.tracking.chart(
        list(dict.fromkeys(run_ids)),
        asked.metric_key,
        points=asked.max_results,
        first_step=asked.start_step,
        last_step=asked.end_step,
    )
    rows = [row for run_id in run_ids for row in _of_run(run_id, found.get(run_id, ()))]
    return Histories(metrics=rows or msgspec.UNSET)


def _of_run(run_id: str, points: Iterable[MetricPoint]) -> Iterable[RunMetric]:
    return (
        RunMetric(
            key=point.key,
            value=number(finite(point.value)),
            timestamp=point.at // US,
            step=point.step,
            run_id=run_id,
        )
        for point in points
    )


def _check_steps(first: int | None, last: int | None) -> None:
    if (first is None) != (last is None):
        raise WireError(
            INVALID, "If either start step or end step are specified, both must be specified."
        )
    if first is not None and last is not None and first > last:
        raise WireError(
            INVALID,
            "end_step must be greater than start_step. "
            f"Found start_step={first} and end_step={last}.",
        )


def _whole(text: str) -> int:
    if not text.isdecimal() or len(text) > 9:  # noqa: PLR2004 - no limit has more digits
        raise WireError(INVALID, f"Parameter 'max_results' must be an integer, got '{text[:100]}'.")
    return int(text)


ROUTES: tuple[Route, ...] = (
    ("GET", "/mlflow/metrics/get-history", history),
    ("GET", "/mlflow/metrics/get-history-bulk", histories),
    ("GET", "/mlflow/metrics/get-history-bulk-interval", interval),
)
