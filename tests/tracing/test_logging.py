from __future__ import annotations

import threading

import pytest

from tests.tracing.made import AT, NS, batch, span, trace, trace_id
from treadle.kernel.errors import Conflict, InvalidInput, NotFound


def test_a_trace_comes_back_as_it_was_logged(tracing, experiment):
    said = trace(
        1, experiment, name="answer", duration_us=5, tags={"a": "b"}, metadata={"c": "d"},
        request_preview="what?", client_request_id="mine",
    )  # fmt: skip

    tracing.log_trace(said)

    assert tracing.trace(said.id) == said


def test_spans_come_back_as_they_were_logged_first_the_root(tracing, experiment):
    root = span(5, "root", attributes={"q": [1, {"a": None}], "half": 0.5})
    child = span(1, "child", parent=5, status="error", message="no", type="TOOL")

    tracing.log_spans(experiment, [batch(child, root)])

    assert tracing.spans(trace_id(1)) == (root, child)


def test_spans_begin_their_trace_and_the_root_says_how_it_ended(tracing, experiment):
    child = span(2, "child", parent=1)
    root = span(1, "root", status="error", attributes={"mlflow.spanInputs": {"q": 1}})

    tracing.log_spans(experiment, [batch(child)])
    before = tracing.trace(trace_id(1))
    tracing.log_spans(experiment, [batch(root)])
    after = tracing.trace(trace_id(1))

    assert (before.status, before.started_at, before.duration_us) == ("in_progress", AT + 2, 10)
    assert (after.status, after.started_at, after.duration_us) == ("error", AT + 1, 11)
    assert (after.name, after.request_preview) == ("root", '{"q": 1}')


@pytest.mark.parametrize("spans_first", [True, False])
def test_what_the_program_says_of_its_trace_stands_in_either_order(
    tracing, experiment, *, spans_first
):
    said = trace(1, experiment, name="mine", duration_us=7, status="ok")
    spans = [batch(span(1, "root", status="error"))]
    calls = [
        lambda: tracing.log_spans(experiment, spans),
        lambda: tracing.log_trace(said),
    ]

    for call in calls if spans_first else calls[::-1]:
        call()

    found = tracing.trace(said.id)
    assert (found.name, found.duration_us, found.status) == ("mine", 7, "ok")
    assert len(tracing.spans(said.id)) == 1


def test_a_span_sent_again_replaces_itself(tracing, experiment):
    tracing.log_spans(experiment, [batch(span(1, "first"), span(1, "second"))])
    tracing.log_spans(experiment, [batch(span(1, "third"))])

    assert [s.name for s in tracing.spans(trace_id(1))] == ["third"]


def test_the_resource_and_the_root_tag_the_trace(tracing, experiment):
    root = span(1, "root", attributes={"mlflow.traceTag.team": "red", "session.id": "s1"})

    tracing.log_spans(experiment, [batch(root, **{"service.name": "shop", "bad//key": "x"})])

    found = tracing.trace(trace_id(1))
    assert found.tags["team"] == "red"
    assert found.tags["service.name"] == "shop"
    assert "bad//key" not in found.tags
    assert found.metadata == {"mlflow.trace.session": "s1"}


def test_nothing_of_a_batch_is_stored_when_its_experiment_is_deleted(tracing, experiment):
    tracing.tracking.delete_experiment(experiment)

    with pytest.raises(Conflict):
        tracing.log_spans(experiment, [batch(span(1, "a"), span(2, "b", of=2))])

    assert tracing.search_traces().total == 0
    assert tracing.spans(trace_id(1)) == ()


def test_a_trace_of_an_unknown_experiment_is_refused(tracing):
    with pytest.raises(NotFound):
        tracing.log_trace(trace(1, "nowhere"))


def test_no_trace_is_lost_for_the_name_of_a_tag(tracing, experiment):
    said = trace(1, experiment, tags={"who (first)": "ann", "a//b": "x"})

    tracing.log_trace(said)

    assert tracing.trace(said.id).tags == said.tags


@pytest.mark.parametrize("bad", ["", "a/b", "x" * 101, "a\x00"])
def test_an_id_that_cannot_be_one_is_refused(tracing, experiment, bad):
    said = trace(1, experiment)

    with pytest.raises(InvalidInput, match="cannot be the id"):
        tracing.log_trace(type(said)(id=bad, experiment_id=experiment, started_at=1))


def test_spans_that_threads_log_at_once_are_all_there(tracing, experiment):
    def log(worker: int) -> None:
        for n in range(10):
            number = worker * 10 + n + 1
            tracing.log_spans(experiment, [batch(span(number, "s", of=number % 3))])

    threads = [threading.Thread(target=log, args=(worker,)) for worker in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    ids = [trace_id(n) for n in range(3)]
    assert sum(map(len, tracing.spans_of(ids).values())) == 40
    assert {t.started_at for t in tracing.traces(ids)} == {AT + 1, AT + 2, AT + 3}


def test_nanoseconds_are_kept(tracing, experiment):
    tracing.log_spans(experiment, [batch(span(1, "a", start_ns=AT * NS + 7, end_ns=AT * NS + 9))])

    (found,) = tracing.spans(trace_id(1))
    assert (found.start_ns, found.duration_ns) == (AT * NS + 7, 2)
