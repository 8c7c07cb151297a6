"""Evaluation datasets by name and id: made, found, tagged, assigned, deleted."""

from __future__ import annotations

import pytest

from treadle.evaluation import rules, service
from treadle.evaluation.facts import EvaluationAssigned, EvaluationTagged
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events


def told(store, kind):
    with store.read() as tx:
        return [event.as_fact(kind) for event in events.read(tx.connection, kinds=[kind.kind])]


def names(page):
    return [found.name for found in page.items]


def test_a_new_one_is_found_by_name_and_by_id(evaluation):
    made = evaluation.create("qa", experiment_ids=["0", "0"], tags={"team": "ops", "none": None})

    assert evaluation.dataset("qa") == evaluation.dataset(made.id) == made
    assert (made.experiment_ids, made.tags, made.records, made.schema) == (
        ("0",),
        {"team": "ops"},
        None,
        None,
    )


def test_a_name_that_several_have_is_said_to_be_theirs(evaluation):
    ids = [evaluation.create("qa").id for _ in range(2)]

    with pytest.raises(Conflict) as caught:
        evaluation.dataset("qa")

    assert all(each in caught.value.hint for each in ids)


def test_an_unknown_name_suggests_the_near_miss(evaluation):
    evaluation.create("customer questions")

    with pytest.raises(NotFound, match="Did you mean 'customer questions'"):
        evaluation.dataset("customer question")


def test_a_name_that_looks_like_an_id_never_stands_for_one(evaluation):
    evaluation.create(f"d-{'0' * 32}")

    with pytest.raises(NotFound):
        evaluation.dataset(f"d-{'0' * 32}")


@pytest.mark.parametrize("name", ["", "x" * 256, "nul\x00", "half \ud800"])
def test_what_no_store_could_hold_is_no_name(evaluation, name):
    with pytest.raises(InvalidInput):
        evaluation.create(name)


@pytest.mark.parametrize(
    "tags",
    [
        {"k": "v" * 5001},
        {"k" * 256: "v"},
        {"k": "\x00"},
        {"k\ud800": "v"},
        {str(each): "v" for each in range(1001)},
    ],
)
def test_tags_are_bounded(evaluation, tags):
    with pytest.raises(InvalidInput):
        evaluation.create("qa", tags=tags)


def test_tags_are_set_and_taken_off_and_told_once(evaluation, store):
    evaluation.create("qa", tags={"a": 1})

    evaluation.tag("qa", {"a": 2, "b": None, "c": 3})
    evaluation.tag("qa", {"c": 3})
    evaluation.untag("qa", "a")

    assert evaluation.dataset("qa").tags == {"c": "3"}
    assert [(fact.tags, fact.removed) for fact in told(store, EvaluationTagged)] == [
        ({"a": "2", "c": "3"}, ()),
        ({}, ("a",)),
    ]


def test_a_tag_that_is_not_there_cannot_be_taken_off(evaluation):
    evaluation.create("qa", tags={"team": "ops"})

    with pytest.raises(NotFound, match="Did you mean 'team'"):
        evaluation.untag("qa", "tean")


def test_a_deleted_one_is_gone_with_all_it_had(evaluation):
    evaluation.create("qa", experiment_ids=["0"], tags={"a": 1})
    evaluation.merge("qa", [{"inputs": {"q": 1}}])

    evaluation.delete("qa")

    assert evaluation.search(experiment_ids=["0"]).total == 0
    with pytest.raises(NotFound):
        evaluation.records("qa")


def test_it_is_put_on_the_list_of_experiments_that_are_there(evaluation, tracking):
    evaluation.create("qa")
    made = tracking.create_experiment("late")

    found = evaluation.add_to_experiments("qa", [made.id, made.id])

    assert found.experiment_ids == (made.id,)
    with pytest.raises(NotFound, match="experiment"):
        evaluation.add_to_experiments("qa", ["elsewhere"])


def test_what_it_is_not_in_it_can_leave(evaluation, tracking):
    made = tracking.create_experiment("late")
    evaluation.create("qa", experiment_ids=[made.id])

    found = evaluation.remove_from_experiments("qa", [made.id, "elsewhere"])

    assert found.experiment_ids == ()


def test_an_experiment_that_vanishes_for_good_is_taken_off_every_list(evaluation, tracking, store):
    gone, kept = (tracking.create_experiment(name).id for name in ("gone", "kept"))
    evaluation.create("both", experiment_ids=[gone, kept])
    evaluation.create("other", experiment_ids=[kept])
    tracking.delete_experiment(gone)
    before = evaluation.dataset("both").experiment_ids

    tracking.gc()

    assert set(before) == {gone, kept}
    assert evaluation.dataset("both").experiment_ids == (kept,)
    assert evaluation.dataset("other").experiment_ids == (kept,)
    assert [fact.removed for fact in told(store, EvaluationAssigned)] == [(gone,)]


def test_they_are_searched_by_what_they_have(evaluation, clock):
    for name, team in (("b", "x"), ("a", "y"), ("C", "x")):
        evaluation.create(name, tags={"team": team, "mlflow.user": f"u{team}"})
        clock.advance(1000)

    assert names(evaluation.search()) == ["C", "a", "b"]
    assert names(evaluation.search(order_by="name")) == ["C", "a", "b"]
    assert names(evaluation.search(order_by="tags.team desc, name desc")) == ["a", "b", "C"]
    assert names(evaluation.search(where="tags.team = 'x'", order_by="created_at")) == ["b", "C"]
    assert names(evaluation.search(where="name ilike 'c' or name = 'a'")) == ["C", "a"]
    assert names(evaluation.search(where="created_by = 'ux' and name like 'b'")) == ["b"]
    assert names(evaluation.search(where="tags.none is null", limit=1, offset=1)) == ["a"]
    assert evaluation.search(limit=1).total == 3


def test_those_of_some_experiments_are_found(evaluation):
    evaluation.create("both", experiment_ids=["1", "2"])
    evaluation.create("one", experiment_ids=["1"])

    assert names(evaluation.search(experiment_ids=["2", "3"])) == ["both"]
    assert names(evaluation.search(experiment_ids=["1"], order_by="name")) == ["both", "one"]
    assert names(evaluation.search(experiment_ids=[])) == []


@pytest.mark.parametrize("page", [{"limit": 0}, {"limit": rules.PAGE_MOST + 1}, {"offset": -1}])
def test_a_page_is_bounded(evaluation, page):
    with pytest.raises(InvalidInput):
        evaluation.search(**page)


def test_a_page_of_datasets_ends_where_it_has_become_large(evaluation, monkeypatch):
    monkeypatch.setattr(service, "PAGE_BYTES", 1000)
    for each in range(4):
        evaluation.create(f"qa {each}", tags={"text": "x" * 400})

    first = evaluation.search(order_by="name")
    rest = evaluation.search(order_by="name", offset=first.next_offset)

    assert (names(first), names(rest)) == (["qa 0", "qa 1"], ["qa 2", "qa 3"])
    assert (first.total, rest.next_offset) == (4, None)


def test_tags_that_come_one_by_one_are_bounded_too(evaluation):
    evaluation.create("qa", tags={str(each): "v" for each in range(rules.TAGS_MOST)})

    evaluation.tag("qa", {"0": "w"})
    with pytest.raises(InvalidInput, match="1001 tags"):
        evaluation.tag("qa", {"one more": "v"})
