from __future__ import annotations

from sqlalchemy import func, select, text

from treadle.storage import events
from treadle.storage.fresh import declare_all
from treadle.storage.schema import metadata
from treadle.tracking.entities import LoggedDataset, ModelMetric, RunModel

HOUR = 3_600_000_000
ELSEWHERE = {"events", "checkpoints"}


def fill(tracking, experiment: str):
    """A run of an experiment with one of everything, and a logged model of it."""
    run = tracking.start_run(experiment=experiment, name="x", params={"a": 1})
    model = tracking.create_logged_model(
        run.experiment_id, name="late", source_run_id=run.id, params={"a": 1}, tags={"b": 2}
    )
    metric = ModelMetric(key="auc", value=1.0, step=0, at=0, run_id=run.id)
    tracking.log_batch(
        run.id, points=[("loss", 1.0, i, i) for i in range(100)], model_metrics=[(model.id, metric)]
    )
    tracking.log_input(run.id, kind="dataset", ref="a@1", digest="d")
    tracking.log_datasets(run.id, [LoggedDataset(name="a", digest="d")])
    tracking.log_models(run.id, outputs=[RunModel(model_id=model.id, direction="output")])
    tracking.log_artifact(run.id, "a.txt", b"a")
    tracking.tag_experiment(run.experiment_id, {"team": "ops"})
    return run, model


def counts(store) -> dict[str, int]:
    declare_all()
    with store.read() as tx:
        return {
            name: tx.execute(select(func.count()).select_from(text(f'"{name}"'))).scalar_one()
            for name in metadata.tables
            if name not in ELSEWHERE
        }


def test_a_deleted_experiment_goes_with_all_that_was_logged_and_nothing_else(tracking, store):
    fill(tracking, "kept")
    before = counts(store)
    run, _ = fill(tracking, "gone")
    tracking.delete_experiment(run.experiment_id)

    tracking.gc()

    assert counts(store) == before


def test_a_deleted_run_goes_and_its_experiment_stays(tracking, store):
    run, model = fill(tracking, "late")
    kept, _ = fill(tracking, "late")
    tracking.delete_run(run.id)

    cleaned = tracking.gc()

    assert (cleaned.runs, cleaned.experiments, cleaned.logged_models) == ((run.id,), (), ())
    assert tracking.search_runs(view="all").items == (tracking.run(kept.id),)
    assert tracking.logged_model(model.id).name == "late"


def test_a_deleted_logged_model_goes_alone(tracking):
    run, model = fill(tracking, "late")
    tracking.delete_logged_model(model.id)

    cleaned = tracking.gc()

    assert cleaned.logged_models == (model.id,)
    assert tracking.run(run.id).lifecycle_stage == "active"


def test_what_was_deleted_lately_is_spared(tracking, clock):
    old, new = (tracking.start_run(experiment="late") for _ in range(2))
    tracking.delete_run(old.id)
    clock.advance(HOUR)
    tracking.delete_run(new.id)

    cleaned = tracking.gc(older_than=HOUR)

    assert cleaned.runs == (old.id,)
    assert tracking.run(new.id).lifecycle_stage == "deleted"


def test_a_dry_run_only_looks(tracking, store):
    run, _ = fill(tracking, "late")
    tracking.delete_experiment(run.experiment_id)
    before = counts(store)

    cleaned = tracking.gc(dry_run=True)

    assert cleaned.experiments == (run.experiment_id,)
    assert counts(store) == before


def test_cleaning_is_told_with_what_went_and_nothing_is_told_of_nothing(tracking, store):
    run, _ = fill(tracking, "late")
    tracking.delete_run(run.id)
    tracking.gc()
    tracking.gc()

    with store.read() as tx:
        [told] = events.read(tx.connection, kinds=["tracking.cleaned"])
    assert told.facts()["runs"] == [run.id]


def test_the_name_of_an_experiment_is_free_when_it_is_gone(tracking):
    made = tracking.create_experiment("late")
    tracking.delete_experiment(made.id)
    tracking.gc()

    assert tracking.create_experiment("late").id != made.id


def test_what_a_process_captured_is_put_again_for_runs_that_come_later(
    tracking, objects, monkeypatch
):
    tracking.start_run(experiment="late")
    for info in list(objects.iterate()):
        objects.delete(info.digest)  # its run was removed, and a sweep came by
    monkeypatch.setattr("treadle.tracking.service.doors.STORED_FOR_S", -1)

    run = tracking.start_run(experiment="late")

    with tracking.open_artifact(run.id, "environment/packages.txt") as stream:
        assert stream.read() == b"numpy==2.4\n"
