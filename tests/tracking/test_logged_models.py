from __future__ import annotations

import math

import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events
from treadle.tracking.entities import ModelMetric, RunModel


@pytest.fixture
def run(tracking):
    return tracking.start_run(experiment="late", capture=False)


@pytest.fixture
def model(tracking, run):
    return tracking.create_logged_model(
        run.experiment_id,
        name="late",
        model_type="classifier",
        source_run_id=run.id,
        params={"depth": 3},
        tags={"team": "ops"},
    )


def test_a_logged_model_is_read_as_it_was_made(tracking, run, model):
    assert tracking.logged_model(model.id) == model
    assert model.id.startswith("m-")
    assert (model.status, model.params, model.tags) == ("pending", {"depth": "3"}, {"team": "ops"})
    assert (model.experiment_id, model.source_run_id) == (run.experiment_id, run.id)


def test_a_logged_model_is_finalized_with_what_became_of_it(tracking, clock, model):
    clock.advance(5)

    found = tracking.finalize_logged_model(model.id, "ready")

    assert (found.status, found.updated_at) == ("ready", model.updated_at + 5)
    with pytest.raises(InvalidInput, match="no status"):
        tracking.finalize_logged_model(model.id, "done")


def test_a_deleted_logged_model_is_seen_only_by_who_asks_for_it(tracking, model):
    tracking.delete_logged_model(model.id)

    with pytest.raises(NotFound):
        tracking.logged_model(model.id)
    assert tracking.logged_model(model.id, include_deleted=True).lifecycle_stage == "deleted"


def test_tags_of_a_logged_model_are_set_moved_and_taken_off(tracking, model):
    tracking.tag_logged_model(model.id, {"team": "data", "a": "b"})
    tracking.untag_logged_model(model.id, "a")

    assert tracking.logged_model(model.id).tags == {"team": "data"}
    with pytest.raises(NotFound, match="No tag 'a'"):
        tracking.untag_logged_model(model.id, "a")


def test_a_param_of_a_logged_model_is_written_once(tracking, model):
    tracking.log_logged_model_params(model.id, {"depth": 3, "lr": 0.1})

    with pytest.raises(Conflict, match="'depth'"):
        tracking.log_logged_model_params(model.id, {"depth": 4, "new": 1})

    assert tracking.logged_model(model.id).params == {"depth": "3", "lr": "0.1"}


def test_metrics_of_a_logged_model_come_with_a_batch_of_its_run(tracking, run, model):
    metric = ModelMetric(
        key="auc", value=0.9, step=1, at=10, run_id=run.id, dataset_name="d", dataset_digest="x"
    )
    none = ModelMetric(key="nan", value=math.nan, step=0, at=10, run_id=run.id)

    for _ in range(2):
        tracking.log_batch(
            run.id,
            points=[("auc", 0.9, 1, 10)],
            model_metrics=[(model.id, metric), (model.id, none)],
        )

    first, second = tracking.logged_model(model.id).metrics
    assert first == metric
    assert math.isnan(second.value)


def test_a_run_names_the_models_it_read_and_made(tracking, store, run, model):
    read = RunModel(model_id="m-other", direction="input")
    made = RunModel(model_id=model.id, direction="output", step=7)

    for _ in range(2):
        tracking.log_models(run.id, inputs=[read], outputs=[made])

    found = tracking.run(run.id)
    assert (found.model_inputs, found.model_outputs) == ((read,), (made,))
    with store.read() as tx:
        kinds = [event.kind for event in events.read(tx.connection)]
    assert kinds.count("run.models_logged") == 1


@pytest.mark.parametrize("name", ["", "a/b", "a:b", "a.b", "a%b", 'a"b', "a'b"])
def test_a_name_that_cannot_be_a_logged_models_is_refused(solo, name):
    with pytest.raises(InvalidInput, match="cannot name a logged model"):
        solo.create_logged_model(solo.default_experiment().id, name=name)


@pytest.mark.parametrize(
    ("verb", "arguments"),
    [
        ("logged_model", ()),
        ("finalize_logged_model", ("ready",)),
        ("delete_logged_model", ()),
        ("tag_logged_model", ({"a": "b"},)),
        ("untag_logged_model", ("a",)),
        ("log_logged_model_params", ({"a": "b"},)),
    ],
)
def test_a_logged_model_that_is_not_there_is_refused_by_every_verb(solo, verb, arguments):
    with pytest.raises(NotFound):
        getattr(solo, verb)("m-nobody", *arguments)
