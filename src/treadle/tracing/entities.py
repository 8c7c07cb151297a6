"""What tracing knows: traces, their spans, and what is said about them."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

TraceStatus = Literal["unspecified", "in_progress", "ok", "error"]
SpanStatus = Literal["unset", "ok", "error"]
AssessmentKind = Literal["feedback", "expectation", "issue"]


class AssessmentError(msgspec.Struct, frozen=True, kw_only=True):
    """Why a judge came to no value."""

    code: str = ""
    message: str = ""
    stack_trace: str = ""


class Assessment(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody says about a trace or one of its spans: a judgement, or what should have come.

    `valid` is false once another one `overrides` it.
    """

    id: str
    trace_id: str
    name: str
    kind: AssessmentKind
    value: Any = None
    error: AssessmentError | None = None
    source_kind: str = ""
    source_id: str = ""
    run_id: str = ""
    span_id: str = ""
    rationale: str | None = None
    metadata: dict[str, str] = {}
    overrides: str = ""
    valid: bool = True
    created_at: int
    updated_at: int


class NewValue(msgspec.Struct, frozen=True, kw_only=True):
    """Another value for an assessment of a kind."""

    kind: AssessmentKind
    value: Any = None
    error: AssessmentError | None = None


class Trace(msgspec.Struct, frozen=True, kw_only=True):
    """One call from its first to its last step; times are µs UTC.

    Tags may change, metadata are what its program said about it once. A trace is `finalized` when
    its program has said all of that; spans may come before and after.
    """

    id: str
    experiment_id: str
    name: str | None = None
    status: TraceStatus = "in_progress"
    started_at: int
    duration_us: int | None = None
    client_request_id: str | None = None
    request_preview: str | None = None
    response_preview: str | None = None
    finalized: bool = False
    tags: dict[str, str] = {}
    metadata: dict[str, str] = {}
    assessments: tuple[Assessment, ...] = ()


class SpanEvent(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened within a span, at a nanosecond; an exception is one."""

    name: str
    at_ns: int
    attributes: dict[str, Any] = {}


class SpanLink(msgspec.Struct, frozen=True, kw_only=True):
    """Another span that a span has to do with, of this trace or another one."""

    trace_id: str
    span_id: str
    attributes: dict[str, Any] = {}


class Span(msgspec.Struct, frozen=True, kw_only=True):
    """One step of a trace. Times are nanoseconds UTC, as OpenTelemetry counts.

    Attributes are plain JSON values; `mlflow.spanInputs` and `mlflow.spanOutputs` are its inputs
    and outputs.
    """

    id: str
    trace_id: str
    parent_id: str | None = None
    name: str
    type: str = ""
    status: SpanStatus = "unset"
    message: str = ""
    start_ns: int
    end_ns: int | None = None
    attributes: dict[str, Any] = {}
    events: tuple[SpanEvent, ...] = ()
    links: tuple[SpanLink, ...] = ()

    @property
    def duration_ns(self) -> int | None:
        """How long it took, or None while it goes on."""
        return None if self.end_ns is None else self.end_ns - self.start_ns

    @property
    def inputs(self) -> Any:
        """What went in."""
        return self.attributes.get("mlflow.spanInputs")

    @property
    def outputs(self) -> Any:
        """What came out."""
        return self.attributes.get("mlflow.spanOutputs")


class SpanBatch(msgspec.Struct, frozen=True, kw_only=True):
    """Spans of one program; `resource` says what it is, in OpenTelemetry's words."""

    resource: dict[str, Any] = {}
    spans: tuple[Span, ...] = ()
