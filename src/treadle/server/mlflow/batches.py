"""What is called most: one metric, one param, one tag, or a batch of them; each one transaction."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import Conflict
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.runs import RunId
from treadle.server.mlflow.wire import US, Ask, Empty, KeyValue, absent, wrong
from treadle.tracking.entities import ModelMetric

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route

INT64 = 1 << 63
AT_END = INT64 // US * US
_DONE = Empty()


class BatchMetric(msgspec.Struct, gc=False):
    key: str = ""
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""


class LogMetric(RunId):
    key: str = ""
    value: float | None = None
    timestamp: int | None = None
    step: int = 0
    model_id: str = ""
    dataset_name: str = ""
    dataset_digest: str = ""

    def missing(self) -> WireError | None:
        """Run, key, value and time are needed."""
        if super().missing():
            return absent("run_id")
        if not self.key:
            return absent("key")
        if self.value is None:
            return absent("value")
        return None if self.timestamp is not None else absent("timestamp")


class LogParam(RunId):
    key: str = ""
    value: str = ""

    def missing(self) -> WireError | None:
        """Run and key are needed."""
        return super().missing() or (None if self.key else absent("key"))


class LogBatch(Ask):
    needs = ("run_id",)
    run_id: str = ""
    metrics: tuple[BatchMetric, ...] = ()
    params: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


def log_metric(call: Call) -> Empty:
    """Log one point of a metric."""
    asked = call.read(LogMetric)
    limits.check_key(asked.key, path="name", what="Metric name")
    _log_points(call, asked.id, (asked,), path="")
    return _DONE


def log_param(call: Call) -> Empty:
    """Log one param."""
    asked = call.read(LogParam)
    limits.check_key(asked.key, path="key", what="Param key")
    value = asked.value[: limits.PARAM_MOST]
    try:
        call.app.tracking.log_batch(asked.id, params={asked.key: value})
    except Conflict as error:
        if "old" not in error.data:
            raise
        raise WireError(
            INVALID,
            f"Changing param values is not allowed. Param with key='{asked.key}' was already "
            f"logged with value='{error.data['old']}' for run ID='{asked.id}'. Attempted logging "
            f"new value '{value}'.",
        ) from error
    return _DONE


def set_tag(call: Call) -> Empty:
    """Set one tag."""
    asked = call.read(LogParam)
    limits.check_key(asked.key, path="key", what="key")
    call.app.tracking.tag_run(asked.id, {asked.key: asked.value[: limits.TAG_MOST]})
    return _DONE


def log_batch(call: Call) -> Empty:
    """Log metrics, params and tags: all of them or none."""
    asked = call.read(LogBatch)
    _check_there(asked)
    limits.check_run_id(asked.run_id)
    limits.check_all(
        [m.key for m in asked.metrics], name="name", path="metrics", what="Metric name"
    )
    limits.check_all([p.key for p in asked.params], name="key", path="params", what="Param key")
    limits.check_all([t.key for t in asked.tags], name="key", path="tags", what="tags[{place}].key")
    limits.check_batch(len(asked.metrics), len(asked.params), len(asked.tags))
    limits.check_unique([p.key for p in asked.params])
    _log_points(
        call,
        asked.run_id,
        asked.metrics,
        path="metrics[{place}].",
        params={p.key: p.value[: limits.PARAM_MOST] for p in asked.params},
        tags={t.key: t.value[: limits.TAG_MOST] for t in asked.tags},
    )
    return _DONE


def _log_points(
    call: Call,
    run_id: str,
    metrics: tuple[BatchMetric | LogMetric, ...],
    *,
    path: str,
    params: dict[str, str] | None = None,
    tags: dict[str, str] | None = None,
) -> None:
    points = [(m.key, m.value, m.step, (m.timestamp or 0) * US) for m in metrics]
    for place, (_, _, step, at) in enumerate(points):
        if not 0 <= at < AT_END or not -INT64 <= step < INT64:
            raise _unfit(metrics[place], path=path.format(place=place))
    of_models = [_of_model(run_id, metric) for metric in metrics if metric.model_id]
    call.app.tracking.log_batch(
        run_id, points=points, params=params or {}, tags=tags or {}, model_metrics=of_models
    )


def _of_model(run_id: str, metric: BatchMetric | LogMetric) -> tuple[str, ModelMetric]:
    found = ModelMetric(
        key=metric.key,
        value=metric.value or 0.0,
        step=metric.step,
        at=(metric.timestamp or 0) * US,
        run_id=run_id,
        dataset_name=metric.dataset_name,
        dataset_digest=metric.dataset_digest,
    )
    return metric.model_id, found


def _unfit(metric: BatchMetric | LogMetric, *, path: str) -> WireError:
    if (metric.timestamp or 0) < 0:
        why = (
            f": metric '{metric.key}' (value={metric.value}). Timestamp must be a nonnegative long "
            "(64-bit integer) "
        )
        return wrong(path + "timestamp", metric.timestamp, why)
    return WireError(INVALID, f"Step or timestamp of metric '{metric.key}' is out of range.")


def _check_there(asked: LogBatch) -> None:
    for place, metric in enumerate(asked.metrics):
        if not metric.key or metric.value is None or metric.timestamp is None:
            name = "key" if not metric.key else "value" if metric.value is None else "timestamp"
            raise absent(f"metrics[{place}].{name}")
    for what, items in (("params", asked.params), ("tags", asked.tags)):
        for place, item in enumerate(items):
            if not item.key:
                raise absent(f"{what}[{place}].key")


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/runs/log-metric", log_metric),
    ("POST", "/mlflow/runs/log-parameter", log_param),
    ("POST", "/mlflow/runs/set-tag", set_tag),
    ("POST", "/mlflow/runs/log-batch", log_batch),
)
