from __future__ import annotations

import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events

LATER = 1_000_000


def kinds(store):
    with store.read() as tx:
        return [event.kind for event in events.read(tx.connection)]


def test_an_experiment_is_read_as_it_was_made(tracking, clock):
    made = tracking.create_experiment("late", artifact_location="s3://files", tags={"team": "ops"})

    assert tracking.experiment_by_id(made.id) == tracking.experiment_by_name("late") == made
    assert (made.created_at, made.updated_at) == (clock.instant, clock.instant)
    assert (made.artifact_location, made.tags) == ("s3://files", {"team": "ops"})


def test_the_default_experiment_is_one_however_it_is_asked_for(tracking, store):
    default = tracking.default_experiment()

    assert (default.id, default.name) == ("0", "Default")
    assert tracking.experiment("Default") == tracking.default_experiment() == default
    assert kinds(store) == ["experiment.created"]


def test_a_name_that_is_taken_is_refused(tracking):
    made = tracking.create_experiment("late")

    with pytest.raises(Conflict, match="exists already") as caught:
        tracking.create_experiment("late")

    assert caught.value.data["experiment"] == made.id


def test_the_name_of_a_deleted_experiment_stays_taken(tracking):
    made = tracking.create_experiment("late")
    tracking.delete_experiment(made.id)

    with pytest.raises(Conflict, match="is deleted") as caught:
        tracking.create_experiment("late")

    assert caught.value.data["lifecycle_stage"] == "deleted"
    assert tracking.experiment_by_name("late").lifecycle_stage == "deleted"
    assert tracking.experiments() == ()


def test_a_renamed_experiment_is_found_by_its_new_name_alone(tracking, clock):
    made = tracking.create_experiment("late")
    clock.advance(LATER)

    renamed = tracking.rename_experiment(made.id, "later")

    assert renamed.updated_at == made.updated_at + LATER
    assert tracking.experiment_by_name("later") == renamed
    assert tracking.experiment_by_name("late") is None


def test_a_name_that_another_experiment_has_is_refused_for_a_rename(tracking):
    one, _ = tracking.create_experiment("one"), tracking.create_experiment("two")

    with pytest.raises(Conflict, match="exists already"):
        tracking.rename_experiment(one.id, "two")

    assert tracking.experiment_by_id(one.id).name == "one"


def test_deleting_an_experiment_deletes_its_runs_and_restoring_brings_all_of_them_back(tracking):
    made = tracking.create_experiment("late")
    kept, gone = (tracking.start_run(experiment_id=made.id) for _ in range(2))
    other = tracking.start_run(experiment="other")
    tracking.delete_run(gone.id)

    tracking.delete_experiment(made.id)
    deleted = [tracking.run(run.id).lifecycle_stage for run in (kept, gone, other)]
    tracking.restore_experiment(made.id)

    assert deleted == ["deleted", "deleted", "active"]
    assert [tracking.run(run.id).deleted_at for run in (kept, gone)] == [None, None]
    assert tracking.search_runs(experiment="late").total == 2


def test_only_an_active_experiment_can_be_deleted_and_only_a_deleted_one_restored(tracking):
    made = tracking.create_experiment("late")

    with pytest.raises(NotFound):
        tracking.restore_experiment(made.id)
    tracking.delete_experiment(made.id)
    with pytest.raises(NotFound):
        tracking.delete_experiment(made.id)


@pytest.mark.parametrize(
    "verb",
    [
        pytest.param(lambda t, e: t.rename_experiment(e, "new"), id="rename_experiment"),
        pytest.param(lambda t, e: t.tag_experiment(e, {"a": "b"}), id="tag_experiment"),
        pytest.param(lambda t, e: t.untag_experiment(e, "a"), id="untag_experiment"),
        pytest.param(lambda t, e: t.start_run(experiment_id=e), id="start_run"),
        pytest.param(lambda t, e: t.create_logged_model(e, name="late"), id="create_logged_model"),
    ],
)
def test_nothing_is_written_to_a_deleted_experiment(tracking, verb):
    made = tracking.create_experiment("late", tags={"a": "a"})
    tracking.delete_experiment(made.id)

    with pytest.raises(Conflict, match="is deleted") as caught:
        verb(tracking, made.id)

    assert caught.value.data["lifecycle_stage"] == "deleted"
    assert tracking.experiment_by_id(made.id).tags == {"a": "a"}


def test_tags_of_an_experiment_are_set_moved_and_taken_off(tracking):
    made = tracking.create_experiment("late", tags={"a": "1", "b": "2"})

    tracking.tag_experiment(made.id, {"a": "3", "c": "4"})
    tracking.untag_experiment(made.id, "b")

    assert tracking.experiment_by_id(made.id).tags == {"a": "3", "c": "4"}
    with pytest.raises(NotFound, match="No tag 'b'"):
        tracking.untag_experiment(made.id, "b")


def test_a_tag_of_an_experiment_may_be_longer_than_a_runs(solo):
    made = solo.create_experiment("late", tags={"note": "x" * 20_000})

    assert len(made.tags["note"]) == 20_000
    with pytest.raises(InvalidInput, match="the limit is 20000"):
        solo.tag_experiment(made.id, {"note": "x" * 20_001})


def test_the_life_of_an_experiment_is_told_by_facts(tracking, store):
    made = tracking.create_experiment("late")
    tracking.rename_experiment(made.id, "later")
    tracking.tag_experiment(made.id, {"a": "b"})
    tracking.delete_experiment(made.id)
    tracking.restore_experiment(made.id)

    assert kinds(store) == [
        "experiment.created",
        "experiment.renamed",
        "experiment.tagged",
        "experiment.deleted",
        "experiment.restored",
    ]
