"""Traces: log, get, search, tag, link, delete, in the words of versions 2 and 3."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec
from starlette.responses import Response

from treadle.kernel.errors import NotFound
from treadle.kernel.ids import new_id
from treadle.server.bodies import disposition
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.experiments import experiment_of, location_of
from treadle.server.mlflow.wire import US, Answer, Ask, Empty, KeyValue, as_dict, some
from treadle.server.mlflow.wire_traces import (
    NAME,
    STATES,
    Location,
    SpanWire,
    TraceInfoV2,
    TraceWire,
    span_dict,
    span_out,
    trace_in,
    trace_out,
    trace_v2,
)
from treadle.tracing.entities import Trace
from treadle.tracing.otlp import TRACE_PREFIX
from treadle.tracing.rules import HERE, LOCATION

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracing.entities import Span

PAGE, PAGE_MOST, BATCH_MOST = 100, 500, 1000
SIZES = "mlflow.trace.sizeStats"
UNMOVABLE = ("mlflow.trace.spansLocation", "mlflow.trace.archiveLocation")
_AGENT = re.compile(rb"mlflow-python-client/(\d{1,4})\.(\d{1,4})\b")
_SENDS_SPANS = (3, 4)
"""From this version on MLflow's client sends every span by OTLP, whatever else it does."""


class TraceBody(msgspec.Struct):
    trace_info: TraceWire = msgspec.field(default_factory=TraceWire)


class StartTrace(Ask):
    """Both versions: `trace` is 3's, all others are 2's."""

    trace: TraceBody | None = None
    experiment_id: str = ""
    timestamp_ms: int = 0
    request_metadata: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class EndTrace(Ask):
    timestamp_ms: int = 0
    status: str | int = 0
    request_metadata: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class GetTrace(Ask):
    needs = ("trace_id",)
    trace_id: str = ""
    allow_partial: bool = False


class GetTraces(Ask):
    needs = ("trace_ids",)
    trace_ids: tuple[str, ...] | None = None
    experiment_ids: tuple[str, ...] | None = None


class SearchTraces(Ask):
    needs = ("locations",)
    locations: tuple[Location, ...] | None = None
    filter: str = ""
    max_results: int = PAGE
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class SearchTracesV2(Ask):
    needs = ("experiment_ids",)
    experiment_ids: tuple[str, ...] | None = None
    filter: str = ""
    max_results: int = PAGE
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class DeleteTraces(Ask):
    needs = ("experiment_id",)
    experiment_id: str = ""
    max_timestamp_millis: int | None = None
    max_traces: int | None = None
    request_ids: tuple[str, ...] = ()


class SetTag(Ask):
    needs = ("key",)
    key: str = ""
    value: str = ""


class DeleteTag(Ask):
    needs = ("key",)
    key: str = ""


class LinkToRun(Ask):
    needs = ("trace_ids", "run_id")
    trace_ids: tuple[str, ...] | None = None
    run_id: str = ""


class PromptRef(msgspec.Struct):
    name: str = ""
    version: str = ""


class LinkPrompts(Ask):
    needs = ("trace_id", "prompt_versions")
    trace_id: str = ""
    prompt_versions: tuple[PromptRef, ...] | None = None


class TraceFile(Ask):
    request_id: str = ""
    path: str = ""


class InfoAlone(Answer):
    trace_info: TraceWire


class OneInfo(Answer):
    trace: InfoAlone


class WholeTrace(Answer):
    trace_info: TraceWire
    spans: list[SpanWire] | msgspec.UnsetType


class OneTrace(Answer):
    trace: WholeTrace


class Traces(Answer):
    traces: list[WholeTrace] | msgspec.UnsetType


class TraceInfos(Answer):
    trace_infos: list[TraceWire] | msgspec.UnsetType


class TracePage(Answer):
    traces: list[TraceWire] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType


class TracePageV2(Answer):
    traces: list[TraceInfoV2] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType


class InfoV2(Answer):
    trace_info: TraceInfoV2


class Started(Answer):
    """What version 3 is answered, or version 2."""

    trace: InfoAlone | msgspec.UnsetType = msgspec.UNSET
    trace_info: TraceInfoV2 | msgspec.UnsetType = msgspec.UNSET


class Deleted(Answer):
    traces_deleted: int


def start(call: Call) -> Started:
    """Log a trace as a whole (3), or begin one that `end` completes (2)."""
    asked = call.read(StartTrace)
    if asked.trace is None:
        return Started(trace_info=_start_v2(call, asked))
    said = trace_in(asked.trace.trace_info)
    experiment = experiment_of(call, said.experiment_id)
    tags = {LOCATION: HERE, **said.tags} if _sends_spans(call.agent) else said.tags
    made = call.app.tracing.log_trace(
        msgspec.structs.replace(said, experiment_id=experiment.id, tags=tags)
    )
    return Started(trace=InfoAlone(trace_info=trace_out(made, place=location_of(experiment))))


def end(call: Call) -> InfoV2:
    """Complete a trace of version 2."""
    asked = call.read(EndTrace)
    before = call.app.tracing.trace(call.path["trace_id"])
    if asked.status not in STATES:
        raise WireError(INVALID, f"Invalid status {asked.status!r} of a trace.")
    tags = as_dict(asked.tags)
    after = call.app.tracing.log_trace(
        msgspec.structs.replace(
            before,
            name=tags.pop(NAME, before.name),
            status=STATES[asked.status],
            duration_us=asked.timestamp_ms * US - before.started_at,
            tags=tags,
            metadata=as_dict(asked.request_metadata),
            assessments=(),
        )
    )
    return InfoV2(trace_info=trace_v2(after, place=_place(call, after)))


def get_info(call: Call) -> OneInfo:
    """Return what is known of a trace beside its spans."""
    found = call.app.tracing.trace(call.path["trace_id"])
    return OneInfo(trace=InfoAlone(trace_info=trace_out(found, place=_place(call, found))))


def get_info_v2(call: Call) -> InfoV2:
    """Return the same in the words of version 2."""
    found = call.app.tracing.trace(call.path["trace_id"])
    return InfoV2(trace_info=trace_v2(found, place=_place(call, found)))


def get(call: Call) -> OneTrace:
    """Return a trace with its spans, once all of them are there."""
    asked = call.read(GetTrace)
    found = call.app.tracing.traces([asked.trace_id])
    if not found:
        raise WireError(ABSENT, f"Trace with ID {asked.trace_id} is not found.")
    spans = call.app.tracing.spans(asked.trace_id)
    if not asked.allow_partial and not _is_whole(found[0], spans):
        raise WireError(
            ABSENT,
            f"Trace with ID {asked.trace_id} is not fully exported yet, please try again later.",
        )
    return OneTrace(trace=_whole(call, found[0], spans))


def batch_get(call: Call) -> Traces:
    """Return those of some traces that are there and whole, with their spans."""
    asked = call.read(GetTraces)
    found = _batch(call, asked)
    spans = call.app.tracing.spans_of([trace.id for trace in found])
    return Traces(
        traces=some(
            _whole(call, trace, spans[trace.id])
            for trace in found
            if _is_whole(trace, spans[trace.id])
        )
    )


def batch_get_infos(call: Call) -> TraceInfos:
    """Return what is known of some traces beside their spans."""
    found = _batch(call, call.read(GetTraces))
    return TraceInfos(trace_infos=some(_outs(call, found)))


def search(call: Call) -> TracePage:
    """Return a page of traces."""
    asked = call.read(SearchTraces)
    ids = [place.mlflow_experiment.experiment_id for place in asked.locations or ()]
    found, token = _search(call, asked, ids)
    return TracePage(traces=some(_outs(call, found)), next_page_token=token)


def search_v2(call: Call) -> TracePageV2:
    """Return a page of traces in the words of version 2."""
    asked = call.read(SearchTracesV2)
    found, token = _search(call, asked, asked.experiment_ids or ())
    infos = some(trace_v2(trace, place=_place(call, trace)) for trace in found)
    return TracePageV2(traces=infos, next_page_token=token)


def delete(call: Call) -> Deleted:
    """Delete traces of an experiment: those named, or those begun up to an instant."""
    asked = call.read(DeleteTraces)
    until = asked.max_timestamp_millis
    complaint = (
        "Either `max_timestamp_millis` or `trace_ids` must be specified."
        if until is None and not asked.request_ids
        else "Only one of `max_timestamp_millis` and `trace_ids` can be specified."
        if until is not None and asked.request_ids
        else "`max_traces` can't be specified if `trace_ids` is specified."
        if asked.request_ids and asked.max_traces is not None
        else f"`max_traces` must be a positive integer, received {asked.max_traces}."
        if asked.max_traces is not None and asked.max_traces <= 0
        else ""
    )
    if complaint:
        raise WireError(INVALID, complaint)
    gone = call.app.tracing.delete_traces(
        asked.experiment_id,
        until=None if until is None else min(until, 1 << 50) * US + US - 1,
        most=asked.max_traces,
        trace_ids=asked.request_ids,
    )
    return Deleted(traces_deleted=gone)


def set_tag(call: Call) -> Empty:
    """Tag a trace."""
    asked = call.read(SetTag)
    _check_movable(asked.key, "set")
    limits.check_key(asked.key, path="key")
    call.app.tracing.tag_trace(call.path["trace_id"], asked.key, asked.value)
    return Empty()


def delete_tag(call: Call) -> Empty:
    """Take a tag off a trace."""
    asked, trace_id = call.read(DeleteTag), call.path["trace_id"]
    _check_movable(asked.key, "deleted")
    try:
        call.app.tracing.untag_trace(trace_id, asked.key)
    except NotFound as error:
        if error.data["kind"] != "tag":
            raise
        raise WireError(
            ABSENT, f"No trace tag with key '{asked.key}' for trace with ID '{trace_id}'"
        ) from error
    return Empty()


def link_to_run(call: Call) -> Empty:
    """Link traces to a run."""
    asked = call.read(LinkToRun)
    call.app.tracing.link_traces(asked.run_id, asked.trace_ids or ())
    return Empty()


def link_prompts(call: Call) -> Empty:
    """Say which prompts a trace used."""
    asked = call.read(LinkPrompts)
    used = [(ref.name, ref.version) for ref in asked.prompt_versions or ()]
    call.app.tracing.link_prompts(asked.trace_id, used)
    return Empty()


def get_file(call: Call) -> Response:
    """Return the spans of a trace as the file in which MLflow's client keeps them."""
    asked = call.read(TraceFile)
    if not asked.request_id:
        raise WireError("BAD_REQUEST", 'Request must include the "request_id" query parameter.')
    if asked.path:
        raise WireError(ABSENT, "Attachments of traces are not kept here.")
    found = call.app.tracing.trace(asked.request_id)
    spans = [span_dict(span) for span in call.app.tracing.spans(found.id)]
    headers = {"Content-Disposition": disposition("traces.json")}
    body = msgspec.json.encode({"spans": spans})
    return Response(body, media_type="application/octet-stream", headers=headers)


def _start_v2(call: Call, asked: StartTrace) -> TraceInfoV2:
    experiment = experiment_of(call, asked.experiment_id)
    tags = as_dict(asked.tags)
    made = call.app.tracing.log_trace(
        Trace(
            id=TRACE_PREFIX + new_id(),
            experiment_id=experiment.id,
            name=tags.pop(NAME, None),
            started_at=asked.timestamp_ms * US,
            tags=tags,
            metadata=as_dict(asked.request_metadata),
        )
    )
    return trace_v2(made, place=location_of(experiment))


def _search(
    call: Call, asked: SearchTraces | SearchTracesV2, ids: Iterable[str]
) -> tuple[tuple[Trace, ...], str | msgspec.UnsetType]:
    if asked.max_results > PAGE_MOST:
        raise WireError(
            INVALID,
            f"Invalid value {asked.max_results} for parameter 'max_results' supplied. It must be "
            f"at most {PAGE_MOST}",
        )
    size = limits.page_size(asked.max_results, default=PAGE)
    offset = limits.offset_of(asked.page_token)
    found = call.app.tracing.search_traces(
        experiment_ids=list(ids),
        where=asked.filter,
        order_by=asked.order_by,
        limit=size,
        offset=offset,
        count=False,
    )
    whole = len(found.items) == size
    return found.items, limits.token_of(offset + size) if whole else msgspec.UNSET


def _batch(call: Call, asked: GetTraces) -> list[Trace]:
    ids = asked.trace_ids or ()
    if len(ids) > BATCH_MOST:
        raise WireError(INVALID, f"At most {BATCH_MOST} traces can be asked for, not {len(ids)}.")
    found = call.app.tracing.traces(ids)
    allowed = asked.experiment_ids
    return [t for t in found if allowed is None or t.experiment_id in allowed]


def _outs(call: Call, found: Iterable[Trace]) -> list[TraceWire]:
    places: dict[str, str] = {}
    for trace in found:
        if trace.experiment_id not in places:
            places[trace.experiment_id] = _place(call, trace)
    return [trace_out(trace, place=places[trace.experiment_id]) for trace in found]


def _whole(call: Call, trace: Trace, spans: Iterable[Span]) -> WholeTrace:
    info = trace_out(trace, place=_place(call, trace))
    return WholeTrace(trace_info=info, spans=some(span_out(span) for span in spans))


def _is_whole(trace: Trace, spans: tuple[Span, ...]) -> bool:
    """Whether as many spans are there as the program said it made."""
    try:
        expected: Any = json.loads(trace.metadata.get(SIZES, "{}"))["num_spans"]
        return len(spans) >= int(expected)
    except (ValueError, KeyError, TypeError, RecursionError, OverflowError):
        return bool(spans)


def _place(call: Call, trace: Trace) -> str:
    return location_of(call.app.tracking.experiment_by_id(trace.experiment_id))


def _check_movable(key: str, what: str) -> None:
    if key in UNMOVABLE:
        raise WireError(INVALID, f"Tag '{key}' is immutable and cannot be {what} on a trace.")


def _sends_spans(agent: bytes | None) -> bool:
    """Whether a client will send the spans too, so that it need not upload them as a file."""
    found = _AGENT.match(agent or b"")
    return found is not None and (int(found[1]), int(found[2])) >= _SENDS_SPANS


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/traces", start),
    ("GET", "/mlflow/traces", search_v2),
    ("GET", "/mlflow/traces/get", get),
    ("GET", "/mlflow/traces/batchGet", batch_get),
    ("POST", "/mlflow/traces/batchGetInfos", batch_get_infos),
    ("POST", "/mlflow/traces/search", search),
    ("POST", "/mlflow/traces/delete-traces", delete),
    ("POST", "/mlflow/traces/link-to-run", link_to_run),
    ("POST", "/mlflow/traces/link-prompts", link_prompts),
    ("GET", "/mlflow/traces/{trace_id}", get_info),
    ("PATCH", "/mlflow/traces/{trace_id}", end),
    ("GET", "/mlflow/traces/{trace_id}/info", get_info_v2),
    ("PATCH", "/mlflow/traces/{trace_id}/tags", set_tag),
    ("DELETE", "/mlflow/traces/{trace_id}/tags", delete_tag),
    ("GET", "/mlflow/get-trace-artifact", get_file),
)
