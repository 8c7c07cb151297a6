"""Spans as OpenTelemetry's exporters send them: OTLP over HTTP, as Protocol Buffers or as JSON.

The messages are those of opentelemetry-proto 1.x, `ExportTraceServiceRequest` and what is in it.
Their values become plain JSON values: bytes as Base64, numbers that are not finite as text.
"""

from __future__ import annotations

import base64
import math
import struct
from typing import Any, NoReturn, TypeVar

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.kernel.protobuf import Malformed, Parts, fields_of, signed
from treadle.tracing.entities import Span, SpanBatch, SpanEvent, SpanLink, SpanStatus

T = TypeVar("T")

DEEPEST = 32
SPANS_MOST = 10_000
"""Of one request; exporters send some hundred."""
ATTRIBUTES_MOST = 1000
"""Of one span, event or link; OpenTelemetry's own limit is 128."""
TRACE_PREFIX = "tr-"
REQUEST_ID, SPAN_TYPE = "mlflow.traceRequestId", "mlflow.spanType"
_TRACE_ID, _SPAN_ID = 16, 8
_INT64 = 1 << 63
_DOUBLE = struct.Struct("<d")
_STATUSES: dict[int | str, SpanStatus] = {
    0: "unset", 1: "ok", 2: "error",
    "STATUS_CODE_UNSET": "unset", "STATUS_CODE_OK": "ok", "STATUS_CODE_ERROR": "error",
}  # fmt: skip


def read_protobuf(data: bytes) -> tuple[SpanBatch, ...]:
    """Return the spans of a request in Protocol Buffers. Raises InvalidInput."""
    try:
        found = tuple(
            SpanBatch(
                resource=_attributes(Parts(part.bytes(1)).all_bytes(1)),
                spans=tuple(
                    _span(Parts(span))
                    for scope in part.all_bytes(2)
                    for span in Parts(scope).all_bytes(2)
                ),
            )
            for part in map(Parts, Parts(data).all_bytes(1))
        )
    except (Malformed, UnicodeDecodeError) as error:
        _refuse(error)
    return _bounded(found)


def read_json(data: bytes) -> tuple[SpanBatch, ...]:
    """Return the spans of a request in JSON. Raises InvalidInput."""
    try:
        asked = _REQUEST.decode(data)
        found = tuple(
            SpanBatch(
                resource=_named(part.resource.attributes),
                spans=tuple(_span_of(s) for scope in part.scope_spans for s in scope.spans),
            )
            for part in asked.resource_spans
        )
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        _refuse(error)
    return _bounded(found)


def _refuse(error: Exception) -> NoReturn:
    raise InvalidInput("These are no spans of OpenTelemetry.", hint=str(error)) from error


def _bounded(found: tuple[SpanBatch, ...]) -> tuple[SpanBatch, ...]:
    count = sum(len(batch.spans) for batch in found)
    if count > SPANS_MOST:
        raise InvalidInput(
            f"{count} spans are too many at once.", hint=f"Send at most {SPANS_MOST} in a request."
        )
    return found


def _span(parts: Parts) -> Span:
    status = Parts(parts.bytes(15))
    return _made(
        trace_id=parts.bytes(1),
        span_id=parts.bytes(2),
        parent_id=parts.bytes(4),
        name=parts.bytes(5).decode(),
        start_ns=_fixed(parts.bytes(7)),
        end_ns=_fixed(parts.bytes(8)),
        attributes=_attributes(parts.all_bytes(9)),
        events=tuple(_event(Parts(each)) for each in parts.all_bytes(11)),
        links=tuple(_link(Parts(each)) for each in parts.all_bytes(13)),
        status=_STATUSES.get(status.number(3), "unset"),
        message=status.bytes(2).decode(),
    )


def _event(parts: Parts) -> SpanEvent:
    return SpanEvent(
        name=_clean(parts.bytes(2).decode()),
        at_ns=_fixed(parts.bytes(1)),
        attributes=_attributes(parts.all_bytes(3)),
    )


def _link(parts: Parts) -> SpanLink:
    return SpanLink(
        trace_id=TRACE_PREFIX + parts.bytes(1).hex(),
        span_id=parts.bytes(2).hex(),
        attributes=_attributes(parts.all_bytes(4)),
    )


def _attributes(pairs: list[bytes]) -> dict[str, Any]:
    _check_count(len(pairs))
    return {
        _clean(pair.bytes(1).decode()): _value(pair.bytes(2), deep=0)
        for pair in (Parts(each) for each in pairs)
    }


def _value(data: bytes, *, deep: int) -> Any:
    """Return an AnyValue; of several fields, of which one may be set, the last one counts."""
    _check_depth(deep)
    value: Any = None
    for number, found in fields_of(data):
        if isinstance(found, int):
            value = bool(found) if number == 2 else signed(found) if number == 3 else value  # noqa: PLR2004 - bool_value, int_value
        elif number == 1:
            value = _clean(found.decode())
        elif number == 4 and len(found) == _DOUBLE.size:  # noqa: PLR2004 - double_value
            value = _finite(_DOUBLE.unpack(found)[0])
        elif number == 5:  # noqa: PLR2004 - array_value
            value = [_value(each, deep=deep + 1) for each in Parts(found).all_bytes(1)]
        elif number == 6:  # noqa: PLR2004 - kvlist_value
            pairs = (Parts(each) for each in Parts(found).all_bytes(1))
            value = {
                _clean(pair.bytes(1).decode()): _value(pair.bytes(2), deep=deep + 1)
                for pair in pairs
            }
        elif number == 7:  # noqa: PLR2004 - bytes_value
            value = base64.b64encode(found).decode()
    return value


class _Any(msgspec.Struct, rename="camel"):
    string_value: str | None = None
    bool_value: bool | None = None
    int_value: int | str | None = None
    double_value: float | str | None = None
    bytes_value: str | None = None
    array_value: _Array | None = None
    kvlist_value: _Pairs | None = None


class _Array(msgspec.Struct):
    values: tuple[_Any, ...] = ()


class _Pair(msgspec.Struct):
    key: str = ""
    value: _Any | None = None


class _Pairs(msgspec.Struct):
    values: tuple[_Pair, ...] = ()


class _Event(msgspec.Struct, rename="camel"):
    name: str = ""
    time_unix_nano: int | str = 0
    attributes: tuple[_Pair, ...] = ()


class _Link(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    attributes: tuple[_Pair, ...] = ()


class _Status(msgspec.Struct):
    code: int | str = 0
    message: str = ""


class _Span(msgspec.Struct, rename="camel"):
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    name: str = ""
    start_time_unix_nano: int | str = 0
    end_time_unix_nano: int | str = 0
    attributes: tuple[_Pair, ...] = ()
    events: tuple[_Event, ...] = ()
    links: tuple[_Link, ...] = ()
    status: _Status = msgspec.field(default_factory=_Status)


class _Scope(msgspec.Struct):
    spans: tuple[_Span, ...] = ()


class _Resource(msgspec.Struct):
    attributes: tuple[_Pair, ...] = ()


class _Part(msgspec.Struct, rename="camel"):
    resource: _Resource = msgspec.field(default_factory=_Resource)
    scope_spans: tuple[_Scope, ...] = ()


class _Request(msgspec.Struct, rename="camel"):
    resource_spans: tuple[_Part, ...] = ()


_REQUEST = msgspec.json.Decoder(_Request)


def _span_of(span: _Span) -> Span:
    return _made(
        trace_id=bytes.fromhex(span.trace_id),
        span_id=bytes.fromhex(span.span_id),
        parent_id=bytes.fromhex(span.parent_span_id),
        name=span.name,
        start_ns=_nanos(span.start_time_unix_nano),
        end_ns=_nanos(span.end_time_unix_nano),
        attributes=_named(span.attributes),
        events=tuple(
            SpanEvent(
                name=_clean(each.name),
                at_ns=_nanos(each.time_unix_nano),
                attributes=_named(each.attributes),
            )
            for each in span.events
        ),
        links=tuple(
            SpanLink(
                trace_id=TRACE_PREFIX + bytes.fromhex(each.trace_id).hex(),
                span_id=bytes.fromhex(each.span_id).hex(),
                attributes=_named(each.attributes),
            )
            for each in span.links
        ),
        status=_STATUSES.get(span.status.code, "unset"),
        message=span.status.message,
    )


def _named(pairs: tuple[_Pair, ...]) -> dict[str, Any]:
    _check_count(len(pairs))
    return {_clean(pair.key): _any(pair.value, deep=0) for pair in pairs}


def _any(value: _Any | None, *, deep: int) -> Any:
    _check_depth(deep)
    if value is None:
        return None
    if value.array_value is not None:
        return [_any(each, deep=deep + 1) for each in value.array_value.values]
    if value.kvlist_value is not None:
        pairs = value.kvlist_value.values
        return {_clean(pair.key): _any(pair.value, deep=deep + 1) for pair in pairs}
    if value.int_value is not None:
        return signed(int(value.int_value))
    if value.double_value is not None:
        return _finite(float(value.double_value))
    text = value.bytes_value if value.string_value is None else value.string_value
    return value.bool_value if text is None else _clean(text)


def _made(
    *,
    trace_id: bytes,
    span_id: bytes,
    parent_id: bytes,
    name: str,
    start_ns: int,
    end_ns: int,
    attributes: dict[str, Any],
    events: tuple[SpanEvent, ...],
    links: tuple[SpanLink, ...],
    status: SpanStatus,
    message: str,
) -> Span:
    if len(trace_id) != _TRACE_ID or len(span_id) != _SPAN_ID or len(parent_id) not in {0, 8}:
        raise Malformed("The id of a trace has 16 bytes, that of a span has 8.")
    trace = TRACE_PREFIX + trace_id.hex()
    kind = attributes.get(SPAN_TYPE)
    return Span(
        id=span_id.hex(),
        trace_id=trace,
        parent_id=parent_id.hex() or None,
        name=_clean(name),
        type=kind if isinstance(kind, str) else "",
        status=status,
        message=_clean(message),
        start_ns=start_ns,
        end_ns=end_ns or None,
        # Whatever a program says: a span belongs to the trace of its own id.
        attributes={**attributes, REQUEST_ID: trace},
        events=events,
        links=links,
    )


def _fixed(data: bytes) -> int:
    return min(int.from_bytes(data, "little"), _INT64 - 1)


def _nanos(value: int | str) -> int:
    return max(0, min(int(value), _INT64 - 1))


def _finite(value: float) -> float | str:
    return value if math.isfinite(value) else str(value)


def _clean(text: str) -> str:
    # PostgreSQL stores no NUL; nobody misses it in what a program said about itself.
    return text.replace("\x00", "\ufffd") if "\x00" in text else text


def _check_depth(deep: int) -> None:
    if deep > DEEPEST:
        raise Malformed(f"A value is more than {DEEPEST} deep.")


def _check_count(count: int) -> None:
    if count > ATTRIBUTES_MOST:
        raise Malformed(f"{count} attributes are more than {ATTRIBUTES_MOST}.")
