"""Traces and spans as tests need them."""

from __future__ import annotations

from treadle.tracing.entities import Span, SpanBatch, Trace

AT = 1_357_000_000_000_000
NS = 1000


def trace_id(number: int) -> str:
    return f"tr-{number:032x}"


def trace(number: int, experiment: str, **more) -> Trace:
    said = {"started_at": AT + number, "status": "ok", "finalized": True, **more}
    return Trace(id=trace_id(number), experiment_id=experiment, **said)


def span(number: int, name: str, *, of: int = 1, parent: int | None = None, **more) -> Span:
    said = {"start_ns": (AT + number) * NS, "end_ns": (AT + number + 10) * NS, **more}
    parent_id = None if parent is None else f"{parent:016x}"
    return Span(id=f"{number:016x}", trace_id=trace_id(of), parent_id=parent_id, name=name, **said)


def batch(*spans: Span, **resource) -> SpanBatch:
    return SpanBatch(resource=resource, spans=spans)
