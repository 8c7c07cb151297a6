"""What a filter may ask of runs, experiments and logged models, and how their lists are ordered.

The words of MLflow's clients and ours mean the same fields: `attributes.start_time` in milliseconds
is `started_at`, `run_name` is `name`, `metrics.x` is `metric.x`.
"""

from __future__ import annotations

from treadle.kernel.list_fields import ListField, ListFields

_METRIC, _PARAM, _TAG = ListField("metric", "number"), ListField("param"), ListField("tag")
_STARTED, _STARTED_MS = ListField("started_at", "instant"), ListField("started_at", "millis")
_ENDED = ListField("ended_at", "instant", nullable=True)
_ENDED_MS = ListField("ended_at", "millis", nullable=True)
_CREATED, _CREATED_MS = ListField("created_at", "instant"), ListField("created_at", "millis")
_UPDATED, _UPDATED_MS = ListField("updated_at", "instant"), ListField("updated_at", "millis")
_NAME, _ID, _EXPERIMENT_ID = ListField("name"), ListField("id"), ListField("experiment_id")
_STATUS = ListField("status", "caseless")

# Of several words for one field the last is the one that errors suggest.
_KEYED = {
    "metric": _METRIC,
    "metrics": _METRIC,
    "param": _PARAM,
    "parameter": _PARAM,
    "parameters": _PARAM,
    "params": _PARAM,
    "tag": _TAG,
    "tags": _TAG,
}
_DATASET = {
    f"{noun}.{what}": ListField(f"dataset_{what}", orders=False)
    for noun in ("datasets", "dataset")
    for what in ("name", "digest", "context")
}

RUNS = ListFields(
    noun="runs",
    keyed=_KEYED,
    attributes={
        "status": _STATUS,
        "run name": _NAME,
        "Run name": _NAME,
        "Run Name": _NAME,
        "run_name": _NAME,
        "name": _NAME,
        "actor": ListField("actor"),
        "user_id": ListField("user_id"),
        "experiment": ListField("experiment"),
        "experiment_id": _EXPERIMENT_ID,
        "run_id": _ID,
        "id": _ID,
        "parent_id": ListField("parent_id", nullable=True),
        "artifact_uri": ListField("artifact_uri"),
        "created": _STARTED_MS,
        "Created": _STARTED_MS,
        "start_time": _STARTED_MS,
        "started_at": _STARTED,
        "end_time": _ENDED_MS,
        "ended_at": _ENDED,
        "duration": ListField("duration", "number", nullable=True),
        **_DATASET,
    },
)

EXPERIMENTS = ListFields(
    noun="experiments",
    keyed={"tag": _TAG, "tags": _TAG},
    attributes={
        "name": _NAME,
        "experiment_id": _ID,
        "id": _ID,
        "creation_time": _CREATED_MS,
        "created_at": _CREATED,
        "last_update_time": _UPDATED_MS,
        "updated_at": _UPDATED,
    },
)

LOGGED_MODELS = ListFields(
    noun="logged models",
    keyed=_KEYED,
    bare_texts=True,
    attributes={
        "name": _NAME,
        "model_id": _ID,
        "id": _ID,
        "model_type": ListField("model_type"),
        "status": _STATUS,
        "source_run_id": ListField("source_run_id"),
        "experiment_id": _EXPERIMENT_ID,
        "creation_time": _CREATED_MS,
        "creation_timestamp": _CREATED_MS,
        "creation_timestamp_ms": _CREATED_MS,
        "created_at": _CREATED,
        "last_updated_time": _UPDATED_MS,
        "last_updated_timestamp": _UPDATED_MS,
        "last_updated_timestamp_ms": _UPDATED_MS,
        "updated_at": _UPDATED,
    },
)
