"""OTLP against the messages of Protocol Buffers' own library, made from the published fields."""

from __future__ import annotations

import base64
import json
import math
from contextlib import suppress

import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.errors import InvalidInput
from treadle.tracing.otlp import DEEPEST, read_json, read_protobuf

F = descriptor_pb2.FieldDescriptorProto
# opentelemetry-proto 1.x: message → (field, number, type, repeated).
MESSAGES = {
    "AnyValue": [
        ("string_value", 1, F.TYPE_STRING, False), ("bool_value", 2, F.TYPE_BOOL, False),
        ("int_value", 3, F.TYPE_INT64, False), ("double_value", 4, F.TYPE_DOUBLE, False),
        ("array_value", 5, "ArrayValue", False), ("kvlist_value", 6, "KeyValueList", False),
        ("bytes_value", 7, F.TYPE_BYTES, False),
    ],
    "ArrayValue": [("values", 1, "AnyValue", True)],
    "KeyValueList": [("values", 1, "KeyValue", True)],
    "KeyValue": [("key", 1, F.TYPE_STRING, False), ("value", 2, "AnyValue", False)],
    "Resource": [("attributes", 1, "KeyValue", True)],
    "Event": [
        ("time_unix_nano", 1, F.TYPE_FIXED64, False), ("name", 2, F.TYPE_STRING, False),
        ("attributes", 3, "KeyValue", True),
    ],
    "Link": [
        ("trace_id", 1, F.TYPE_BYTES, False), ("span_id", 2, F.TYPE_BYTES, False),
        ("attributes", 4, "KeyValue", True),
    ],
    "Status": [("message", 2, F.TYPE_STRING, False), ("code", 3, F.TYPE_INT32, False)],
    "Span": [
        ("trace_id", 1, F.TYPE_BYTES, False), ("span_id", 2, F.TYPE_BYTES, False),
        ("parent_span_id", 4, F.TYPE_BYTES, False), ("name", 5, F.TYPE_STRING, False),
        ("kind", 6, F.TYPE_INT32, False), ("start_time_unix_nano", 7, F.TYPE_FIXED64, False),
        ("end_time_unix_nano", 8, F.TYPE_FIXED64, False), ("attributes", 9, "KeyValue", True),
        ("events", 11, "Event", True), ("links", 13, "Link", True), ("status", 15, "Status", False),
        ("flags", 16, F.TYPE_FIXED32, False),
    ],
    "ScopeSpans": [("spans", 2, "Span", True)],
    "ResourceSpans": [("resource", 1, "Resource", False), ("scope_spans", 2, "ScopeSpans", True)],
    "Request": [("resource_spans", 1, "ResourceSpans", True)],
}  # fmt: skip
IDS = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "2"}


def _messages():
    file = descriptor_pb2.FileDescriptorProto(name="o.proto", package="o", syntax="proto3")
    for name, fields in MESSAGES.items():
        message = file.message_type.add(name=name)
        if name == "AnyValue":
            message.oneof_decl.add(name="value")
        for field, number, kind, repeated in fields:
            made = message.field.add(name=field, number=number)
            made.label = F.LABEL_REPEATED if repeated else F.LABEL_OPTIONAL
            made.type = F.TYPE_MESSAGE if isinstance(kind, str) else kind
            if isinstance(kind, str):
                made.type_name = f".o.{kind}"
            if name == "AnyValue":
                made.oneof_index = 0
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    find = pool.FindMessageTypeByName
    return {name: message_factory.GetMessageClass(find(f"o.{name}")) for name in MESSAGES}


MADE = _messages()


def put(value, given) -> None:
    """Write a plain value into an AnyValue."""
    if isinstance(given, bool):
        value.bool_value = given
    elif isinstance(given, int):
        value.int_value = given
    elif isinstance(given, float):
        value.double_value = given
    elif isinstance(given, str):
        value.string_value = given
    elif isinstance(given, bytes):
        value.bytes_value = given
    elif isinstance(given, list):
        value.array_value.SetInParent()
        for each in given:
            put(value.array_value.values.add(), each)
    elif isinstance(given, dict):
        value.kvlist_value.SetInParent()
        for key, each in given.items():
            pair = value.kvlist_value.values.add(key=key)
            pair.value.SetInParent()
            put(pair.value, each)


def as_json(given):
    """Write a plain value as OTLP's JSON."""
    if isinstance(given, bool):
        return {"boolValue": given}
    if isinstance(given, int):
        return {"intValue": str(given)}
    if isinstance(given, float):
        return {"doubleValue": given}
    if isinstance(given, str):
        return {"stringValue": given}
    if isinstance(given, bytes):
        return {"bytesValue": base64.b64encode(given).decode()}
    if isinstance(given, list):
        return {"arrayValue": {"values": [as_json(each) for each in given]}}
    if isinstance(given, dict):
        values = [{"key": key, "value": as_json(each)} for key, each in given.items()]
        return {"kvlistValue": {"values": values}}
    return {}


def read_back(given):
    """Return what a value is to be read as."""
    if isinstance(given, bytes):
        return base64.b64encode(given).decode()
    if isinstance(given, list):
        return [read_back(each) for each in given]
    if isinstance(given, dict):
        return {key: read_back(each) for key, each in given.items()}
    if isinstance(given, float) and not math.isfinite(given):
        return str(given)
    return given


def request_of(attributes):
    request = MADE["Request"]()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="s", flags=1, kind=3)
    span.trace_id, span.span_id = bytes(15) + b"\x01", bytes(7) + b"\x02"
    span.start_time_unix_nano = 5
    for key, given_value in attributes.items():
        put(span.attributes.add(key=key).value, given_value)
    return request


def deep(levels: int):
    value = 1
    for _ in range(levels):
        value = [value]
    return value


texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\x00"), max_size=8)
plain = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False)
    | texts
    | st.binary(max_size=8),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(texts, below, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(texts, plain, max_size=4))
def test_what_the_library_writes_is_read_back(attributes):
    (found,) = read_protobuf(request_of(attributes).SerializeToString())

    expected = {key: read_back(value) for key, value in attributes.items()}
    mark = {"mlflow.traceRequestId": "tr-" + IDS["traceId"]}
    assert found.spans[0].attributes == {**expected, **mark}


@given(st.dictionaries(texts, plain, max_size=4))
def test_json_and_protocol_buffers_say_the_same(attributes):
    pairs = [{"key": key, "value": as_json(value)} for key, value in attributes.items()]
    span = {**IDS, "name": "s", "startTimeUnixNano": "5", "attributes": pairs}
    body = json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]})
    has_odd = any(word in body for word in ("Infinity", "NaN"))

    binary = read_protobuf(request_of(attributes).SerializeToString())

    assert has_odd or read_json(body.encode()) == binary


@given(st.binary(max_size=200))
def test_any_bytes_are_spans_or_refused(data):
    for read in (read_protobuf, read_json):
        with suppress(InvalidInput):
            read(data)


@pytest.mark.parametrize("levels", [DEEPEST + 1, 90])
def test_a_value_that_is_too_deep_is_refused(levels):
    with pytest.raises(InvalidInput, match="deep"):
        read_protobuf(request_of({"a": deep(levels)}).SerializeToString())


def test_json_that_is_too_deep_is_refused():
    body = b'{"resourceSpans":' + b"[" * 100_000

    with pytest.raises(InvalidInput):
        read_json(body)


def test_more_attributes_than_a_span_has_are_refused():
    with pytest.raises(InvalidInput, match="more than 1000"):
        read_protobuf(request_of({f"k{n}": 1 for n in range(1001)}).SerializeToString())


def test_a_nul_becomes_the_mark_of_what_cannot_be_shown():
    (found,) = read_protobuf(request_of({"a": "x\x00y"}).SerializeToString())

    assert found.spans[0].attributes["a"] == "x\ufffdy"


@pytest.mark.parametrize("trace", [b"", b"\x01", bytes(17)])
def test_ids_of_a_wrong_length_are_refused(trace):
    request = request_of({})
    request.resource_spans[0].scope_spans[0].spans[0].trace_id = trace

    with pytest.raises(InvalidInput, match="16 bytes"):
        read_protobuf(request.SerializeToString())
