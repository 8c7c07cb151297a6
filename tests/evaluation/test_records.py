"""Records: merged by their inputs, read page by page, removed."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.evaluation import merging, rules, service
from treadle.evaluation.facts import EvaluationMerged, EvaluationRecordsRemoved
from treadle.kernel.errors import InvalidInput
from treadle.storage import events

if TYPE_CHECKING:
    from treadle.evaluation.entities import EvaluationRecord

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=5,
)
FIELDS = st.dictionaries(st.text(max_size=3), VALUES, max_size=3)
RECORDS = st.lists(
    st.fixed_dictionaries(
        {"inputs": st.sampled_from([{"q": 1}, {"q": 2, "r": [1]}, {"r": [1], "q": 2}, {}])},
        optional={"expectations": FIELDS | st.none(), "tags": FIELDS, "outputs": VALUES},
    ),
    max_size=8,
)


def all_of(evaluation, ref="qa"):
    found, after = [], None
    while True:
        page = evaluation.records(ref, after=after)
        found += page.records
        if page.after is None:
            return found
        after = page.after


def told(store, kind):
    with store.read() as tx:
        return [event.as_fact(kind) for event in events.read(tx.connection, kinds=[kind.kind])]


def test_the_same_inputs_in_another_order_are_the_same_record(evaluation, clock):
    evaluation.create("qa")
    evaluation.merge("qa", [{"inputs": {"a": 1, "b": {"x": 1, "y": 2}}, "expectations": {"e": 1}}])
    clock.advance(5000)

    done = evaluation.merge(
        "qa",
        [{"inputs": {"b": {"y": 2, "x": 1}, "a": 1}, "expectations": {"f": 2}, "tags": {"t": 1}}],
    )

    (found,) = all_of(evaluation)
    assert (done.inserted, done.updated) == (0, 1)
    assert (found.expectations, found.tags) == ({"e": 1, "f": 2}, {"t": 1})
    assert list(found.inputs) == ["a", "b"]
    assert found.updated_at - found.created_at == 5000


def test_outputs_stay_until_others_or_none_are_given(evaluation):
    evaluation.create("qa")
    key = {"inputs": {"q": 1}}
    seen = []
    for more in ({}, {"outputs": [1]}, {}, {"outputs": None}):
        evaluation.merge("qa", [{**key, **more}])
        seen.append(all_of(evaluation)[0].outputs)

    assert seen == [{}, [1], [1], None]


def test_digest_schema_and_number_follow_the_records(evaluation, clock):
    made = evaluation.create("qa")
    clock.advance(1000)

    evaluation.merge("qa", [{"inputs": {"q": "x", "n": 1}, "expectations": {"ok": True}}])

    found = evaluation.dataset("qa")
    assert found.digest != made.digest
    assert found.records == 1
    assert found.schema == {
        "inputs": {"q": "string", "n": "integer"},
        "outputs": {},
        "expectations": {"ok": "boolean"},
        "version": "1.0",
    }


def test_a_merge_is_all_or_nothing(evaluation, store):
    evaluation.create("qa")

    with pytest.raises(InvalidInput, match="Record 1 has inputs that are no object"):
        evaluation.merge("qa", [{"inputs": {"q": 1}}, {"inputs": 5}])

    assert all_of(evaluation) == []
    assert told(store, EvaluationMerged) == []


@pytest.mark.parametrize(
    "record",
    [
        5,
        {"inputs": {1: 2}},
        {"inputs": {"q": object()}},
        {"inputs": {}, "expectations": [1]},
        {"inputs": {}, "tags": "t"},
        {"inputs": {}, "source": {"source_data": {}}},
        {"inputs": {}, "source": {"source_type": "rumour"}},
        {"inputs": {}, "source": {"source_type": "trace", "source_data": {"trace_id": "\x00"}}},
        {"inputs": {}, "tags": {"mlflow.user": "\ud800"}},
        {"inputs": {"q": "x" * (rules.RECORD_MOST_BYTES + 1)}},
        {"inputs": {str(each): 1 for each in range(rules.FIELDS_MOST + 1)}},
        {"inputs": {"f" * rules.SCHEMA_MOST_BYTES: 1}},
    ],
)
def test_what_cannot_be_a_record_is_refused(evaluation, record):
    evaluation.create("qa")

    with pytest.raises(InvalidInput):
        evaluation.merge("qa", [record])

    assert evaluation.dataset("qa").records is None


def test_texts_that_a_database_would_refuse_come_back_as_they_were(evaluation):
    evaluation.create("qa")
    odd = {"nul": "\x00", "half": "\ud800", "far": "𝄞", "nan": float("inf"), "": 1 << 80}

    evaluation.merge("qa", [{"inputs": odd, "expectations": odd}])

    (found,) = all_of(evaluation)
    assert (found.inputs, found.expectations) == (odd, odd)


@settings(max_examples=40)
@given(st.lists(RECORDS, max_size=4))
def test_merging_gives_what_one_dictionary_by_inputs_would(batches):
    known: dict[str, EvaluationRecord] = {}
    expected: dict[str, dict] = {}
    counts, wanted = [], []
    for batch in batches:
        work = merging.Merging(dataset_id="d", at=5, known=dict(known))
        before = len(expected)
        for at, given_record in enumerate(batch):
            draft = rules.draft_of(given_record, at=at)
            key = merging.input_hash(draft.inputs)
            work.take(draft, key)
            _put(expected, key, given_record)
        counts.append((len(work.new), work.updated))
        wanted.append((len(expected) - before, len(batch) - (len(expected) - before)))
        known |= work.new | work.changed

    assert counts == wanted
    assert {key: (r.outputs, r.expectations, r.tags) for key, r in known.items()} == {
        key: (v["outputs"], v["expectations"], v["tags"]) for key, v in expected.items()
    }


def _put(known, key, record):
    """The oracle: records as the genuine server merges them, written plainly."""
    there = known.get(key)
    if there is None:
        known[key] = {
            "outputs": record.get("outputs", {}),
            "expectations": record.get("expectations"),
            "tags": dict(record.get("tags", {})),
        }
        return
    if "outputs" in record:
        there["outputs"] = record["outputs"]
    if record.get("expectations"):
        there["expectations"] = {**(there["expectations"] or {}), **record["expectations"]}
    there["tags"] |= record.get("tags", {})


def test_pages_follow_each_other_in_the_order_records_came(evaluation, clock):
    evaluation.create("qa")
    for start in (0, 4):
        evaluation.merge("qa", [{"inputs": {"q": each}} for each in range(start, start + 4)])
        clock.advance(1000)
    seen, after = [], None
    for _ in range(3):
        page = evaluation.records("qa", limit=3, after=after)
        seen.append([record.inputs["q"] for record in page.records])
        after = page.after

    assert (seen, after) == ([[0, 1, 2], [3, 4, 5], [6, 7]], None)
    assert [r.inputs["q"] for r in evaluation.records("qa", limit=2, offset=5).records] == [5, 6]


def test_a_page_ends_where_it_has_become_large(evaluation, monkeypatch):
    monkeypatch.setattr(service, "PAGE_BYTES", 1000)
    evaluation.create("qa")
    evaluation.merge("qa", [{"inputs": {"q": each, "text": "x" * 400}} for each in range(5)])

    page = evaluation.records("qa")

    assert (len(page.records), page.after is None) == (2, False)
    assert [record.inputs["q"] for record in all_of(evaluation)] == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("after", ["", "nonsense", "é", "MTI=", "LTE6eA==", "MTp4AA=="])
def test_a_foreign_page_token_is_refused(evaluation, after):
    evaluation.create("qa")

    with pytest.raises(InvalidInput):
        evaluation.records("qa", after=after)


def test_removed_records_are_gone_and_counted(evaluation, store):
    evaluation.create("qa")
    evaluation.merge("qa", [{"inputs": {"q": each}} for each in range(3)])
    ids = [record.id for record in all_of(evaluation)]

    gone = [evaluation.remove_records("qa", given) for given in (ids[:1], ids[:2], [], ["dr-x"])]

    assert gone == [1, 1, 0, 0]
    assert evaluation.dataset("qa").records == 1
    assert [(f.removed, f.records) for f in told(store, EvaluationRecordsRemoved)] == [
        (1, 2),
        (1, 1),
    ]


def test_records_of_another_dataset_cannot_be_removed(evaluation):
    evaluation.create("qa")
    evaluation.create("other")
    evaluation.merge("other", [{"inputs": {"q": 1}}])

    assert evaluation.remove_records("qa", [all_of(evaluation, "other")[0].id]) == 0
    assert len(all_of(evaluation, "other")) == 1


def test_two_who_merge_the_same_inputs_at_once_make_one_record(evaluation):
    evaluation.create("qa")

    with ThreadPoolExecutor(4) as pool:
        done = list(
            pool.map(
                lambda who: evaluation.merge("qa", [{"inputs": {"q": 1}, "tags": {str(who): 1}}]),
                range(4),
            )
        )

    (found,) = all_of(evaluation)
    assert sorted((each.inserted, each.updated) for each in done) == [(0, 1)] * 3 + [(1, 0)]
    assert set(found.tags) == {"0", "1", "2", "3"}
    assert evaluation.dataset("qa").records == 1


def test_the_log_tells_a_merge_with_the_digest_of_what_came(evaluation, store):
    evaluation.create("qa")

    evaluation.merge("qa", [{"inputs": {"q": 1}}, {"inputs": {"q": 1}}])

    (fact,) = told(store, EvaluationMerged)
    assert (fact.inserted, fact.updated, fact.records) == (1, 1, 1)
    assert len(fact.content) == 64
    assert fact.digest == evaluation.dataset("qa").digest
