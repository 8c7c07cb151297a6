from __future__ import annotations

import shutil

import numpy as np
import pyarrow as pa
import pytest

from treadle.errors import Conflict, InvalidInput, NotFound, Unavailable
from treadle.serving.entities import Variant
from treadle.serving.facts import PredictionsLogged
from treadle.serving.requestlog import RequestLog
from treadle.serving.segments import segments

both_stores = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)


@pytest.fixture
def answers(runtime, endpoint, rows):
    """Three predictions, answered over the runtime and still in its segment."""
    runtime.refresh()
    table = rows(3)
    return [
        runtime.infer("late", table.slice(n, 1), keys=[f"k{n}"], times=[n * 10]) for n in range(3)
    ]


def compacted(serving, runtime):
    runtime.close()
    return serving.compact()


@both_stores
def test_predictions_are_the_same_before_and_after_compaction(serving, runtime, answers):
    before = serving.predictions("late")

    parts = compacted(serving, runtime)

    assert sum(p.rows for p in parts) == 3
    assert serving.predictions("late").equals(before)
    assert before["id"].to_pylist() == [a.ids[0] for a in answers]


@both_stores
def test_one_prediction_is_found_before_and_after_compaction(serving, runtime, answers):
    (identifier,) = answers[1].ids
    before = serving.prediction(identifier)

    compacted(serving, runtime)

    assert serving.prediction(identifier) == before
    assert (before.key, before.at, before.version, before.role) == ("k1", 10, "late@1", "live")
    assert before.value == answers[1].values[0]
    assert set(before.inputs) == {"temp", "carrier"}


@both_stores
def test_compacting_again_adds_nothing(serving, runtime, answers):
    compacted(serving, runtime)

    assert serving.compact() == ()
    assert serving.predictions("late").num_rows == 3


def test_a_crash_between_the_catalogue_and_the_removal_doubles_nothing(
    serving, runtime, answers, tmp_path
):
    runtime.close()
    (segment,) = segments(serving.log.folder)
    shutil.copy(segment, tmp_path / "copy")
    serving.compact()
    shutil.copy(tmp_path / "copy", segment)

    again = serving.compact()

    assert again == ()
    assert not segment.exists()
    assert serving.predictions("late").num_rows == 3


def test_a_segment_in_both_places_is_read_once(serving, runtime, answers, tmp_path):
    runtime.close()
    (segment,) = segments(serving.log.folder)
    shutil.copy(segment, tmp_path / "copy")
    serving.compact()
    shutil.copy(tmp_path / "copy", segment)

    assert serving.predictions("late").num_rows == 3


class ReadOnlyStore:
    """A metadata store that is lost between reading and writing."""

    def __init__(self, store):
        self.read = store.read

    def write(self):
        raise Unavailable("The metadata store is gone.")


def test_a_crash_before_the_catalogue_loses_nothing(serving, runtime, answers, objects, store):
    runtime.close()
    log = RequestLog(store=ReadOnlyStore(store), objects=objects, folder=serving.log.folder)
    with pytest.raises(Unavailable):
        log.compact()

    parts = serving.compact()

    assert [p.rows for p in parts] == [3]
    assert serving.predictions("late").num_rows == 3


def test_compaction_is_no_part_of_a_transaction_that_may_be_rolled_back(
    serving, runtime, answers, store
):
    runtime.close()

    with pytest.raises(Conflict), store.write():
        serving.compact()

    assert serving.predictions("late").num_rows == 3


def test_a_torn_tail_is_left_out(serving, runtime, answers):
    runtime.close()
    (segment,) = segments(serving.log.folder)
    with segment.open("ab") as file:
        file.write(b"\x50\x00\x00\x00torn")

    serving.compact()

    assert serving.predictions("late").num_rows == 3
    assert segments(serving.log.folder) == []


def test_damage_in_the_middle_is_told_and_the_segment_kept(serving, runtime, answers, log):
    runtime.close()
    (segment,) = segments(serving.log.folder)
    data = bytearray(segment.read_bytes())
    data[len(data) // 2] ^= 1
    segment.write_bytes(bytes(data))

    serving.compact()

    (event,) = log.read(kinds=[PredictionsLogged.kind])
    assert event.as_fact(PredictionsLogged).damaged_bytes > 0
    assert serving.predictions("late").num_rows == 1
    assert segment.with_suffix(".damaged").exists()
    assert serving.compact() == ()


@both_stores
def test_each_part_is_a_fact_in_the_log(serving, runtime, answers, log):
    (part,) = compacted(serving, runtime)

    (event,) = log.read(kinds=[PredictionsLogged.kind], subject="endpoint/late")

    fact = event.as_fact(PredictionsLogged)
    assert (fact.part, fact.rows, fact.digest) == (part.id, 3, part.digest)
    assert (fact.first_id, fact.last_id) == (answers[0].ids[0], answers[2].ids[0])


def test_one_segment_of_two_endpoints_becomes_a_part_of_each(serving, runtime, answers, rows):
    serving.create_endpoint("other", "late")
    serving.set_traffic("other", [Variant(name="a", version="late@2")], reason="")
    runtime.refresh()
    runtime.infer("other", rows(2))

    parts = compacted(serving, runtime)

    assert {(p.endpoint, p.rows) for p in parts} == {("late", 3), ("other", 2)}


@pytest.mark.parametrize(
    ("asked", "keys"),
    [
        ({"start": 10}, ["k1", "k2"]),
        ({"end": 10}, ["k0"]),
        ({"start": 10, "end": 20}, ["k1"]),
        ({"version": "late@1"}, ["k0", "k1", "k2"]),
        ({"version": "late@2"}, []),
        ({"role": "shadow"}, []),
    ],
)
def test_predictions_are_narrowed_by_time_version_and_role(serving, runtime, answers, asked, keys):
    warm = serving.predictions("late", **asked)
    compacted(serving, runtime)

    assert warm["key"].to_pylist() == keys
    assert serving.predictions("late", **asked)["key"].to_pylist() == keys


def test_only_the_columns_asked_for_are_returned(serving, answers):
    found = serving.predictions("late", columns=["value", "x_temp"])

    assert found.column_names == ["value", "x_temp"]


def test_an_unknown_column_names_its_near_miss(serving, answers):
    with pytest.raises(NotFound, match="x_temp"):
        serving.predictions("late", columns=["x_tmp"])


def test_a_window_without_predictions_has_the_columns_too(serving, answers):
    found = serving.predictions("late", start=99, columns=["value", "x_temp"])

    assert (found.num_rows, found.column_names) == (0, ["value", "x_temp"])


def test_an_endpoint_without_predictions_has_an_empty_log(serving, endpoint):
    assert serving.predictions("late").num_rows == 0
    assert serving.first_prediction_at("late") is None


def test_the_first_prediction_is_known_warm_and_compacted(serving, runtime, answers):
    warm = serving.first_prediction_at("late")
    compacted(serving, runtime)

    assert warm == serving.first_prediction_at("late") == 0


def test_an_unknown_prediction_is_not_found(serving, answers):
    with pytest.raises(NotFound, match="No prediction"):
        serving.prediction("0" * 32)


def test_what_is_no_id_is_refused(serving):
    with pytest.raises(InvalidInput, match="no id"):
        serving.prediction("latest")


def test_versions_with_other_inputs_leave_theirs_null(serving, runtime, answers, registry, rows):
    wider = pa.table({"temp": [1.0], "wind": [2]})
    registry.register("late", lambda t: t["wind"].to_numpy() * 1.0, example=wider)
    serving.set_traffic("late", [Variant(name="b", version="late@4")], reason="")
    runtime.refresh()
    runtime.infer("late", wider, times=[50])
    compacted(serving, runtime)

    found = serving.predictions("late")

    assert found["x_wind"].to_pylist() == [None, None, None, 2]
    assert found["x_carrier"].to_pylist() == ["UA", "B6", "UA", None]


def test_an_answer_that_is_no_number_is_null(serving, runtime, registry, rows):
    registry.register("odd", lambda t: np.full(t.num_rows, np.nan), example=rows(1))
    serving.create_endpoint("odd", "odd")
    serving.set_traffic("odd", [Variant(name="a", version="odd@1")], reason="")
    runtime.refresh()
    runtime.infer("odd", rows(1))

    assert serving.predictions("odd")["value"].to_pylist() == [None]
