"""What a filter may ask of evaluation datasets, and how their list is ordered."""

from __future__ import annotations

from treadle.kernel.list_fields import ListField, ListFields

_TAG = ListField("tag")

EVALUATIONS = ListFields(
    noun="evaluation datasets",
    keyed={"tag": _TAG, "tags": _TAG},
    attributes={
        "name": ListField("name"),
        "dataset_id": ListField("id"),
        "id": ListField("id"),
        "created_time": ListField("created_at", "millis"),
        "created_at": ListField("created_at", "instant"),
        "last_update_time": ListField("updated_at", "millis"),
        "updated_at": ListField("updated_at", "instant"),
        "created_by": ListField("created_by", nullable=True),
        "last_updated_by": ListField("updated_by", nullable=True),
        "updated_by": ListField("updated_by", nullable=True),
    },
)
