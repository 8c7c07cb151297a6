"""The verbs of traces that are there: read, tag, link, delete."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.tracing import rules, store
from treadle.tracing.facts import TracesDeleted, TracesLinked
from treadle.tracking.rules import check_text
from treadle.tracking.service.runs import known as known_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracing.entities import Span, Trace
    from treadle.tracing.service.doors import Doors


def trace(self: Doors, trace_id: str) -> Trace:
    """Return a trace with its tags, metadata and assessments. Raises NotFound."""
    with self.metadata.read() as tx:
        found = store.traces_of(tx, [trace_id])
    if not found:
        raise NotFound("trace", trace_id, hint="List them with: treadle traces")
    return found[0]


def traces(self: Doors, trace_ids: Sequence[str]) -> tuple[Trace, ...]:
    """Return those of some traces that are there, in the order of their ids."""
    with self.metadata.read() as tx:
        return store.traces_of(tx, list(dict.fromkeys(trace_ids)))


def spans(self: Doors, trace_id: str) -> tuple[Span, ...]:
    """Return the spans of a trace: the first one, then the others as they began."""
    return spans_of(self, [trace_id])[trace_id]


def spans_of(self: Doors, trace_ids: Sequence[str]) -> dict[str, tuple[Span, ...]]:
    """Return the spans of several traces by the traces' ids."""
    with self.metadata.read() as tx:
        return store.spans_of(tx, list(dict.fromkeys(trace_ids)))


def runs_of(self: Doors, trace_id: str) -> tuple[str, ...]:
    """Return the ids of the runs that a trace is linked to."""
    with self.metadata.read() as tx:
        return tuple(store.runs_linked(tx, trace_id))


def tag_trace(self: Doors, trace_id: str, key: str, value: str) -> None:
    """Set a tag of a trace; `mlflow.traceName` is its name."""
    checked = rules.check_tags({key: value})

    def work(tx: Transaction) -> None:
        known = _known(tx, trace_id)
        if key == rules.NAME:
            known.name = checked[key]
            store.change_traces(tx, [known])
        else:
            store.put_tags(tx, [(trace_id, key, checked[key])])

    self.together.write(work)


def untag_trace(self: Doors, trace_id: str, key: str) -> None:
    """Take a tag off a trace. Raises NotFound when it has none of that key."""
    with self.metadata.write() as tx:
        known = _known(tx, trace_id)
        if key == rules.NAME:
            was_there, known.name = known.name is not None, None
            store.change_traces(tx, [known])
        else:
            was_there = store.drop_tag(tx, trace_id, key)
        if not was_there:
            raise NotFound("tag", key)


def link_traces(self: Doors, run_id: str, trace_ids: Sequence[str]) -> None:
    """Link traces to a run; those that are linked already stay so. Raises NotFound for no run."""
    if len(trace_ids) > rules.LINKS_MOST:
        raise InvalidInput(
            f"Cannot link more than {rules.LINKS_MOST} traces to a run in a single request. "
            f"Provided {len(trace_ids)} traces."
        )
    with self.metadata.write() as tx:
        known_run(tx, run_id)
        ids = [rules.check_id(trace_id) for trace_id in trace_ids]
        if store.add_links(tx, kind="run", trace_ids=ids, targets=[run_id]):
            tx.emit(TracesLinked(run_id=run_id, trace_ids=tuple(ids)))


def link_prompts(self: Doors, trace_id: str, prompts: Sequence[tuple[str, str]]) -> None:
    """Say which prompts, by name and version, a trace used."""
    if len(prompts) > rules.LINKS_MOST:
        raise InvalidInput(f"A trace is linked to at most {rules.LINKS_MOST} prompts at once.")
    targets = [check_text(f"{name}/{version}", what="A prompt") for name, version in prompts]
    with self.metadata.write() as tx:
        _known(tx, trace_id)
        store.add_links(tx, kind="prompt", trace_ids=[trace_id], targets=targets)


def delete_traces(
    self: Doors,
    experiment_id: str,
    *,
    until: int | None = None,
    most: int | None = None,
    trace_ids: Sequence[str] = (),
) -> int:
    """Delete traces of an experiment for good, the oldest first, and say how many.

    They are those begun up to an instant (`until`, µs), those named, or both; at most `most`.
    """
    with self.metadata.write() as tx:
        ids = store.ids_to_delete(tx, experiment_id, until=until, most=most, ids=list(trace_ids))
        if ids:
            store.remove(tx, ids)
            tx.emit(
                TracesDeleted(
                    experiment_id=experiment_id, count=len(ids), first_id=ids[0], last_id=ids[-1]
                )
            )
    return len(ids)


def _known(tx: Transaction, trace_id: str) -> store.Known:
    found = store.known_traces(tx, [trace_id], lock=True).get(trace_id)
    if found is None:
        raise NotFound("trace", trace_id)
    return found
