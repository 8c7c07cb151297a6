"""The verbs by which programs say what they did: a trace as a whole, and its spans as they end."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from treadle.tracing import rules, store
from treadle.tracking.service.experiments import found_by_id, must_be_active
from treadle.tracking.service.runs import known as known_run

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracing.entities import Span, SpanBatch, Trace
    from treadle.tracing.service.doors import Doors


def log_trace(self: Doors, trace: Trace) -> Trace:
    """Log what a program says of a trace as a whole; its spans may come before or after.

    Unless it says that this is not all yet (`finalized`), later spans change none of it.
    Said again, it replaces what was said; tags, metadata and assessments are added. Raises NotFound
    for an unknown experiment, Conflict for a deleted one.
    """
    checked = rules.check_trace(trace)
    said = tuple(
        rules.check_assessment(msgspec.structs.replace(a, trace_id=trace.id))
        for a in trace.assessments
    )

    def work(tx: Transaction) -> Trace:
        must_be_active(found_by_id(tx, checked.experiment_id))
        store.put_trace(tx, checked)
        store.put_assessments(tx, said)
        return store.traces_of(tx, [checked.id])[0]

    return self.together.write(work)


def log_spans(
    self: Doors, experiment_id: str, batches: Iterable[SpanBatch], *, run_id: str = ""
) -> None:
    """Log spans of any traces: all of them or, on any error, none.

    A trace that is not there yet begins in the experiment. A span sent again replaces itself. With
    a run, the traces whose first span is among these are linked to it.
    """
    said = list(batches)

    def work(tx: Transaction) -> None:
        by_trace = _by_trace(said)
        if not by_trace:
            return
        known = store.known_traces(tx, by_trace, lock=True)
        if len(known) < len(by_trace):
            must_be_active(found_by_id(tx, experiment_id))
            known = _begin(tx, experiment_id, by_trace, known=known)
        store.put_spans(tx, [span for spans in by_trace.values() for span in spans])
        for trace_id, spans in by_trace.items():
            rules.grow(known[trace_id], spans)
        store.change_traces(tx, known.values())
        _tell_around(tx, said, by_trace)
        if run_id:
            known_run(tx, run_id)
            roots = [s.trace_id for b in said for s in b.spans if s.parent_id is None]
            store.add_links(tx, kind="run", trace_ids=roots, targets=[run_id])

    self.together.write(work)


def _by_trace(batches: Iterable[SpanBatch]) -> dict[str, list[Span]]:
    # Of a span that comes twice at once the later one stands.
    latest = {(span.trace_id, span.id): span for batch in batches for span in batch.spans}
    found: dict[str, list[Span]] = defaultdict(list)
    for span in latest.values():
        found[span.trace_id].append(span)
    return found


def _begin(
    tx: Transaction,
    experiment_id: str,
    by_trace: Mapping[str, list[Span]],
    *,
    known: Mapping[str, store.Known],
) -> dict[str, store.Known]:
    missing = set(by_trace) - set(known)
    begun = (rules.begun(i, experiment_id=experiment_id, spans=by_trace[i]) for i in missing)
    store.begin_traces(tx, begun)
    return store.known_traces(tx, by_trace, lock=True)


def _tell_around(
    tx: Transaction, batches: Iterable[SpanBatch], by_trace: Mapping[str, list[Span]]
) -> None:
    tags = {trace_id: {rules.LOCATION: rules.HERE} for trace_id in by_trace}
    for batch in batches:
        for trace_id in {span.trace_id for span in batch.spans}:
            of_it = [span for span in batch.spans if span.trace_id == trace_id]
            tags[trace_id] |= rules.tags_of(batch.resource, of_it)
    store.put_tags(tx, _rows(tags))
    told = {trace_id: rules.metadata_of(spans) for trace_id, spans in by_trace.items()}
    store.add_missing_metadata(tx, _rows(told))


def _rows(texts: Mapping[str, Mapping[str, str]]) -> list[tuple[str, str, str]]:
    return [(owner, key, value) for owner, said in texts.items() for key, value in said.items()]
