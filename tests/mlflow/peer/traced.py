"""A traced program as people write them, then one of OpenTelemetry alone: `traced.py SERVER`."""

from __future__ import annotations

import gzip
import json
import sys
from contextlib import suppress

import mlflow
import requests
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult


@mlflow.trace(span_type="TOOL", attributes={"unit": "minutes"})
def look_up(city):
    if city == "nowhere":
        raise KeyError(city)
    return {"late": len(city)}


@mlflow.trace
def answer(city):
    mlflow.update_current_trace(tags={"team": "red"}, metadata={"asked": "twice"})
    with mlflow.start_span("think") as span:
        span.set_inputs({"city": city})
        span.set_outputs("hm")
    with suppress(KeyError):
        look_up("nowhere")
    return look_up(city)["late"]


class Posted(SpanExporter):
    """An exporter of OTLP over HTTP in few lines: theirs is not installed here."""

    def __init__(self, address, experiment):
        self.url, self.experiment = f"{address}/v1/traces", experiment
        self.answers = []

    def export(self, spans):
        request = ExportTraceServiceRequest()
        part = request.resource_spans.add()
        for key, value in spans[0].resource.attributes.items():
            part.resource.attributes.add(key=key).value.string_value = str(value)
        scope = part.scope_spans.add()
        for span in spans:
            made = scope.spans.add(name=span.name)
            made.trace_id = span.context.trace_id.to_bytes(16, "big")
            made.span_id = span.context.span_id.to_bytes(8, "big")
            if span.parent:
                made.parent_span_id = span.parent.span_id.to_bytes(8, "big")
            made.start_time_unix_nano, made.end_time_unix_nano = span.start_time, span.end_time
            made.status.code = span.status.status_code.value
            for key, value in span.attributes.items():
                made.attributes.add(key=key).value.string_value = str(value)
        headers = {
            "Content-Type": "application/x-protobuf",
            "Content-Encoding": "gzip",
            "x-mlflow-experiment-id": self.experiment,
        }
        body = gzip.compress(request.SerializeToString())
        sent = requests.post(self.url, data=body, headers=headers, timeout=30)
        self.answers.append(sent.status_code)
        return SpanExportResult.SUCCESS

    def shutdown(self):
        """Nothing is held."""


def by_mlflow():
    run = mlflow.start_run()
    answer("Paris")
    mlflow.end_run()
    mlflow.flush_trace_async_logging()
    trace = mlflow.get_trace(mlflow.get_last_active_trace_id())
    found = mlflow.search_traces(filter_string="tags.team = 'red' AND status = 'OK'")
    failed = next(s for s in trace.data.spans if s.status.status_code == "ERROR")
    return {
        "state": str(trace.info.state),
        "of_run": trace.info.trace_metadata["mlflow.sourceRun"] == run.info.run_id,
        "asked": trace.info.trace_metadata["asked"],
        "tags": trace.info.tags["team"],
        "names": [span.name for span in trace.data.spans],
        "parents": [span.parent_id == trace.data.spans[0].span_id for span in trace.data.spans],
        "types": [span.span_type for span in trace.data.spans],
        "outputs": trace.data.spans[0].outputs,
        "exception": [event.name for event in failed.events],
        "stack": "KeyError" in failed.events[0].attributes["exception.stacktrace"],
        "found": len(found),
        "columns": sorted(set(found.columns) & {"trace_id", "request", "response", "spans"}),
    }


def by_opentelemetry(address, experiment):
    exporter = Posted(address, experiment)
    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("shop")
    with tracer.start_as_current_span("order") as root:
        root.set_attribute("city", "Rome")
        with tracer.start_as_current_span("pay"):
            pass
    provider.shutdown()
    client = mlflow.MlflowClient()
    (trace,) = client.search_traces([experiment], filter_string="span.name = 'pay'")
    return {
        "answers": exporter.answers,
        "service": trace.info.tags["service.name"],
        "names": [span.name for span in trace.data.spans],
        "city": trace.data.spans[0].get_attribute("city"),
        "exact": trace.data.spans[0].start_time_ns == root.start_time,
    }


if __name__ == "__main__":
    server = sys.argv[1]
    mlflow.set_tracking_uri(server)
    mlflow.set_experiment("traced")
    said = {"mlflow": by_mlflow()}
    other = mlflow.set_experiment("otel").experiment_id
    said["opentelemetry"] = by_opentelemetry(server, other)
    print(json.dumps(said))
