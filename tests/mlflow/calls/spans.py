"""Spans by OTLP, as an exporter of OpenTelemetry sends them, and what is read back of them."""

import gzip
import hashlib
import zlib

import mlflow
import requests
import steps
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status
from steps import get, post

DIFFERENCES = {
    "without_an_experiment": "ours take an exporter that names none into the default one",
    "names": "ours name a trace that has no name after its first span",
    "wrongly": "words: ours say which part is wrong",
    "wrongly_in_json": "the genuine server fails with 500 on JSON that is no object",
    "search_by_attribute[0]": "the genuine server looks for a bare value in text full of quotes",
    "bytes_of_a_value": "the genuine server writes bytes as Python shows them",
    "json": "words: ours answer JSON with JSON, as the protocol asks",
    "ids_of_a_wrong_length": "ours take ids of the length that the protocol asks for",
}
DIFFERENCES_36 = {
    "json[0]": "3.6 takes Protocol Buffers only",
    "json[1]": "3.6 takes Protocol Buffers only",
    "json[2]": "3.6 takes Protocol Buffers only",
    "one[0]": "3.6 answers with a sentence in Protocol Buffers",
    "values": "3.6 reads what is empty as nothing",
    "search_by_span": "3.6 asks each span condition of any span",
    "packed": "3.6 does not unpack",
    "get": "3.6 has no such route",
    "links": "3.6 leaves links out",
    "resource": "3.6 does not tag traces by their resource",
    "tags_of_the_root": "3.6 does not know them",
    "sessions": "3.6 does not tell whose session it is",
    "search_by_attribute": "3.6 looks for them in another way",
    "wrongly[3]": "3.6 looks at less",
    "wrongly[4]": "3.6 looks at less",
}

_AT = 1_714_979_289_123_456_789


def _ids(name, n=0):
    raw = hashlib.md5(f"{name}{n}".encode(), usedforsecurity=False).digest()
    return raw, "tr-" + raw.hex()


def _request(trace, spans, resource=()):
    request = ExportTraceServiceRequest()
    part = request.resource_spans.add()
    for key, value in resource:
        pair = part.resource.attributes.add()
        pair.key, pair.value.string_value = key, value
    for n, span in enumerate(spans):
        made = part.scope_spans.add().spans.add()
        made.trace_id, made.span_id = trace, (n + 1).to_bytes(8, "big")
        if span.get("parent"):
            made.parent_span_id = span["parent"].to_bytes(8, "big")
        made.name = span.get("name", f"s{n}")
        made.start_time_unix_nano = span.get("start", _AT + n)
        made.end_time_unix_nano = span.get("end", _AT + 2_000_000_000)
        made.status.code = span.get("code", Status.STATUS_CODE_UNSET)
        made.status.message = span.get("message", "")
        for key, value in span.get("attributes", {}).items():
            pair = made.attributes.add()
            pair.key = key
            _set(pair.value, value)
        for event in span.get("events", ()):
            added = made.events.add()
            added.name, added.time_unix_nano = event
        for link in span.get("links", ()):
            added = made.links.add()
            added.trace_id, added.span_id = link
    return request


def _set(value, given):
    if isinstance(given, bool):
        value.bool_value = given
    elif isinstance(given, int):
        value.int_value = given
    elif isinstance(given, float):
        value.double_value = given
    elif isinstance(given, bytes):
        value.bytes_value = given
    elif isinstance(given, list):
        value.array_value.SetInParent()
        for each in given:
            _set(value.array_value.values.add(), each)
    elif isinstance(given, dict):
        value.kvlist_value.SetInParent()
        for key, each in given.items():
            pair = value.kvlist_value.values.add()
            pair.key = key
            _set(pair.value, each)
    elif given is not None:
        value.string_value = given


def _post(body, experiment=None, media="application/x-protobuf", **headers):
    headers = {"Content-Type": media, **{k.replace("_", "-"): v for k, v in headers.items()}}
    if experiment is not None:
        headers["x-mlflow-experiment-id"] = experiment
    data = body if isinstance(body, bytes) else body.SerializeToString()
    answer = requests.post(steps.ADDRESS + "/v1/traces", data=data, headers=headers, timeout=30)
    return [answer.status_code, answer.headers.get("content-type"), len(answer.content)]


def _info(trace_id):
    info = get(f"/api/3.0/mlflow/traces/{trace_id}")["json"]["trace"]["trace_info"]
    info.pop("trace_location", None)
    info.get("tags", {}).pop("mlflow.traceName", None)
    return info


def _spans(client, experiment):
    """Return the spans of the only trace of an experiment, read as both clients do."""
    (trace,) = client.search_traces([experiment])
    return [
        [s.name, s.span_id, s.parent_id, s.start_time_ns, s.end_time_ns, str(s.status.status_code),
         s.status.description, s.span_type, s.attributes,
         [[e.name, e.timestamp, e.attributes] for e in s.events]]
        for s in trace.data.spans
    ]  # fmt: skip


def one(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    root = {"code": Status.STATUS_CODE_OK, "attributes": {"mlflow.spanType": "TOOL"}}
    sent = _post(_request(raw, [root]), experiment)
    return [sent, _info(trace_id), _spans(client, experiment)]


def names(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"name": "answer"}]), experiment)
    return [get(f"/api/3.0/mlflow/traces/{trace_id}")["json"]["trace"]["trace_info"]["tags"]]


def values(client, name):
    experiment, (raw, _) = client.create_experiment(name), _ids(name)
    attributes = {
        "text": "é\n",
        "yes": True,
        "no": False,
        "zero": 0,
        "minus": -5,
        "large": 2**63 - 1,
        "half": 0.5,
        "whole": 2.0,
        "empty": "",
        "none": None,
        "list": [1, "a", None, [True, {}], []],
        "dict": {"a": {"b": [1.5]}, "c": {}},
    }
    _post(_request(raw, [{"attributes": attributes}]), experiment)
    return [_spans(client, experiment)]


def bytes_of_a_value(client, name):
    experiment, (raw, _) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"raw": b"\x00\xff"}}]), experiment)
    return [_spans(client, experiment)[0][8].keys() >= {"raw"}, _spans(client, experiment)]


def tree(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    spans = [
        {"name": "root", "attributes": {"mlflow.spanInputs": {"q": 1}, "mlflow.spanOutputs": "a"}},
        {"name": "late", "parent": 1, "start": _AT + 500},
        {"name": "early", "parent": 1, "start": _AT + 10, "events": [("said", _AT + 11)]},
        {"name": "leaf", "parent": 3, "code": Status.STATUS_CODE_ERROR, "message": "no"},
    ]
    _post(_request(raw, spans), experiment)
    return [_info(trace_id), _spans(client, experiment)]


def a_root_that_failed(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"code": Status.STATUS_CODE_ERROR}]), experiment)
    return [_info(trace_id)["state"]]


def one_after_the_other(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    whole = _request(raw, [{"start": _AT}, {"parent": 1, "start": _AT + 5, "end": _AT + 10**9}])
    parts = []
    for n in (1, 0):
        part = ExportTraceServiceRequest()
        part.resource_spans.add().scope_spans.add().spans.append(
            whole.resource_spans[0].scope_spans[n].spans[0]
        )
        _post(part, experiment)
        parts.append(_info(trace_id))
    _post(part, experiment)
    return [*parts, len(_spans(client, experiment))]


def resource(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    said = [("service.name", "shop"), ("telemetry.sdk.language", "python"), ("team", "red")]
    _post(_request(raw, [{}], said), experiment)
    return [_info(trace_id)["tags"]]


def tags_of_the_root(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"mlflow.traceTag.team": "red"}}]), experiment)
    return [_info(trace_id)["tags"]]


def sessions(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"session.id": "s1", "user.id": "ann"}}]), experiment)
    return [_info(trace_id)["trace_metadata"]]


def links(client, name):
    experiment, (raw, _) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"links": [(bytes(range(16)), bytes(range(8)))]}]), experiment)
    (trace,) = client.search_traces([experiment])
    return [[[link.trace_id, link.span_id] for link in trace.data.spans[0].links]]


def get_whole(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"events": [("e", _AT)]}, {"parent": 1}]), experiment)
    found = get("/api/3.0/mlflow/traces/batchGet", trace_ids=[trace_id])["json"]["traces"][0]
    return [found["spans"]]


def get_file(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"a": [1]}}, {"parent": 1}]), experiment)
    found = get("/ajax-api/2.0/mlflow/get-trace-artifact", request_id=trace_id)
    for span in found["json"]["spans"]:
        span.pop("links", None)
        span["status"]["message"] = span["status"]["message"] or ""
    return [found]


def packed(client, name):
    experiment, found = client.create_experiment(name), []
    for n, (word, pack) in enumerate((("gzip", gzip.compress), ("deflate", zlib.compress))):
        body = _request(_ids(name, n)[0], [{}]).SerializeToString()
        found.append(_post(pack(body), experiment, Content_Encoding=word))
        found.append(_post(b"no", experiment, Content_Encoding=word)[0])
    return [found, len(client.search_traces([experiment]))]


def json(client, name):
    experiment, (raw, trace_id) = client.create_experiment(name), _ids(name)
    span = {
        "traceId": raw.hex(),
        "spanId": "00000000000000aa",
        "name": "s",
        "startTimeUnixNano": str(_AT),
        "endTimeUnixNano": str(_AT + 1_000_000),
        "status": {"code": 2, "message": "no"},
        "attributes": [
            {"key": "a", "value": {"stringValue": "x"}},
            {"key": "n", "value": {"intValue": "7"}},
            {"key": "d", "value": {"doubleValue": 1.5}},
            {"key": "l", "value": {"arrayValue": {"values": [{"boolValue": True}]}}},
        ],
        "events": [{"name": "e", "timeUnixNano": str(_AT)}],
    }
    body = {"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}
    answer = post("/v1/traces", body, headers={"x-mlflow-experiment-id": experiment})
    return [answer["status"], _info(trace_id), _spans(client, experiment)]


def without_an_experiment(client, name):
    return [_post(_request(_ids(name)[0], [{}]))[0]]


def wrongly(client, name):
    experiment = client.create_experiment(name)
    good = _request(_ids(name)[0], [{}])
    return [
        [_post(good, experiment, media="text/plain")[0]],
        [_post(b"\xff\xff", experiment)[0]],
        [_post(b"", experiment)[0]],
        [_post(good, experiment, Content_Encoding="br")[0]],
        [_post(good, "98765432")[0]],
    ]


def wrongly_in_json(client, name):
    experiment, media = client.create_experiment(name), "application/json"
    bodies = (b"", b"{", b"[]", b"{}", b'{"resourceSpans":[]}', b'{"resourceSpans":3}')
    return [[_post(body, experiment, media=media)[0] for body in bodies]]


def ids_of_a_wrong_length(client, name):
    experiment, request = client.create_experiment(name), _request(b"", [{}])
    return [_post(request, experiment)[0]]


def search_by_span(client, name):
    experiment = client.create_experiment(name)
    for n in range(3):
        spans = [
            {"name": "root"},
            {
                "name": f"leaf{n}",
                "parent": 1,
                "code": Status.STATUS_CODE_ERROR if n == 1 else Status.STATUS_CODE_OK,
                "attributes": {"mlflow.spanType": "TOOL" if n else "LLM", "city": f"c{n}"},
            },
        ]
        _post(_request(_ids(name, n)[0], spans), experiment)
    return [
        len(client.search_traces([experiment], filter_string=where))
        for where in (
            "span.name = 'root'",
            "span.name = 'leaf1'",
            "span.name LIKE 'leaf%'",
            "span.type = 'TOOL'",
            "span.type IN ('TOOL', 'LLM')",
            "span.status = 'ERROR'",
            "span.status = 'ERROR' AND span.name = 'leaf1'",
            "span.status = 'ERROR' AND span.name = 'root'",
            "span.name = 'none'",
        )
    ]


def search_by_attribute(client, name):
    experiment, (raw, _) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"city": "paris", "deep": {"a": 1}}}]), experiment)
    return [
        len(client.search_traces([experiment], filter_string=where))
        for where in (
            "span.attributes.city = 'paris'",
            "span.attributes.city LIKE '%ari%'",
            "span.attributes.city ILIKE '%ARI%'",
            "span.attributes.city = 'rome'",
            "span.attributes.none = 'paris'",
        )
    ]


def search_text(client, name):
    experiment, (raw, _) = client.create_experiment(name), _ids(name)
    _post(_request(raw, [{"attributes": {"city": "paris"}}]), experiment)
    return [
        len(client.search_traces([experiment], filter_string=where))
        for where in ("trace.text ILIKE '%PARIS%'", "trace.text LIKE '%rome%'")
    ]


def _program(x):
    with mlflow.start_span("inner", span_type="TOOL") as span:
        span.set_inputs({"x": x})
        span.set_outputs(x * 2)
    return x * 2


def by_the_client(client, name):
    experiment = client.create_experiment(name)
    mlflow.set_experiment(experiment_id=experiment)
    mlflow.trace(_program)(3)
    mlflow.flush_trace_async_logging()
    (trace,) = client.search_traces([experiment])
    kept = {k: v for k, v in trace.info.tags.items() if k == "mlflow.traceName"}
    return [
        kept,
        str(trace.info.state),
        trace.info.request_preview,
        trace.info.response_preview,
        [[s.name, s.span_type, s.inputs, s.outputs] for s in trace.data.spans],
    ]
