"""What a filter may ask of models and model versions, and how their lists are ordered.

`check_filter(text, MODELS)` reads a filter; `treadle.storage.matching` turns it into SQL.
"""

from __future__ import annotations

from treadle.kernel.list_fields import ListField, ListFields

_TAGS = {"tag": ListField("tag"), "tags": ListField("tag")}
_NAME = ListField("name")
_TIMES = {
    "creation_timestamp": ListField("created_at", "millis"),
    "created_at": ListField("created_at", "instant"),
    "timestamp": ListField("updated_at", "millis"),
    "last_updated_timestamp": ListField("updated_at", "millis"),
    "updated_at": ListField("updated_at", "instant"),
}
_VERSION = ListField("version", "whole")

MODELS = ListFields(noun="models", keyed=_TAGS, attributes={"name": _NAME, **_TIMES})

VERSIONS = ListFields(
    noun="model versions",
    keyed=_TAGS,
    attributes={
        "name": _NAME,
        "version_number": _VERSION,
        "version": _VERSION,
        "run_id": ListField("run_id"),
        "source_path": ListField("source"),
        "source": ListField("source"),
        "flavor": ListField("flavor"),
        "stage": ListField("stage", "caseless"),
        "status": ListField("status", "caseless"),
        **_TIMES,
    },
)
