from __future__ import annotations

import io
import os
from datetime import date, timedelta
from itertools import pairwise

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from treadle.demo import flights, pipeline
from treadle.demo.calls import body, curl, spread, without
from treadle.demo.features import FEATURES, LEAK, outcomes
from treadle.demo.flights_data import typed
from treadle.demo.memory import tree_megabytes
from treadle.demo.narrator import Narrator
from treadle.demo.opening import before, with_delay
from treadle.demo.year import END, between, instant, weeks, what_became
from treadle.errors import Conflict

SETTINGS = {"max_iter": 5, "max_leaf_nodes": 8}


@pytest.fixture(scope="module")
def planned(january):
    return pipeline.planned(january["flights"], january["weather"], january["planes"])


@pytest.fixture(scope="module")
def rows(planned, january):
    return pipeline.labelled(planned, outcomes(typed("flights", january["flights"])))


@pytest.fixture(scope="module")
def trained(rows):
    return pipeline.train_and_judge(rows, settings=SETTINGS)


def test_the_labelled_rows_carry_the_outcome_of_their_own_flight(rows, january):
    told = outcomes(typed("flights", january["flights"]))
    late = dict(zip(told["flight_id"].to_pylist(), told["late"].to_pylist(), strict=True))

    assert rows["late"].to_pylist() == [late[key] for key in rows["flight_id"].to_pylist()]
    assert rows.num_rows == pc.sum(pc.is_valid(told["late"])).as_py()


def test_what_became_of_the_planned_flights_is_the_same_in_their_order(planned, january):
    told = outcomes(typed("flights", january["flights"])).sort_by("flight_id")

    found = what_became(planned, flights=january["flights"])

    assert found["flight_id"].equals(planned["flight_id"])
    assert found.sort_by("flight_id").equals(told.select(found.column_names))


def test_a_model_is_judged_on_days_it_was_not_fitted_on(trained, rows):
    last = pipeline.last_day(rows)
    days = {d // 86_400_000_000 for d in trained.heldout["at"].to_pylist()}

    assert min(days) * 86_400_000_000 >= instant(last - timedelta(days=pipeline.HELD_OUT_DAYS - 1))
    assert trained.params["rows"] == str(rows.num_rows)
    assert trained.heldout["value"].to_numpy().mean() == pytest.approx(
        trained.heldout["label"].to_numpy().mean() / trained.metrics["calibration"]
    )


def test_the_probes_see_every_input_and_flag_none(trained):
    assert {p.name for p in trained.probes} == set(FEATURES)
    assert {p.status for p in trained.probes} == {"plausible"}


def test_the_departure_delay_is_flagged_as_a_leak(rows, january):
    leaky = with_delay(rows, typed("flights", january["flights"]))

    probes = pipeline.probed(leaky, features=(*FEATURES, LEAK))

    assert [p.name for p in probes if p.status != "plausible"] == [LEAK]


def test_the_model_takes_flights_as_people_write_them(trained, rows):
    one = rows.select(list(FEATURES)).slice(0, 1)
    unknown = one.set_column(
        one.column_names.index("carrier"), "carrier", pa.array(["nobody's"], pa.string())
    )

    assert 0 < trained.model.predict(one)[0] < 1
    assert 0 < trained.model.predict(unknown)[0] < 1


def test_celsius_is_a_fault_of_the_candidate_alone(trained, rows):
    inputs = rows.select(list(FEATURES))
    broken = type(trained.model)(codes=trained.model.codes, trees=trained.model.trees, celsius=True)

    assert not np.allclose(broken.predict(inputs), trained.model.predict(inputs))
    assert inputs.equals(rows.select(list(FEATURES)))


def test_the_weeks_cover_march_to_december_without_a_gap():
    starts = weeks()

    assert starts[0] == date(2013, 3, 1)
    assert {b - a for a, b in pairwise(starts)} == {timedelta(days=7)}
    assert starts[-1] < END <= starts[-1] + timedelta(days=7)


def test_days_are_cut_with_the_first_and_without_the_end(planned):
    first, end = date(2013, 1, 3), date(2013, 1, 5)

    days = set(between(planned, first, end)["day"].to_pylist())

    assert days == {date(2013, 1, 3), date(2013, 1, 4)}
    assert max(before(planned, day=first)["day"].to_pylist()) == date(2013, 1, 2)


def test_a_request_holds_one_tensor_per_input_its_key_and_its_time(rows):
    [row] = rows.slice(0, 1).to_pylist()

    request = msgspec.json.decode(body(row))

    assert [t["name"] for t in request["inputs"]] == list(FEATURES)
    assert request["parameters"]["key"] == row["flight_id"]
    assert request["parameters"]["time"].startswith("2013-01-")


def test_the_curl_line_sends_the_file_it_wrote(rows, tmp_path):
    [row] = rows.slice(0, 1).to_pylist()
    file = tmp_path / "request.json"

    line = curl("http://127.0.0.1:1/v2/models/late/infer", row, file=file)

    assert line.endswith(f"-d @{file}")
    assert msgspec.json.decode(file.read_bytes()) == msgspec.json.decode(body(row))


def test_a_sample_is_spread_over_all_rows_and_can_be_taken_away(rows):
    some = spread(rows, 50)

    rest = without(rows, some["flight_id"].to_pylist())

    assert 50 <= some.num_rows <= 60
    assert rest.num_rows == rows.num_rows - some.num_rows


def test_a_claim_that_does_not_hold_is_said_at_once_and_kept():
    told = io.StringIO()
    narrator = Narrator(told)

    narrator.begin(3, "leak")
    narrator.claim("water is wet", held=True)
    narrator.claim("the moon is cheese", held=False)

    assert [c.text for c in narrator.broken] == ["the moon is cheese"]
    assert "DID NOT HOLD: the moon is cheese" in told.getvalue()
    assert "water" not in told.getvalue()


def test_a_home_of_somebodys_own_is_not_made_to_replay_the_past(tmp_path):
    (tmp_path / "treadle.db").touch()

    with pytest.raises(Conflict, match="lives in the present"):
        flights.prepare_home(tmp_path)


def test_a_new_home_starts_on_the_first_of_march(tmp_path):
    flights.prepare_home(tmp_path / "home")
    flights.prepare_home(tmp_path / "home")

    with flights.connect(tmp_path / "home") as client:
        assert client.now() == instant(date(2013, 3, 1))


def test_the_policy_reads_and_names_its_own_pipeline():
    policy = flights.read_policy()

    assert policy.retrain.pipeline == "treadle.demo.pipeline:train"
    assert policy.release.looks == (13, 27)


def test_memory_is_measured_over_the_whole_tree():
    assert tree_megabytes(os.getpid()) > 20
