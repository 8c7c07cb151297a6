"""What may be said of a trace: ids, lengths, counts; and what its spans say of it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.tracing.entities import Trace
from treadle.tracking.rules import check_key, check_text, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from treadle.tracing.entities import Assessment, Span
    from treadle.tracing.store import Known

ID_LENGTH = 100
NAME_LENGTH = 250
TAG_LENGTH = 4096
METADATA_LENGTH = 8000
METADATA_MOST = 1000
PREVIEW_LENGTH = 1000
VALUE_BYTES = 1 << 20
LINKS_MOST = 100
"""Traces in one request to link them, as the genuine MLflow server has it."""
NAME, LOCATION = "mlflow.traceName", "mlflow.trace.spansLocation"
HERE = "TRACKING_STORE"
SESSION, USER = "mlflow.trace.session", "mlflow.trace.user"
TAG_PREFIX = "mlflow.traceTag."
_OF_PROGRAM = ("telemetry.sdk.", "mlflow.")
_SESSIONS = ("session.id", "gen_ai.conversation.id")
_ID = re.compile(r"[\w.\-]+")
_NS = 1000


def check_id(trace_id: str) -> str:
    """Return the id of a trace, or raise InvalidInput when it cannot be one."""
    if len(trace_id) > ID_LENGTH or not _ID.fullmatch(trace_id):
        raise InvalidInput(
            f"{shown(trace_id)} cannot be the id of a trace.",
            hint=f"It has 1 to {ID_LENGTH} letters, digits and `_ - .`.",
        )
    return trace_id


def check_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags, long values shortened, as the genuine MLflow server does with them."""
    return {check_key(key, what="tag"): _text(tags[key], what="A tag") for key in sorted(tags)}


def check_trace(trace: Trace) -> Trace:
    """Return a trace with tags and metadata that a store can hold."""
    if len(trace.metadata) > METADATA_MOST or len(trace.tags) > METADATA_MOST:
        raise InvalidInput(f"A trace has at most {METADATA_MOST} tags, and as many metadata.")
    texts = (trace.name, trace.client_request_id, trace.request_preview, trace.response_preview)
    for text in texts:
        check_text(text or "", what="A text of a trace")
    # Whatever a program calls its tags: none of it is worth losing the trace for.
    return msgspec.structs.replace(
        trace,
        id=check_id(trace.id),
        tags={_label(key): _text(value, what="A tag") for key, value in trace.tags.items()},
        metadata={
            _label(key): check_text(value[:METADATA_LENGTH], what="Metadata")
            for key, value in trace.metadata.items()
        },
        request_preview=_short(trace.request_preview),
        response_preview=_short(trace.response_preview),
    )


def check_assessment(said: Assessment) -> Assessment:
    """Return an assessment, or raise InvalidInput when a store could not hold it."""
    if not said.name or len(said.name) > NAME_LENGTH:
        raise InvalidInput(
            f"{shown(said.name)} cannot name an assessment.",
            hint=f"Use 1 to {NAME_LENGTH} characters.",
        )
    error = said.error
    texts = (said.name, said.source_kind, said.source_id, said.run_id, said.span_id, said.overrides)
    said_why = (error.code, error.message, error.stack_trace) if error else ()
    for text in (*texts, *said_why, said.rationale or "", *said.metadata, *said.metadata.values()):
        check_text(text, what="A text of an assessment")
    value = msgspec.json.encode([said.value, said.rationale, said.metadata, said.error])
    if len(value) > VALUE_BYTES:
        raise InvalidInput(f"An assessment has at most {VALUE_BYTES >> 20} MB.")
    if b"\\u0000" in value:
        raise InvalidInput("The value of an assessment holds a NUL character.")
    return said


def tags_of(resource: Mapping[str, Any], spans: Iterable[Span]) -> dict[str, str]:
    """Return what the program's resource and its first span say as tags of the trace."""
    said = {key: value for key, value in resource.items() if not key.startswith(_OF_PROGRAM)}
    for span in spans:
        if span.parent_id is None:
            said |= {
                key.removeprefix(TAG_PREFIX): value
                for key, value in span.attributes.items()
                if key.startswith(TAG_PREFIX)
            }
    found = {}
    for key, value in said.items():
        try:
            found[check_key(key, what="tag")] = _text(_plain(value), what="A tag")
        except InvalidInput:
            continue  # an attribute that cannot be a tag is still one of the span or its program
    return found


def metadata_of(spans: Iterable[Span]) -> dict[str, str]:
    """Return whose session a trace belongs to, where its spans say it."""
    found: dict[str, str] = {}
    for span in spans:
        for name in _SESSIONS:
            if value := span.attributes.get(name):
                found.setdefault(SESSION, _plain(value)[:METADATA_LENGTH])
        if value := span.attributes.get("user.id"):
            found.setdefault(USER, _plain(value)[:METADATA_LENGTH])
    return found


def begun(trace_id: str, *, experiment_id: str, spans: Sequence[Span]) -> Trace:
    """Return the trace that some spans begin; the next step says what else they know of it."""
    start = min(span.start_ns for span in spans) // _NS
    return Trace(id=trace_id, experiment_id=experiment_id, started_at=start)


def grow(known: Known, spans: Sequence[Span]) -> None:
    """Bring what is known of a trace up to date with spans that came.

    What its program has said itself, when it finalized the trace, stands.
    """
    if not known.finalized:
        _stretch(known, spans)
    root = next((span for span in spans if span.parent_id is None), None)
    if root is None:
        return
    if known.status in {"in_progress", "unspecified"}:
        known.status = "error" if root.status == "error" else "ok"
    known.name = known.name or root.name or None
    if known.request_preview is None:
        known.request_preview = preview(root.inputs, role="user")
    if known.response_preview is None:
        known.response_preview = preview(root.outputs, role="assistant")


def preview(value: Any, *, role: str) -> str | None:
    """Return the beginning of inputs or outputs: of a chat the last message of a role."""
    if value is None:
        return None
    return _short(_last_message(value, role) or json.dumps(value, ensure_ascii=False))


def _stretch(known: Known, spans: Sequence[Span]) -> None:
    start = min(known.started_at, *(span.start_ns // _NS for span in spans))
    ends = [span.end_ns // _NS for span in spans if span.end_ns is not None]
    if known.duration_us is not None:
        ends.append(known.started_at + known.duration_us)
    known.started_at = start
    known.duration_us = max(max(ends) - start, 0) if ends else None


def _last_message(value: Any, role: str) -> str:
    messages = value.get("messages") if isinstance(value, dict) else None
    if not isinstance(messages, list):
        return ""
    said = [m for m in messages if isinstance(m, dict) and isinstance(m.get("content"), str)]
    of_role = [m for m in said if m.get("role") == role] or said
    return str(of_role[-1]["content"]) if of_role else ""


def _label(key: str) -> str:
    if not key or len(key) > NAME_LENGTH:
        raise InvalidInput(
            f"{shown(key)} cannot name a tag.", hint=f"Use 1 to {NAME_LENGTH} characters."
        )
    return check_text(key, what="A tag's name")


def _short(text: str | None) -> str | None:
    if text is None or len(text) <= PREVIEW_LENGTH:
        return text
    return text[: PREVIEW_LENGTH - 3] + "..."


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else msgspec.json.encode(value).decode()


def _text(value: str, *, what: str) -> str:
    return check_text(value[:TAG_LENGTH], what=what)
