from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from treadle.errors import Conflict, InvalidInput, NotFound
from treadle.serving.entities import Variant
from treadle.serving.facts import PredictionsLogged
from treadle.serving.scoring import ModelFailed
from treadle.serving.traffic import ROUTE

both_stores = pytest.mark.parametrize("store", ["sqlite", "postgresql"], indirect=True)
ROWS = 200


@pytest.fixture
def trio(serving, endpoint, versions):
    return serving.set_traffic(
        "late",
        [
            Variant(name="champion", version=versions[0], share=0.7),
            Variant(name="canary", version=versions[1], share=0.3, role="canary"),
            Variant(name="shadow", version=versions[2], share=0.0, role="shadow"),
        ],
        reason="all roles",
    )


@pytest.fixture
def keys():
    return [f"order-{n}" for n in range(ROWS)]


@pytest.fixture
def score(serving, rows, keys):
    def run(**asked):
        given = {"keys": keys, "times": np.arange(ROWS), **asked}
        return serving.score_batch("late", rows(ROWS), **given)

    return run


@both_stores
def test_each_row_is_answered_once_by_the_variant_its_key_sticks_to(serving, trio, score, keys):
    score()

    shown = serving.predictions("late").filter(pa.compute.field("role") != "shadow").sort_by("at")

    assert shown["key"].to_pylist() == keys
    assert shown["variant"].to_pylist() == [
        ROUTE.choose(key, variants=trio.variants).answers.name for key in keys
    ]


def test_values_are_those_of_the_version_that_answered(serving, trio, score, rows):
    score()

    found = serving.predictions("late").sort_by("at")

    number = [int(v.rpartition("@")[2]) for v in found["version"].to_pylist()]
    assert np.allclose(found["value"].to_numpy() - found["x_temp"].to_numpy() / 100, number)


def test_a_shadow_answers_every_row_beside_the_answer_that_was_shown(serving, trio, score):
    score()

    shown = serving.predictions("late").filter(pa.compute.field("role") != "shadow")
    shadow = serving.predictions("late", role="shadow")

    assert shadow.num_rows == ROWS
    assert sorted(shadow["answer_id"].to_pylist()) == sorted(shown["id"].to_pylist())
    assert shown["answer_id"].equals(shown["id"])


def test_ids_are_unique_and_sorted(serving, trio, score):
    score()

    ids = serving.predictions("late")["id"].to_pylist()

    assert ids == sorted(set(ids))


def test_one_prediction_of_a_batch_is_found_by_its_id(serving, trio, score):
    score()
    identifier = serving.predictions("late")["id"][7].as_py()

    assert serving.prediction(identifier).id == identifier


def test_what_was_scored_once_is_not_scored_again(serving, trio, score):
    first = score(source_ref="flights@3/week-1")
    again = score(source_ref="flights@3/week-1")

    assert again == first
    assert serving.predictions("late").num_rows == first.rows == 2 * ROWS


def test_a_batch_is_a_fact_in_the_log(trio, score, log):
    result = score(source_ref="week-1")

    (event,) = log.read(kinds=[PredictionsLogged.kind])

    assert event.as_fact(PredictionsLogged).part == result.parts[0]
    assert event.as_fact(PredictionsLogged).rows == result.rows


@pytest.mark.parametrize(
    "times",
    [
        ["1970-01-01T00:00:00.000001"] * ROWS,
        [1] * ROWS,
        np.full(ROWS, 1),
        pa.array([1] * ROWS, pa.timestamp("us")),
        pa.array([1] * ROWS, pa.timestamp("us", tz="America/New_York")),
    ],
    ids=["iso", "ints", "numpy", "naive", "zoned"],
)
def test_times_may_be_written_in_any_usual_way(serving, trio, score, times):
    score(times=times)

    assert set(serving.predictions("late")["at"].to_pylist()) == {1}


def test_keys_may_be_numbers(serving, trio, score):
    score(keys=pa.array(range(ROWS)))

    assert "17" in serving.predictions("late")["key"].to_pylist()


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ({"keys": ["k"]}, "200 rows came with 1 keys"),
        ({"keys": [None] * ROWS}, "key of row 0 is missing"),
        ({"times": [1]}, "200 rows came with 1 times"),
        ({"times": ["soon"] * ROWS}, "'soon' is not a time"),
        ({"times": [1.5] * ROWS}, "1.5 is not a time"),
    ],
)
def test_keys_and_times_that_do_not_fit_are_refused(serving, trio, score, asked, told):
    with pytest.raises(InvalidInput, match=told):
        score(**asked)

    assert serving.predictions("late").num_rows == 0


def test_a_table_without_an_input_is_refused_and_nothing_logged(serving, trio):
    with pytest.raises(InvalidInput, match="'temp'"):
        serving.score_batch("late", pa.table({"carrier": ["UA"]}), keys=["k"], times=[1])

    assert serving.predictions("late").num_rows == 0


def test_columns_that_are_no_input_are_not_logged(serving, trio, rows):
    table = rows(2).append_column("note", pa.array(["a", "b"]))

    serving.score_batch("late", table, keys=["a", "b"], times=[1, 2])

    assert "x_note" not in serving.predictions("late").column_names


def test_no_rows_are_no_work(serving, trio, rows):
    result = serving.score_batch("late", rows(0), keys=[], times=[])

    assert (result.rows, result.parts) == (0, ())


def test_an_endpoint_without_traffic_scores_nothing(serving, versions, rows):
    serving.create_endpoint("idle", "late")

    with pytest.raises(Conflict, match="no traffic"):
        serving.score_batch("idle", rows(1), keys=["k"], times=[1])


def test_an_unknown_endpoint_names_its_near_miss(serving, trio, rows):
    with pytest.raises(NotFound, match="'late'"):
        serving.score_batch("lste", rows(1), keys=["k"], times=[1])


@pytest.fixture
def failing(registry, rows):
    """A version that fails on more rows than its example has."""

    def fail(table):
        if table.num_rows > 3:
            raise ZeroDivisionError("by nothing")
        return np.zeros(table.num_rows)

    return registry.register("late", fail, example=rows(1)).ref


def test_a_shadow_that_fails_is_logged_as_failed_and_spoils_no_answer(
    serving, endpoint, versions, failing, score
):
    serving.set_traffic(
        "late",
        [
            Variant(name="champion", version=versions[0]),
            Variant(name="shadow", version=failing, role="shadow"),
        ],
        reason="",
    )

    score()

    shadow = serving.predictions("late", role="shadow")
    assert set(shadow["status"].to_pylist()) == {"error"}
    assert shadow["value"].null_count == ROWS
    assert serving.predictions("late", role="live")["status"].to_pylist() == ["ok"] * ROWS


def test_a_live_variant_that_fails_is_explained_and_nothing_logged(
    serving, endpoint, failing, score
):
    serving.set_traffic("late", [Variant(name="champion", version=failing)], reason="")

    with pytest.raises(ModelFailed, match="late@4 failed on 200 rows: ZeroDivisionError"):
        score()

    assert serving.predictions("late").num_rows == 0
