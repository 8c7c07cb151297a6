"""What a filter may ask of traces, and how their list is ordered.

The words of MLflow's clients and ours mean the same fields: `timestamp_ms` in milliseconds is
`started_at`, `request_id` is `id`, `trace.status` is `status`.
"""

from __future__ import annotations

from treadle.kernel.list_fields import ListField, ListFields

_STARTED, _STARTED_MS = ListField("started_at", "instant"), ListField("started_at", "millis")
_ENDED = ListField("ended_at", "instant", nullable=True)
_ENDED_MS = ListField("ended_at", "millis", nullable=True)
_DURATION_MS = ListField("duration_us", "millis", nullable=True)
_ID, _EXPERIMENT_ID = ListField("id"), ListField("experiment_id")
_STATUS = ListField("status", "caseless")
_METADATA, _TAG = ListField("metadata"), ListField("tag")

# Of several words for one field the last is the one that errors suggest.
_ATTRIBUTES = {
    "request_id": _ID,
    "trace_id": _ID,
    "id": _ID,
    "name": ListField("name", nullable=True),
    "state": _STATUS,
    "status": _STATUS,
    "timestamp_ms": _STARTED_MS,
    "timestamp": _STARTED_MS,
    "started_at": _STARTED,
    "execution_time": _DURATION_MS,
    "execution_time_ms": _DURATION_MS,
    "duration": ListField("duration", "number", nullable=True),
    "end_time_ms": _ENDED_MS,
    "end_time": _ENDED_MS,
    "ended_at": _ENDED,
    "client_request_id": ListField("client_request_id", nullable=True),
    "experiment_id": _EXPERIMENT_ID,
    "run_id": ListField("run_id", orders=False),
    "prompt": ListField("prompt", orders=False),
    "text": ListField("text", orders=False),
}

TRACES = ListFields(
    noun="traces",
    keyed={
        "tag": _TAG,
        "tags": _TAG,
        "request_metadata": _METADATA,
        "metadata": _METADATA,
        "feedback": ListField("feedback", "either", orders=False),
        "expectation": ListField("expectation", "either", orders=False),
        "span": ListField("span", orders=False),
        "issue": ListField("issue", orders=False),
    },
    attributes={
        **{f"trace.{name}": field for name, field in _ATTRIBUTES.items()},
        **_ATTRIBUTES,
    },
)
