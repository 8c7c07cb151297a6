"""What is said about traces: feedback and expectations."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from treadle.kernel.errors import NotFound
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.wire import Answer, Ask, Empty, absent
from treadle.server.mlflow.wire_traces import (
    AssessmentWire,
    assessment_in,
    assessment_out,
    value_in,
)
from treadle.tracing.entities import NewValue

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracing.entities import Assessment


class Create(Ask):
    needs = ("assessment",)
    assessment: AssessmentWire | None = None


class Update(Ask):
    """`update_mask` names the fields that change, as protobuf does: by commas, in camelCase."""

    needs = ("assessment", "update_mask")
    assessment: AssessmentWire | None = None
    update_mask: str | None = None


class OneAssessment(Answer):
    assessment: AssessmentWire


def create(call: Call) -> OneAssessment:
    """Log feedback on a trace, or what was expected of it."""
    said = call.read(Create).assessment
    if said is None:
        raise absent("assessment")
    found = assessment_in(said, trace_id=call.path["trace_id"])
    return _answered(lambda: call.app.tracing.log_assessment(found), call.path["trace_id"])


def get(call: Call) -> OneAssessment:
    """Return what was said."""
    trace_id, name = call.path["trace_id"], call.path["assessment_id"]
    return _answered(lambda: call.app.tracing.assessment(trace_id, name), trace_id)


def update(call: Call) -> OneAssessment:
    """Change what was said, as far as the mask names it."""
    asked = call.read(Update)
    said = asked.assessment
    if said is None or asked.update_mask is None:
        raise absent("assessment")
    changes: dict[str, Any] = {}
    for path in asked.update_mask.split(","):
        field = re.sub(r"[A-Z]", lambda found: "_" + found[0].lower(), path.strip())
        if field == "assessment_name":
            changes["name"] = said.assessment_name
        elif field in {"feedback", "expectation"}:
            changes["value"] = _new_value(said, field)
        elif field == "rationale":
            changes["rationale"] = said.rationale or ""
        elif field == "metadata":
            changes["metadata"] = said.metadata
    trace_id, name = call.path["trace_id"], call.path["assessment_id"]
    return _answered(
        lambda: call.app.tracing.change_assessment(trace_id, name, **changes), trace_id
    )


def delete(call: Call) -> Empty:
    """Take back what was said."""
    call.app.tracing.delete_assessment(call.path["trace_id"], call.path["assessment_id"])
    return Empty()


def _new_value(said: AssessmentWire, field: str) -> NewValue:
    kind, value, error = value_in(said)
    if kind != field:
        raise WireError(INVALID, f"The mask names {field}, which is not there.")
    return NewValue(kind=kind, value=value, error=error)


def _answered(work: Callable[[], Assessment], trace_id: str) -> OneAssessment:
    try:
        return OneAssessment(assessment=assessment_out(work()))
    except NotFound as error:
        if error.data["kind"] != "assessment":
            raise
        name = error.data["name"]
        raise WireError(
            ABSENT, f"Assessment with ID '{name}' not found for trace '{trace_id}'"
        ) from error


_ONE = "/mlflow/traces/{trace_id}/assessments/{assessment_id}"
ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/traces/{trace_id}/assessments", create),
    ("GET", _ONE, get),
    ("PATCH", _ONE, update),
    ("DELETE", _ONE, delete),
)
