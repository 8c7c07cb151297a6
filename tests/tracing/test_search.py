from __future__ import annotations

import pytest

from tests.tracing.made import batch, span, trace, trace_id
from treadle.kernel.errors import InvalidInput
from treadle.tracing.entities import Assessment


@pytest.fixture
def world(tracing, experiment):
    for n in range(1, 6):
        tracing.log_trace(
            trace(
                n, experiment, name=f"t{n}", duration_us=n * 1_000_000,
                status="error" if n % 2 else "ok", tags={"team": "red" if n < 3 else "blue"},
                metadata={"size": str(n)},
            )
        )  # fmt: skip
    tracing.log_spans(
        experiment,
        [
            batch(
                span(1, "root", of=1),
                span(2, "leaf", of=1, parent=1, status="error", attributes={"city": "paris"}),
                span(3, "leaf", of=2, status="ok", type="TOOL", attributes={'o"dd': 1, "n": 7}),
            )
        ],
    )
    said = {"created_at": 0, "updated_at": 0, "source_kind": "HUMAN"}
    for n, value in ((1, 0.25), (2, 0.75), (3, "good"), (4, True)):
        tracing.log_assessment(
            Assessment(id="", trace_id=trace_id(n), name="judged", kind="feedback", value=value,
                       **said)
        )  # fmt: skip
    return tracing


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("", "12345"),
        ("status = 'error'", "135"),
        ("status = 'ERROR' and tags.team = 'blue'", "35"),
        ("status = 'ok' or name = 't1'", "124"),
        ("not tags.team = 'red'", "345"),
        ("duration > 2.5", "345"),
        ("execution_time_ms = 2000", "2"),
        ("metadata.size in ('1', '5')", "15"),
        ("tags.none is null and name like 't_'", "12345"),
        ("span.name = 'leaf'", "12"),
        ("span.name = 'leaf' and span.status = 'ERROR'", "1"),
        ("span.name = 'root' and span.status = 'ERROR'", ""),
        ("span.name = 'root' or span.status = 'OK'", "12"),
        ("not span.name = 'leaf'", "345"),
        ("span.type = 'TOOL'", "2"),
        ("span.attributes.city = 'paris'", "1"),
        ("span.attributes.city ilike 'PAR%'", "1"),
        ("span.attributes.n = '7'", "2"),
        ("text like '%paris%'", "1"),
        ("feedback.judged > 0.5", "2"),
        ("feedback.judged <= 0.25", "1"),
        ("feedback.judged = 'good'", "3"),
        ("feedback.judged = 'true'", "4"),
        ("feedback.judged is null", "5"),
        ("expectation.judged = 'good'", ""),
        ("run_id = 'none'", ""),
    ],
)
def test_a_filter_finds_what_it_says(world, where, expected):
    found = world.search_traces(where=where, order_by="name")

    assert "".join(t.name[1:] for t in found.items) == expected
    assert found.total == len(expected)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("duration desc", "54321"),
        ("tags.team, duration", "34512"),
        ("metadata.size desc", "54321"),
        ("status, name desc", "53142"),
        ("tags.`mlflow.traceName` desc", "54321"),
    ],
)
def test_an_order_is_kept(world, order, expected):
    found = world.search_traces(order_by=order)

    assert "".join(t.name[1:] for t in found.items) == expected


def test_the_newest_come_first_page_by_page(world):
    first = world.search_traces(limit=2)
    second = world.search_traces(limit=2, offset=first.next_offset)

    assert [t.name for t in (*first.items, *second.items)] == ["t5", "t4", "t3", "t2"]
    assert first.total == 5


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("span.nmae = 'x'", "span.name"),
        ("stauts = 'ok'", "status"),
        ("issue.name = 'x'", "issue.id"),
        ("feedback.judged > 'x'", "compared by"),
    ],
)
def test_a_wrong_filter_is_told_what_was_meant(world, where, hint):
    with pytest.raises(InvalidInput) as caught:
        world.search_traces(where=where)

    assert hint in str(caught.value)


@pytest.mark.parametrize("name", ["a'b", 'a"b', "$", "a.b", "%", "é"])
def test_whatever_an_attribute_is_called_it_is_found_or_not_but_never_an_error(
    tracing, experiment, name
):
    tracing.log_spans(experiment, [batch(span(1, "s", attributes={name: "x"}))])
    ticked = name.replace("`", "``")

    found = tracing.search_traces(where=f"span.`attributes.{ticked}` = 'x'")

    assert found.total in {0, 1}
    assert found.total == 1 or '"' in name
