"""Traces, spans and assessments as MLflow's JSON has them: in the forms of protobuf."""

from __future__ import annotations

import base64
import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.clock import parse_instant
from treadle.kernel.errors import InvalidInput
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.wire import US, Answer, KeyValue, pairs, some
from treadle.tracing.entities import Assessment, AssessmentError, Trace
from treadle.tracing.otlp import TRACE_PREFIX

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.tracing.entities import AssessmentKind, Span, TraceStatus

NAME, PLACE = "mlflow.traceName", "mlflow.artifactLocation"
FINALIZED = "mlflow.trace.infoFinalized"
EXPERIMENT = "MLFLOW_EXPERIMENT"
JSON_FORMAT = "JSON_FORMAT"
_EPOCH, _LAST = datetime(1970, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)
_DURATION = re.compile(r"(\d{1,12})(?:\.(\d{1,9}))?s")
STATES: dict[str | int, TraceStatus] = {
    "STATE_UNSPECIFIED": "unspecified", "OK": "ok", "ERROR": "error", "IN_PROGRESS": "in_progress",
    0: "unspecified", 1: "ok", 2: "error", 3: "in_progress",
    "TRACE_STATUS_UNSPECIFIED": "unspecified",
}  # fmt: skip
SAID: dict[TraceStatus, str] = {
    "unspecified": "STATE_UNSPECIFIED", "ok": "OK", "error": "ERROR", "in_progress": "IN_PROGRESS",
}  # fmt: skip
_CODES = {"ok": "STATUS_CODE_OK", "error": "STATUS_CODE_ERROR"}


class ExperimentPlace(msgspec.Struct):
    experiment_id: str = ""


class Location(msgspec.Struct):
    type: str = EXPERIMENT
    mlflow_experiment: ExperimentPlace = msgspec.field(default_factory=ExperimentPlace)


class SourceWire(msgspec.Struct, omit_defaults=True):
    source_type: str | int = ""
    source_id: str = ""


class ErrorWire(msgspec.Struct, omit_defaults=True):
    error_code: str = ""
    error_message: str = ""
    stack_trace: str = ""


class FeedbackWire(msgspec.Struct, omit_defaults=True):
    value: Any = msgspec.UNSET
    error: ErrorWire | None = None


class Serialized(msgspec.Struct):
    serialization_format: str = ""
    value: str = ""


class ExpectationWire(msgspec.Struct, omit_defaults=True):
    value: Any = msgspec.UNSET
    serialized_value: Serialized | None = None


class IssueWire(msgspec.Struct):
    issue_name: str = ""


class AssessmentWire(msgspec.Struct, omit_defaults=True):
    """An assessment, both ways."""

    assessment_id: str = ""
    assessment_name: str = ""
    trace_id: str = ""
    span_id: str = ""
    source: SourceWire | None = None
    create_time: str = ""
    last_update_time: str = ""
    feedback: FeedbackWire | None = None
    expectation: ExpectationWire | None = None
    issue: IssueWire | None = None
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str = ""
    valid: bool | None = None


class TraceWire(msgspec.Struct, omit_defaults=True):
    """What is known of a trace beside its spans, both ways."""

    trace_id: str = ""
    client_request_id: str | None = None
    trace_location: Location | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    request_time: str = ""
    execution_duration: str | None = None
    state: str | int = 0
    trace_metadata: dict[str, str] = {}
    tags: dict[str, str] = {}
    assessments: tuple[AssessmentWire, ...] = ()


class TraceInfoV2(Answer):
    """The same in the words of version 2."""

    request_id: str
    experiment_id: str
    timestamp_ms: int
    execution_time_ms: int
    status: str
    request_metadata: list[KeyValue] | msgspec.UnsetType
    tags: list[KeyValue] | msgspec.UnsetType


class SpanWire(Answer):
    """A span as protobuf writes OpenTelemetry's."""

    trace_id: str
    span_id: str
    parent_span_id: str | msgspec.UnsetType
    name: str
    start_time_unix_nano: int
    end_time_unix_nano: int | msgspec.UnsetType
    attributes: list[dict[str, Any]] | msgspec.UnsetType
    events: list[dict[str, Any]] | msgspec.UnsetType
    links: list[dict[str, Any]] | msgspec.UnsetType
    status: dict[str, str]


def trace_in(said: TraceWire) -> Trace:
    """Return a trace as its program says it."""
    place = said.trace_location
    tags = dict(said.tags)
    name = tags.pop(NAME, None)
    return Trace(
        id=said.trace_id,
        experiment_id=place.mlflow_experiment.experiment_id if place else "",
        name=name,
        status=_state(said.state),
        started_at=_instant(said.request_time),
        duration_us=None if said.execution_duration is None else _lasted(said.execution_duration),
        client_request_id=said.client_request_id,
        request_preview=said.request_preview,
        response_preview=said.response_preview,
        finalized=True,
        tags=tags,
        metadata={key: text for key, text in said.trace_metadata.items() if key != FINALIZED},
        assessments=tuple(assessment_in(each, trace_id=said.trace_id) for each in said.assessments),
    )


def trace_out(trace: Trace, *, place: str) -> TraceWire:
    """Return what is known of a trace; `place` is where its experiment's files are."""
    lasted = trace.duration_us
    return TraceWire(
        trace_id=trace.id,
        client_request_id=trace.client_request_id,
        trace_location=Location(mlflow_experiment=ExperimentPlace(trace.experiment_id)),
        request_preview=trace.request_preview,
        response_preview=trace.response_preview,
        request_time=_stamp(trace.started_at),
        execution_duration=None if lasted is None else _seconds(lasted // US),
        state=SAID[trace.status],
        trace_metadata=_metadata(trace),
        tags=_tags(trace, place),
        assessments=tuple(assessment_out(each) for each in trace.assessments),
    )


def trace_v2(trace: Trace, *, place: str) -> TraceInfoV2:
    """Return what is known of a trace in the words of version 2."""
    state = SAID[trace.status]
    return TraceInfoV2(
        request_id=trace.id,
        experiment_id=trace.experiment_id,
        timestamp_ms=trace.started_at // US,
        execution_time_ms=(trace.duration_us or 0) // US,
        status="TRACE_STATUS_UNSPECIFIED" if trace.status == "unspecified" else state,
        request_metadata=pairs(_metadata(trace)),
        tags=pairs(_tags(trace, place)),
    )


def span_out(span: Span) -> SpanWire:
    """Return a span with its ids in Base64 and its values as OpenTelemetry's."""
    status = {} if span.status == "unset" else {"code": _CODES[span.status]}
    if span.message:
        status["message"] = span.message
    return SpanWire(
        trace_id=_base64(span.trace_id.removeprefix(TRACE_PREFIX)),
        span_id=_base64(span.id),
        parent_span_id=msgspec.UNSET if span.parent_id is None else _base64(span.parent_id),
        name=span.name,
        start_time_unix_nano=span.start_ns,
        end_time_unix_nano=msgspec.UNSET if span.end_ns is None else span.end_ns,
        attributes=some(_named(span.attributes)),
        events=some(
            {"time_unix_nano": e.at_ns, "name": e.name, **_listed(e.attributes)}
            for e in span.events
        ),
        links=some(
            {
                "trace_id": _base64(link.trace_id.removeprefix(TRACE_PREFIX)),
                "span_id": _base64(link.span_id),
                **_listed(link.attributes),
            }
            for link in span.links
        ),
        status=status,
    )


def span_dict(span: Span) -> dict[str, Any]:
    """Return a span as MLflow keeps it in a file: each attribute as JSON text."""
    return {
        "trace_id": _base64(span.trace_id.removeprefix(TRACE_PREFIX)),
        "span_id": _base64(span.id),
        "parent_span_id": None if span.parent_id is None else _base64(span.parent_id),
        "name": span.name,
        "start_time_unix_nano": span.start_ns,
        "end_time_unix_nano": span.end_ns,
        "events": [
            {"name": e.name, "time_unix_nano": e.at_ns, "attributes": e.attributes}
            for e in span.events
        ],
        "status": {
            "code": _CODES.get(span.status, "STATUS_CODE_UNSET"),
            "message": span.message,
        },
        "attributes": {
            key: msgspec.json.encode(value).decode() for key, value in span.attributes.items()
        },
        "links": [
            {"trace_id": link.trace_id, "span_id": link.span_id, "attributes": link.attributes}
            for link in span.links
        ],
    }


def assessment_in(said: AssessmentWire, *, trace_id: str) -> Assessment:
    """Return what is said about a trace. Raises WireError when it is neither kind."""
    kind, value, error = value_in(said)
    source = said.source or SourceWire()
    return Assessment(
        id=said.assessment_id,
        trace_id=trace_id,
        name=said.assessment_name or (value if kind == "issue" else ""),
        kind=kind,
        value=value,
        error=error,
        source_kind=str(source.source_type),
        source_id=source.source_id,
        span_id=said.span_id,
        rationale=said.rationale,
        metadata=said.metadata,
        overrides=said.overrides,
        valid=said.valid is not False,
        created_at=_instant(said.create_time) if said.create_time else 0,
        updated_at=_instant(said.last_update_time) if said.last_update_time else 0,
    )


def value_in(said: AssessmentWire) -> tuple[AssessmentKind, Any, AssessmentError | None]:
    """Return the kind of an assessment, its value, and why it has none."""
    if said.expectation is not None:
        return "expectation", _expected(said.expectation), None
    if said.feedback is not None:
        found = said.feedback
        error = (
            None
            if found.error is None
            else AssessmentError(
                code=found.error.error_code,
                message=found.error.error_message,
                stack_trace=found.error.stack_trace,
            )
        )
        return "feedback", None if found.value is msgspec.UNSET else found.value, error
    if said.issue is not None:
        return "issue", said.issue.issue_name, None
    raise WireError(INVALID, "Unknown assessment type: None")


def assessment_out(said: Assessment) -> AssessmentWire:
    """Return what is said about a trace."""
    error = None
    if said.error is not None:
        error = ErrorWire(said.error.code, said.error.message, said.error.stack_trace)
    return AssessmentWire(
        assessment_id=said.id,
        assessment_name=said.name,
        trace_id=said.trace_id,
        span_id=said.span_id,
        source=SourceWire(said.source_kind, said.source_id),
        create_time=_stamp(said.created_at),
        last_update_time=_stamp(said.updated_at),
        feedback=FeedbackWire(_given(said.value, error), error)
        if said.kind == "feedback"
        else None,
        expectation=_as_expected(said.value) if said.kind == "expectation" else None,
        issue=IssueWire(str(said.value)) if said.kind == "issue" else None,
        rationale=said.rationale,
        metadata=said.metadata,
        overrides=said.overrides,
        valid=said.valid,
    )


def _given(value: Any, error: ErrorWire | None) -> Any:
    return msgspec.UNSET if value is None and error is not None else value


def _expected(said: ExpectationWire) -> Any:
    if said.serialized_value is None:
        return None if said.value is msgspec.UNSET else said.value
    if said.serialized_value.serialization_format != JSON_FORMAT:
        unknown = said.serialized_value.serialization_format
        raise WireError(INVALID, f"Unknown serialization format: {unknown}. Only JSON_FORMAT.")
    try:
        return msgspec.json.decode(said.serialized_value.value)
    except (msgspec.DecodeError, RecursionError) as error:
        raise WireError(INVALID, f"The expectation's value is no JSON: {error}") from error


def _as_expected(value: Any) -> ExpectationWire:
    if isinstance(value, (list, dict)):
        text = msgspec.json.encode(value).decode()
        return ExpectationWire(serialized_value=Serialized(JSON_FORMAT, text))
    return ExpectationWire(value=value)


def _metadata(trace: Trace) -> dict[str, str]:
    return {**trace.metadata, FINALIZED: "true"} if trace.finalized else trace.metadata


def _tags(trace: Trace, place: str) -> dict[str, str]:
    named = {} if trace.name is None else {NAME: trace.name}
    return {**named, PLACE: f"{place}/traces/{trace.id}/artifacts", **trace.tags}


def _state(said: str | int) -> TraceStatus:
    found = STATES.get(said)
    if found is None:
        raise WireError(INVALID, f"Invalid state {said!r} of a trace.")
    return found


def _instant(text: str) -> int:
    try:
        return parse_instant(text) if text else 0
    except (InvalidInput, OverflowError) as error:
        raise WireError(INVALID, f"{text[:50]!r} is no instant of protobuf.") from error


def _lasted(text: str) -> int:
    found = _DURATION.fullmatch(text)
    if found is None:
        raise WireError(INVALID, f"{text[:50]!r} is no duration of protobuf.")
    return int(found[1]) * US * US + int((found[2] or "").ljust(9, "0")) // US


def _stamp(at: int) -> str:
    millis = at // US
    try:
        when = _EPOCH + timedelta(milliseconds=millis)
    except OverflowError:  # OpenTelemetry counts nanoseconds until 2262, a client what it likes
        when, millis = _LAST, 0
    return f"{when:%Y-%m-%dT%H:%M:%S}{f'.{millis % US:03}' if millis % US else ''}Z"


def _seconds(millis: int) -> str:
    seconds, rest = divmod(millis, US)
    return f"{seconds}.{rest:03}s" if rest else f"{seconds}s"


def _base64(text: str) -> str:
    return base64.b64encode(bytes.fromhex(text)).decode()


def _listed(attributes: Mapping[str, Any]) -> dict[str, Any]:
    return {"attributes": _named(attributes)} if attributes else {}


def _named(values: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": _any(value)} for key, value in values.items()]


def _any(value: Any) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str):
        return {"string_value": value}
    if isinstance(value, bool):
        return {"bool_value": value}
    if isinstance(value, int):
        return {"int_value": value}
    if isinstance(value, float):
        return {"double_value": value}
    if isinstance(value, list):
        return {"array_value": {"values": [_any(each) for each in value]} if value else {}}
    return {"kvlist_value": {"values": _named(value)} if value else {}}
