from __future__ import annotations

import pytest
from sqlalchemy import select

from tests.tracing.made import batch, span, trace, trace_id
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.storage.events import events
from treadle.tracing.entities import Assessment, NewValue


def said(number: int, **more) -> Assessment:
    given = {"name": "good", "kind": "feedback", "value": True, "source_kind": "HUMAN", **more}
    return Assessment(id="", trace_id=trace_id(number), created_at=0, updated_at=0, **given)


def kinds(store) -> list[str]:
    with store.read() as tx:
        found = tx.execute(select(events.c.kind).order_by(events.c.seq.desc()))
        return [row.kind for row in found]


def test_tags_are_set_moved_and_taken_off(tracing, experiment):
    tracing.log_trace(trace(1, experiment, name="old"))

    tracing.tag_trace(trace_id(1), "a", "b")
    tracing.tag_trace(trace_id(1), "a", "c")
    tracing.tag_trace(trace_id(1), "mlflow.traceName", "new")
    tagged = tracing.trace(trace_id(1))
    tracing.untag_trace(trace_id(1), "a")
    tracing.untag_trace(trace_id(1), "mlflow.traceName")

    assert (tagged.name, tagged.tags) == ("new", {"a": "c"})
    assert (tracing.trace(trace_id(1)).name, tracing.trace(trace_id(1)).tags) == (None, {})


def test_a_tag_that_is_not_there_cannot_be_taken_off(tracing, experiment):
    tracing.log_trace(trace(1, experiment))

    with pytest.raises(NotFound, match="tag"):
        tracing.untag_trace(trace_id(1), "a")


def test_traces_are_found_by_the_run_that_made_them_or_was_linked(tracing, experiment, store):
    run = tracing.tracking.start_run(experiment_id=experiment)
    tracing.log_trace(trace(1, experiment, metadata={"mlflow.sourceRun": run.id}))
    tracing.log_trace(trace(2, experiment))
    tracing.log_trace(trace(3, experiment))

    tracing.link_traces(run.id, [trace_id(2)])
    tracing.link_traces(run.id, [trace_id(2)])

    found = tracing.search_traces(where=f"run_id = '{run.id}'")
    assert [t.id for t in found.items] == [trace_id(2), trace_id(1)]
    assert tracing.runs_of(trace_id(2)) == (run.id,)
    assert kinds(store).count("traces.linked") == 1


def test_a_link_to_a_run_that_is_not_there_is_refused(tracing, experiment):
    tracing.log_trace(trace(1, experiment))

    with pytest.raises(NotFound, match="run"):
        tracing.link_traces("nowhere", [trace_id(1)])


def test_an_override_stands_until_it_is_taken_back(tracing, experiment, store):
    tracing.log_trace(trace(1, experiment))
    first = tracing.log_assessment(said(1))

    second = tracing.log_assessment(said(1, value=False, overrides=first.id))
    overridden = tracing.assessment(trace_id(1), first.id).valid
    tracing.delete_assessment(trace_id(1), second.id)
    tracing.delete_assessment(trace_id(1), second.id)

    assert not overridden
    assert tracing.assessment(trace_id(1), first.id).valid
    assert kinds(store)[:3] == ["assessment.deleted", "assessment.logged", "assessment.logged"]


def test_a_changed_assessment_keeps_who_said_it_and_adds_metadata(tracing, experiment):
    tracing.log_trace(trace(1, experiment))
    made = tracing.log_assessment(said(1, metadata={"a": "b"}, source_id="ann"))

    value = NewValue(kind="feedback", value={"x": [1]})
    after = tracing.change_assessment(
        trace_id(1), made.id, value=value, rationale="so", metadata={"c": "d"}
    )

    assert after == tracing.trace(trace_id(1)).assessments[0]
    assert (after.value, after.source_id, after.metadata) == (
        {"x": [1]}, "ann", {"a": "b", "c": "d"},
    )  # fmt: skip


def test_feedback_does_not_become_an_expectation(tracing, experiment):
    tracing.log_trace(trace(1, experiment))
    made = tracing.log_assessment(said(1))

    with pytest.raises(InvalidInput, match="expectation value on a Feedback"):
        tracing.change_assessment(trace_id(1), made.id, value=NewValue(kind="expectation", value=1))


def test_a_whole_number_that_no_float_holds_is_a_value_all_the_same(tracing, experiment):
    tracing.log_trace(trace(1, experiment))
    made = tracing.log_assessment(said(1, value=10**400))

    assert tracing.assessment(trace_id(1), made.id).value == 10**400


def test_an_assessment_of_another_trace_is_not_found(tracing, experiment):
    tracing.log_trace(trace(1, experiment))
    tracing.log_trace(trace(2, experiment))
    made = tracing.log_assessment(said(1))

    with pytest.raises(NotFound, match="assessment"):
        tracing.assessment(trace_id(2), made.id)


def test_the_oldest_traces_are_deleted_first_with_all_that_belongs_to_them(
    tracing, experiment, store
):
    for n in range(1, 5):
        tracing.log_trace(trace(n, experiment, tags={"a": "b"}))
        tracing.log_spans(experiment, [batch(span(1, "s", of=n))])

    gone = tracing.delete_traces(experiment, until=trace(3, experiment).started_at, most=2)

    assert gone == 2
    assert [t.id for t in tracing.search_traces().items] == [trace_id(4), trace_id(3)]
    assert tracing.spans(trace_id(1)) == ()
    assert kinds(store)[0] == "traces.deleted"


def test_gc_takes_the_traces_of_an_experiment_along_and_the_links_of_a_run(tracing, experiment):
    other = tracing.tracking.create_experiment("other").id
    run = tracing.tracking.start_run(experiment_id=other)
    tracing.log_trace(trace(1, experiment))
    tracing.log_trace(trace(2, other))
    tracing.link_traces(run.id, [trace_id(2)])
    tracing.tracking.delete_experiment(experiment)
    tracing.tracking.delete_run(run.id)

    tracing.tracking.gc(dry_run=True)
    before = tracing.search_traces().total
    tracing.tracking.gc()

    assert before == 2
    assert [t.id for t in tracing.search_traces().items] == [trace_id(2)]
    assert tracing.runs_of(trace_id(2)) == ()
