from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from tests.release.world import World, at, flights
from treadle.data.contracts import ContractBody, LabelRule
from treadle.kernel.errors import NotFound
from treadle.serving.facts import LabelsJoined


def asked(world, week=0):
    world.now(at(week, day=6.9))
    rows = world.ask(week)
    world.now(at(week, day=8))
    return rows


def take(world, ref="outcomes@1"):
    return world.app.monitoring.take_labels("late", ref=ref, key="flight", label="late")


def take_all(world):
    return world.app.monitoring.take_deliveries(
        "late", dataset="outcomes", key="flight", label="late"
    )


def silent(rows):
    place = rows.column_names.index("late")
    return rows.set_column(place, "late", pa.array(np.zeros(rows.num_rows, dtype=np.int8)))


def labelled(world, week=0):
    return world.app.serving.labelled("late", start=at(week), end=at(week + 1))["label"]


def test_a_delivery_says_how_many_labels_met_a_prediction_and_about_when(world):
    rows = asked(world)
    world.deliver(rows)

    delivery = take(world)

    assert (delivery.state, delivery.reason) == ("accepted", "")
    assert (delivery.rows, delivery.joined) == (420, 420)
    assert delivery.first_at == rows["at"][0].as_py()
    assert delivery.last_at == rows["at"][-1].as_py()
    assert labelled(world).null_count == 0


def test_taking_a_delivery_twice_changes_nothing(world):
    world.deliver(asked(world))
    first = take(world)
    before = world.kinds()

    again = take(world)

    assert again == first
    assert world.kinds() == before


def test_taking_a_broken_delivery_twice_changes_nothing(world):
    world.deliver(silent(asked(world)))
    first = take(world)
    before = world.kinds()

    again = take(world)

    assert first.state == "quarantined"
    assert again == first
    assert world.kinds() == before


def test_every_version_not_taken_yet_is_taken_in_order(world):
    rows = asked(world)
    world.deliver(rows.slice(0, 100))
    take_all(world)
    world.deliver(rows.slice(100, 200))
    world.deliver(rows.slice(300))

    taken = take_all(world)

    assert [d.ref for d in taken] == ["outcomes@2", "outcomes@3"]
    assert take_all(world) == ()
    assert labelled(world).null_count == 0


def test_before_anything_was_delivered_nothing_is_taken(solo):
    assert take_all(solo) == ()


def test_a_dead_feed_is_caught_though_nobody_set_a_contract(solo):
    solo.deliver(silent(asked(solo)))

    delivery = take(solo)

    assert delivery.state == "quarantined"
    assert "a day may show" in delivery.reason
    contract = solo.app.data.contract("outcomes")
    assert contract.body.label.column == "late"
    assert solo.app.data.quarantines("outcomes")[0].reason == delivery.reason


def test_a_rate_that_the_held_out_labels_never_showed_may_still_be_the_world(solo):
    rows = flights(0, bias=0.4)
    solo.now(at(0, day=8))
    solo.deliver(rows)

    assert take(solo).state == "accepted"


def test_the_contract_somebody_set_decides(solo):
    world_rows = asked(solo)
    solo.deliver(world_rows)
    strict = LabelRule(column="late", low=0.9, high=1.0)
    solo.app.data.set_contract("outcomes", ContractBody(label=strict))

    assert take(solo).state == "quarantined"


def test_before_anything_serves_a_delivery_without_contract_is_taken(tmp_path):
    world = World(tmp_path)
    world.deliver(flights(0))

    delivery = take(world)

    assert (delivery.state, delivery.rows, delivery.joined) == ("accepted", 420, 0)
    assert world.app.data.contract("outcomes") is None
    world.app.close()


def test_a_delivery_that_a_person_released_counts_from_the_next_time_on(world):
    world.deliver(silent(asked(world)))
    take_all(world)
    (held,) = world.app.data.quarantines("outcomes")
    world.app.data.release_quarantine(held.id)

    (taken,) = take_all(world)

    assert taken.state == "accepted"
    assert labelled(world).null_count == 0
    assert take_all(world) == ()


def test_a_delivery_that_a_person_quarantined_does_not_count(solo):
    solo.deliver(asked(solo))
    solo.app.data.quarantine("outcomes@1", reason="the airline asked us not to", evidence={})

    (taken,) = take_all(solo)

    assert (taken.state, taken.reason) == ("quarantined", "the airline asked us not to")
    assert labelled(solo).null_count == 420


def test_a_delivery_without_its_columns_is_quarantined_once_and_named(solo):
    rows = asked(solo)
    solo.app.data.commit("outcomes", rows.select(["flight"]))

    (taken,) = take_all(solo)

    assert (taken.state, taken.rows) == ("quarantined", 0)
    assert taken.reason == "it has no column 'late'"
    assert take_all(solo) == ()


def test_rows_without_a_label_are_left_out(solo):
    rows = asked(solo)
    known = pa.array(rows["late"].to_numpy(), mask=np.arange(420) < 20)
    solo.app.data.commit("outcomes", pa.table({"flight": rows["flight"], "late": known}))

    assert take(solo).rows == 400
    assert labelled(solo).null_count == 20


def test_a_delivery_of_a_dataset_nobody_knows_says_so(solo):
    with pytest.raises(NotFound, match="outcomes"):
        take(solo)


def test_labels_that_lie_aside_let_no_challenger_be_trained(world):
    for week in range(4):
        world.deliver(silent(asked(world, week)))
    take_all(world)
    world.now(at(6))

    decision = world.app.releases.should_retrain("late")

    assert not decision.yes
    assert "0 of 500 new accepted labels" in decision.reason


# --- labels that came by themselves ---


def post(world, rows, *, source="feed"):
    labels = rows.select(["flight", "late"]).rename_columns(["key", "label"])
    return world.app.loop.take_labels("late", labels, source_ref=source)


def test_posted_labels_that_keep_the_contract_count(world):
    taken = post(world, asked(world))

    assert (taken.state, taken.problem, taken.joined) == ("accepted", "", 420)
    assert [c.check for c in taken.checks] == ["labelled", "constant", "rate"]
    assert labelled(world).null_count == 0


def test_posted_labels_of_a_feed_that_died_are_held_and_the_check_is_named(world):
    taken = post(world, silent(asked(world)))

    assert taken.state == "quarantined"
    assert taken.problem.startswith("rate: The rate of 420 labels is 0")
    assert labelled(world).null_count == 420


def test_why_posted_labels_are_held_stands_in_the_log(world):
    taken = post(world, silent(asked(world)))

    (event,) = [e for e in world.app.log.read() if e.kind == "labels.joined"]
    fact = event.as_fact(LabelsJoined)
    assert (fact.state, fact.reason) == ("quarantined", taken.problem)


def test_a_dead_feed_is_seen_in_small_pieces_too(world):
    rows = silent(asked(world))

    states = [post(world, rows.slice(20 * n, 20)).state for n in range(20)]

    assert states[0] == "accepted"
    assert states[-1] == "quarantined"


def test_a_feed_that_is_well_again_is_believed_again(world):
    rows = asked(world)
    dead = post(world, silent(rows.slice(0, 120)), source="dead")

    states = [post(world, rows.slice(120 + 30 * n, 30)).state for n in range(10)]

    assert dead.state == "quarantined"
    assert states[-1] == "accepted"


def test_held_labels_that_a_person_accepted_stay_so_when_sent_again(world):
    rows = silent(asked(world))
    held = post(world, rows)
    world.app.serving.set_label_state(held.id, "accepted", reason="everybody was on time")

    again = post(world, rows)

    assert (again.id, again.state, again.problem) == (held.id, "accepted", "")
    assert labelled(world).null_count == 0


def test_the_contract_of_the_labels_dataset_holds_for_posted_ones(world):
    rows = asked(world)
    world.deliver(rows.slice(0, 100))
    world.app.data.set_contract(
        "outcomes", ContractBody(label=LabelRule(column="late", low=0.9, high=1.0))
    )

    assert post(world, rows).problem.startswith("rate: ")


def test_labels_of_an_endpoint_nobody_watches_are_taken_unchecked(world):
    world.app.serving.create_endpoint("loose", "late")
    labels = pa.table({"key": ["a"], "label": [1.0]})

    taken = world.app.loop.take_labels("loose", labels, source_ref="feed")

    assert (taken.state, taken.checks) == ("accepted", ())
