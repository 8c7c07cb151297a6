from __future__ import annotations

import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events
from treadle.tracking.facts import RunEnded, RunUpdated

LATER = 1_000_000


def facts(store, kind):
    with store.read() as tx:
        return [event.as_fact(kind) for event in events.read(tx.connection, kinds=[kind.kind])]


@pytest.fixture
def run(tracking):
    return tracking.start_run(experiment="late", name="first", capture=False)


def test_a_run_of_another_process_captures_nothing_of_this_one(tracking):
    made = tracking.start_run(experiment="late", user_id="ann", started_at=7, capture=False)

    assert tracking.run(made.id) == made
    assert (made.user_id, made.started_at, made.tags) == ("ann", 7, {})
    assert tracking.artifacts(made.id) == ()


def test_the_name_of_a_run_is_also_its_tag(tracking, run):
    assert run.tags == {"mlflow.runName": "first"}

    tracking.tag_run(run.id, {"mlflow.runName": "second"})
    assert tracking.run(run.id).name == "second"

    tracking.update_run(run.id, name="third")
    assert tracking.run(run.id).tags == {"mlflow.runName": "third"}

    tracking.tag_run(run.id, {"mlflow.runName": ""})
    assert tracking.run(run.id).name == "third"


def test_the_tag_of_the_name_names_a_run_that_is_given_none(tracking):
    run = tracking.start_run(experiment="late", tags={"mlflow.runName": "x"}, capture=False)

    assert run.name == "x"


def test_the_parent_of_a_run_is_also_its_tag(tracking, run):
    by_id = tracking.start_run(experiment="late", parent_id=run.id, capture=False)
    by_tag = tracking.start_run(
        experiment="late", tags={"mlflow.parentRunId": run.id}, capture=False
    )
    later = tracking.start_run(experiment="late", capture=False)
    tracking.tag_run(later.id, {"mlflow.parentRunId": run.id})

    assert by_id.tags == by_tag.tags == {"mlflow.parentRunId": run.id}
    assert tracking.search_runs(parent_id=run.id).total == 3

    tracking.untag_run(later.id, "mlflow.parentRunId")
    assert tracking.run(later.id).parent_id is None


def test_a_run_is_ended_when_its_client_says_so_and_may_go_on(tracking, store, run):
    ended = tracking.update_run(run.id, status="failed", ended_at=run.started_at + 5)
    again = tracking.update_run(run.id, status="running")

    assert (ended.status, ended.duration_us) == ("failed", 5)
    assert (again.status, again.ended_at) == ("running", ended.ended_at)
    assert [fact.status for fact in facts(store, RunEnded)] == ["failed"]
    assert [fact.status for fact in facts(store, RunUpdated)] == ["running"]


def test_a_scheduled_run_can_be_ended(tracking, run):
    tracking.update_run(run.id, status="scheduled")

    assert tracking.end_run(run.id).status == "finished"


def test_saying_a_status_again_adds_no_fact(tracking, store, run):
    tracking.update_run(run.id, status="finished", ended_at=1)
    tracking.update_run(run.id, status="finished", ended_at=2)

    assert len(facts(store, RunEnded)) == 1
    assert tracking.run(run.id).ended_at == 2


def test_a_deleted_run_is_read_but_not_listed_until_it_is_restored(tracking, clock, run):
    clock.advance(LATER)
    tracking.delete_run(run.id)

    deleted = tracking.run(run.id)
    assert (deleted.lifecycle_stage, deleted.deleted_at) == ("deleted", clock.instant)
    assert tracking.search_runs().total == 0
    assert tracking.search_runs(view="deleted").items == (deleted,)
    assert tracking.search_runs(view="all").total == 1

    tracking.restore_run(run.id)
    assert tracking.run(run.id) == run


def test_deleting_or_restoring_twice_is_told_once(tracking, store, run):
    for verb in (tracking.delete_run, tracking.delete_run, tracking.restore_run):
        verb(run.id)
    tracking.restore_run(run.id)

    with store.read() as tx:
        kinds = [event.kind for event in events.read(tx.connection)]
    assert kinds[-2:] == ["run.deleted", "run.restored"]
    assert kinds.count("run.deleted") == kinds.count("run.restored") == 1


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(lambda t, r: t.log(r, metrics={"loss": 1}), id="log"),
        pytest.param(lambda t, r: t.log_batch(r, params={"a": 1}), id="log_batch"),
        pytest.param(lambda t, r: t.log_points(r, []), id="log_points"),
        pytest.param(lambda t, r: t.tag_run(r, {"a": 1}), id="tag_run"),
        pytest.param(lambda t, r: t.untag_run(r, "mlflow.runName"), id="untag_run"),
        pytest.param(lambda t, r: t.update_run(r, name="x"), id="update_run"),
        pytest.param(
            lambda t, r: t.log_input(r, kind="dataset", ref="a@1", digest="d"), id="log_input"
        ),
        pytest.param(lambda t, r: t.log_datasets(r, []), id="log_datasets"),
        pytest.param(lambda t, r: t.log_models(r), id="log_models"),
    ],
)
def test_nothing_is_logged_to_a_deleted_run(tracking, run, verb):
    tracking.delete_run(run.id)
    before = tracking.run(run.id)

    with pytest.raises(Conflict, match="is deleted") as caught:
        verb(tracking, run.id)

    assert caught.value.data["lifecycle_stage"] == "deleted"
    assert tracking.run(run.id) == before


def test_a_tag_is_taken_off_once(tracking, run):
    tracking.tag_run(run.id, {"a": "b"})

    tracking.untag_run(run.id, "a")

    assert "a" not in tracking.run(run.id).tags
    with pytest.raises(NotFound, match="No tag 'a'"):
        tracking.untag_run(run.id, "a")


def test_every_param_that_would_change_is_named(tracking, run):
    tracking.log_batch(run.id, params={"a": "1", "b": "2", "c": "3"})

    with pytest.raises(Conflict) as caught:
        tracking.log_batch(run.id, params={"a": "1", "b": "x", "c": "y", "d": "z"})

    assert sorted(caught.value.data["changed"], key=lambda change: change["key"]) == [
        {"key": "b", "old_value": "2", "new_value": "x"},
        {"key": "c", "old_value": "3", "new_value": "y"},
    ]
    assert tracking.run(run.id).params == {"a": "1", "b": "2", "c": "3"}


def test_a_batch_holds_points_params_and_tags_and_may_be_sent_again(tracking, run):
    batch = {
        "points": [("loss", 0.5, 0, 10), ("loss", 0.25, 1, 20), ("auc", 1, 0, 10)],
        "params": {"depth": 3},
        "tags": {"team": "ops"},
    }
    tracking.log_batch(run.id, **batch)
    once = tracking.run(run.id)

    tracking.log_batch(run.id, **batch)

    assert tracking.run(run.id) == once
    assert [(p.key, p.value, p.step, p.at) for p in once.latest] == [
        ("auc", 1.0, 0, 10),
        ("loss", 0.25, 1, 20),
    ]
    assert once.metrics == {"auc": 1.0, "loss": 0.25}
    assert [s.points for s in tracking.metric_summaries(run.id)] == [1, 2]


@pytest.mark.parametrize("key", ["a//b", "./a", "a/", "/a", "..", "a/../b", ".", "..a"])
def test_a_key_that_means_another_as_a_path_is_refused(solo, key):
    made = solo.start_run(experiment="late", capture=False)

    with pytest.raises(InvalidInput, match="as a path it means"):
        solo.log_batch(made.id, points=[(key, 1.0, 0, 0)])
    with pytest.raises(InvalidInput, match="as a path it means"):
        solo.log_batch(made.id, params={key: "x"})


@pytest.mark.parametrize("point", [("m", 1.0, 1 << 63, 0), ("m", 1.0, 0, 1 << 63)])
def test_a_point_beyond_64_bits_is_refused(solo, point):
    made = solo.start_run(experiment="late", capture=False)

    with pytest.raises(InvalidInput, match="does not fit into 64 bits"):
        solo.log_batch(made.id, points=[point])
