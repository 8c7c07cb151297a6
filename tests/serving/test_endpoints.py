from __future__ import annotations

import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.serving.entities import Variant

both_stores = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def two(versions):
    return [
        Variant(name="champion", version=versions[0], share=0.8),
        Variant(name="challenger", version=versions[1], share=0.2, role="canary"),
    ]


@both_stores
def test_traffic_is_what_was_set_last(serving, endpoint, two):
    after = serving.set_traffic("late", two, reason="try the new one")

    assert serving.endpoint("late") == after
    assert after.variants == tuple(two)
    assert after.revision == endpoint.revision + 1


@both_stores
def test_history_tells_every_change_with_reason_and_actor(serving, endpoint, two):
    serving.set_traffic("late", two, reason="try the new one", release_id="r1")

    first, second = serving.history("late")

    assert (first.reason, first.variants) == ("first", endpoint.variants)
    assert (second.reason, second.release_id) == ("try the new one", "r1")
    assert second.actor.startswith("user:")


@both_stores
def test_endpoints_are_rebuilt_from_the_log(serving, endpoint, two, log, clock):
    clock.advance(5)
    serving.set_traffic("late", two, reason="try the new one")
    serving.create_endpoint("idle", "late")
    before = serving.endpoints()

    serving.rebuild(log.read())

    assert serving.endpoints() == before
    assert len(before) == 2


def test_refused_traffic_changes_nothing(serving, endpoint, versions, log):
    events = log.last().seq

    with pytest.raises(InvalidInput, match="sum to 1"):
        serving.set_traffic("late", [Variant(name="a", version=versions[0], share=0.5)], reason="")

    assert serving.endpoint("late") == endpoint
    assert log.last().seq == events


def test_an_alias_is_kept_as_the_number_it_had(serving, endpoint, registry):
    registry.set_alias("late", "champion", 2)
    serving.set_traffic("late", [Variant(name="a", version="late@champion")], reason="by alias")
    registry.set_alias("late", "champion", 3)

    assert serving.endpoint("late").variants[0].version == "late@2"


def test_a_version_that_is_not_there_is_not_served(serving, endpoint):
    with pytest.raises(NotFound, match="late@9"):
        serving.set_traffic("late", [Variant(name="a", version="late@9")], reason="")


def test_traffic_and_alias_move_in_one_transaction_or_not_at_all(
    serving, endpoint, registry, store, two
):
    def promote():
        with store.write():
            registry.set_alias("late", "champion", 2)
            serving.set_traffic("late", two, reason="never committed")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        promote()

    assert serving.endpoint("late") == endpoint
    assert registry.aliases("late") == {}


def test_an_endpoint_is_made_once(serving, endpoint):
    with pytest.raises(Conflict, match="'late'"):
        serving.create_endpoint("late", "late")


def test_an_unknown_endpoint_names_its_near_miss(serving, endpoint):
    with pytest.raises(NotFound, match="Did you mean 'late'"):
        serving.endpoint("lat")


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ä" * 200])
def test_a_name_that_is_no_part_of_a_url_is_refused(serving, name):
    with pytest.raises(InvalidInput):
        serving.create_endpoint(name, "late")


def test_revisions_say_cheaply_what_changed(serving, endpoint, two):
    before = serving.revisions()
    serving.set_traffic("late", two, reason="")

    assert before == {"late": 1}
    assert serving.revisions() == {"late": 2}
