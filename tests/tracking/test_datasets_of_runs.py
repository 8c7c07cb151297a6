from __future__ import annotations

import pyarrow as pa
import pytest

from treadle.data.service import Data
from treadle.storage import events
from treadle.tracking.entities import LoggedDataset

TRAINING = {"mlflow.data.context": "training"}


@pytest.fixture
def data(store, objects):
    return Data(store=store, objects=objects)


@pytest.fixture
def run(tracking):
    return tracking.start_run(experiment="late", capture=False)


def described(**changed):
    fields = {"name": "flights", "digest": "abcd1234", "source_type": "local", "source": "{}"}
    return LoggedDataset(**{**fields, **changed})


def test_a_run_holds_the_datasets_it_used_in_the_words_of_its_client(tracking, run):
    given = described(schema='{"a": 1}', profile='{"rows": 2}', tags=TRAINING)

    tracking.log_datasets(run.id, [given])

    [found] = tracking.run(run.id).datasets
    assert (found.name, found.digest, found.source_type) == ("flights", "abcd1234", "local")
    assert (found.schema, found.profile, found.tags) == (given.schema, given.profile, TRAINING)


def test_a_dataset_is_one_for_all_runs_of_an_experiment(tracking, run):
    other = tracking.start_run(experiment="late", capture=False)
    for each in (run, other, run):
        tracking.log_datasets(each.id, [described(tags=TRAINING)])

    [one], [two] = (tracking.run(each.id).datasets for each in (run, other))

    assert one.id == two.id
    assert len(tracking.datasets_of([run.experiment_id])) == 1


def test_a_use_is_told_once(tracking, store, run):
    tracking.log_datasets(run.id, [described()])
    tracking.log_datasets(run.id, [described()])

    with store.read() as tx:
        kinds = [event.kind for event in events.read(tx.connection)]
    assert kinds.count("run.datasets_logged") == 1


def test_datasets_of_experiments_are_listed_with_the_way_they_are_used(tracking, run):
    elsewhere = tracking.start_run(experiment="other", capture=False)
    other = tracking.start_run(experiment="late", capture=False)
    tracking.log_datasets(run.id, [described(tags=TRAINING)])
    tracking.log_datasets(other.id, [described()])
    tracking.log_datasets(elsewhere.id, [described()])

    found = tracking.datasets_of([run.experiment_id])

    assert {experiment_id for experiment_id, _ in found} == {run.experiment_id}
    assert sorted(len(dataset.tags) for _, dataset in found) == [0, 1]


@pytest.mark.parametrize("length", [8, 36, 64])
def test_a_dataset_with_the_digest_of_a_version_of_ours_ties_the_run_to_it(
    tracking, data, run, length
):
    version = data.commit("flights", pa.table({"x": [1, 2]}))
    digest = version.digest[:length]

    tracking.log_datasets(run.id, [described(digest=digest, tags=TRAINING)])

    [tied] = tracking.run(run.id).inputs
    assert (tied.kind, tied.ref, tied.digest) == ("dataset", "flights@1", version.digest)
    assert tied.context == "training"
    assert [found.id for found in tracking.runs_using("flights@1")] == [run.id]


def test_of_several_versions_with_a_digest_the_oldest_is_tied(tracking, data, run):
    old = data.commit("flights", pa.table({"x": [1, 2]}))
    data.commit("flights", pa.table({"x": [1, 3]}))
    data.revert("flights@1")

    tracking.log_datasets(run.id, [described(digest=old.digest)])

    assert [tied.ref for tied in tracking.run(run.id).inputs] == ["flights@1"]


def test_a_dataset_of_another_name_or_digest_ties_nothing(tracking, data, run):
    version = data.commit("flights", pa.table({"x": [1, 2]}))
    others = [described(name="other", digest=version.digest), described(digest="0" * 36)]

    tracking.log_datasets(run.id, others)

    assert tracking.run(run.id).inputs == ()
