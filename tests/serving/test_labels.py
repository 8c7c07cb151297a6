from __future__ import annotations

import pyarrow as pa
import pytest

from treadle.errors import InvalidInput, NotFound
from treadle.serving.entities import Variant
from treadle.serving.facts import LabelsJoined, LabelStateChanged

both_stores = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def scored(serving, endpoint, versions, rows):
    """Four predictions about things at 0, 10, 20, 30, each with a shadow beside it."""
    serving.set_traffic(
        "late",
        [
            Variant(name="champion", version=versions[0]),
            Variant(name="shadow", version=versions[1], role="shadow"),
        ],
        reason="",
    )
    return serving.score_batch(
        "late", rows(4), keys=["a", "b", "c", "d"], times=[0, 10, 20, 30], source_ref="w1"
    )


@pytest.fixture
def label(serving):
    def log(labels, *, at=100, ref="outcomes@1", state="accepted", **columns):
        table = pa.table({"key": list(labels), "label": list(labels.values()), **columns})
        return serving.log_labels("late", table, at=at, source_ref=ref, state=state)

    return log


def labels_of(serving, **asked):
    found = serving.labelled("late", role="live", **asked).sort_by("at")
    return dict(zip(found["key"].to_pylist(), found["label"].to_pylist(), strict=True))


@both_stores
def test_a_label_not_there_yet_is_null_and_never_zero(serving, scored, label):
    label({"a": 1, "b": 0})

    assert labels_of(serving) == {"a": 1.0, "b": 0.0, "c": None, "d": None}


@both_stores
def test_the_latest_label_of_a_key_wins(serving, scored, label):
    label({"a": 0, "b": 0}, at=100)
    label({"a": 1}, at=200, ref="outcomes@2")

    assert labels_of(serving) == {"a": 1.0, "b": 0.0, "c": None, "d": None}


def test_the_last_of_two_rows_of_a_key_wins(serving, scored):
    table = pa.table({"key": ["a", "a"], "label": [0, 1]})
    serving.log_labels("late", table, at=100, source_ref="o@1")

    assert labels_of(serving)["a"] == 1.0


def test_the_shadow_gets_the_label_of_the_answer_it_stood_behind(serving, scored, label):
    label({"a": 1})

    shadow = serving.labelled("late", role="shadow", columns=["key", "version"])

    assert shadow.filter(pa.compute.field("key") == "a").to_pylist() == [
        {"key": "a", "version": "late@2", "label": 1.0, "labelled_at": 100}
    ]


def test_a_label_with_a_prediction_id_is_about_that_prediction_alone(serving, scored, rows):
    serving.score_batch("late", rows(1), keys=["a"], times=[5])
    first = serving.predictions("late", role="live", end=5)["id"][0].as_py()
    table = pa.table({"key": [None], "label": [1], "prediction_id": [first]}).cast(
        pa.schema([("key", pa.string()), ("label", pa.int64()), ("prediction_id", pa.string())])
    )
    serving.log_labels("late", table, at=100, source_ref="feedback@1")

    found = serving.labelled("late", end=10).sort_by("at")

    assert found["at"].to_pylist() == [0, 0, 5, 5]
    assert found["label"].to_pylist() == [1.0, 1.0, None, None]  # its shadow with it


def test_a_label_says_nothing_about_what_happened_after_it(serving, scored, label):
    label({"a": 1, "d": 1}, at=25)

    assert labels_of(serving) == {"a": 1.0, "b": None, "c": None, "d": None}


@both_stores
def test_quarantined_labels_are_not_joined_until_they_are_accepted(serving, scored, label):
    batch = label({"a": 1}, state="quarantined")
    before = labels_of(serving)

    serving.set_label_state(batch.id, "accepted", reason="it was right after all")

    assert before["a"] is None
    assert labels_of(serving)["a"] == 1.0


@both_stores
def test_labels_set_aside_give_way_to_those_before_them(serving, scored, label, log):
    label({"a": 1}, at=100)
    poisoned = label({"a": 0}, at=200, ref="outcomes@2")

    after = serving.set_label_state(poisoned.id, "quarantined", reason="dead feed")

    assert after.state == "quarantined"
    assert labels_of(serving)["a"] == 1.0
    (event,) = log.read(kinds=[LabelStateChanged.kind], subject="endpoint/late")
    assert event.as_fact(LabelStateChanged).reason == "dead feed"


def test_setting_the_state_it_has_is_no_event(serving, scored, label, log):
    batch = label({"a": 1})

    serving.set_label_state(batch.id, "accepted", reason="")

    assert log.read(kinds=[LabelStateChanged.kind]) == []


@both_stores
def test_a_batch_says_what_it_was_about(serving, scored, label, log):
    batch = label({"b": 1, "c": 0, "stranger": 1})

    assert (batch.rows, batch.joined, batch.first_at, batch.last_at) == (3, 2, 10, 20)
    assert serving.label_batches("late") == (batch,)
    assert serving.label_batch(batch.id) == batch
    (event,) = log.read(kinds=[LabelsJoined.kind])
    assert event.as_fact(LabelsJoined).joined == 2


def test_a_batch_about_nothing_we_know_lies_at_its_arrival(serving, scored, label):
    batch = label({"stranger": 1})

    assert (batch.joined, batch.first_at, batch.last_at) == (0, 100, 100)


@both_stores
def test_the_same_labels_from_the_same_source_are_one_batch(serving, scored, label):
    first = label({"a": 1})
    again = label({"a": 1})

    assert again == first
    assert serving.label_batches("late") == (first,)


def test_null_labels_are_left_out(serving, scored, label):
    batch = label({"a": None, "b": 1.0, "c": float("nan")})

    assert batch.rows == 1
    assert serving.labels(batch.id)["key"].to_pylist() == ["b"]


def test_labels_that_are_true_or_false_are_numbers(serving, scored, label):
    label({"a": True, "b": False})

    assert labels_of(serving) == {"a": 1.0, "b": 0.0, "c": None, "d": None}


def test_labels_join_predictions_that_are_not_compacted_yet(
    serving, runtime, endpoint, label, rows
):
    runtime.refresh()
    runtime.infer("late", rows(1), keys=["a"], times=[3])

    batch = label({"a": 1})

    assert (batch.joined, batch.first_at) == (1, 3)
    assert labels_of(serving) == {"a": 1.0}


def test_only_the_columns_asked_for_are_returned_with_the_label(serving, scored, label):
    label({"a": 1})

    found = serving.labelled("late", columns=["value", "label"])

    assert found.column_names == ["value", "label", "labelled_at"]


def test_a_window_without_predictions_has_the_label_column_too(serving, scored):
    found = serving.labelled("late", start=99, columns=["key", "at", "value"])

    assert (found.num_rows, found.column_names[-2:]) == (0, ["label", "labelled_at"])


@pytest.mark.parametrize(
    ("columns", "error", "told"),
    [
        ({"key": ["a"]}, NotFound, "label"),
        ({"label": [1]}, NotFound, "key"),
        ({"key": ["a"], "label": ["yes"]}, InvalidInput, "must be numbers"),
        ({"key": [None], "label": [1]}, InvalidInput, "neither a key nor a prediction id"),
    ],
)
def test_labels_that_make_no_sense_are_refused(serving, scored, columns, error, told):
    with pytest.raises(error, match=told):
        serving.log_labels("late", pa.table(columns), at=1, source_ref="o@1")

    assert serving.label_batches("late") == ()


def test_labels_of_an_unknown_endpoint_are_refused(serving, scored):
    with pytest.raises(NotFound, match="'late'"):
        serving.log_labels("lat", pa.table({"key": ["a"], "label": [1]}), at=1, source_ref="o@1")


def test_an_unknown_batch_is_not_found(serving, scored):
    with pytest.raises(NotFound, match="label batch"):
        serving.set_label_state("f" * 32, "accepted", reason="")
