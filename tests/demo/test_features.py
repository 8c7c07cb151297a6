"""The features against a recount in plain Python, and against changes of what was not yet known."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from treadle.demo.features import (
    CATEGORIES,
    FEATURES,
    LATE_RATES,
    LEAK,
    NUMBERS,
    WEATHER,
    encode,
    fit_codes,
    known_before,
    outcomes,
    schedule,
    with_late_rates,
    without_days,
)
from treadle.errors import InvalidInput

ORIGIN = date(2013, 1, 1)


@pytest.fixture(scope="module")
def planned(january):
    return schedule(january["flights"])


@pytest.fixture(scope="module")
def history(january):
    return outcomes(january["flights"])


@pytest.fixture(scope="module")
def rated(planned, history):
    return with_late_rates(planned, outcomes=history)


def test_a_feature_is_never_what_only_the_departure_tells():
    assert LEAK not in FEATURES
    assert not {"dep_time", "dep_delay", "arr_time", "arr_delay", "air_time"} & set(FEATURES)


def test_the_schedule_keeps_every_flight_once_and_orders_by_plan(january, planned):
    departures = planned["departs_at"].to_numpy()

    assert len(planned) == len(january["flights"])
    assert pc.count_distinct(planned["flight_id"]).as_py() == len(planned)
    assert (np.diff(departures) >= np.timedelta64(0)).all()


def test_a_planned_flight_reads_as_in_the_timetable(planned):
    [flight] = planned.filter(pc.field("flight_id") == "2013-01-01-UA1545-EWR").to_pylist()

    assert flight["departs_at"] == datetime(2013, 1, 1, 10, 15, tzinfo=UTC)
    assert flight["weekday"] == 1
    assert (flight["departure_minute"], flight["arrival_minute"]) == (315, 499)
    assert (flight["scheduled_minutes"], flight["distance"]) == (184, 1400)


def test_the_flights_of_an_hour_are_counted_per_airport(planned):
    same = (pc.field("origin") == "EWR") & (pc.field("day") == ORIGIN) & (pc.field("hour") == 6)
    rows = planned.filter(same)

    assert set(rows["origin_hour_flights"].to_pylist()) == {len(rows)}


def test_every_fate_is_counted_and_only_arrivals_have_a_label(tables):
    told = outcomes(tables["flights"]).group_by("fate")

    counted = told.aggregate([("fate", "count"), ("late", "count")]).to_pylist()

    assert {r["fate"]: (r["fate_count"], r["late_count"]) for r in counted} == {
        "arrived": (327_346, 327_346),
        "cancelled": (8_255, 0),
        "diverted": (1_175, 0),
    }


def test_late_means_more_than_fifteen_minutes_behind_plan(january):
    flights = january["flights"].slice(0, 4)
    delays = pa.chunked_array([pa.array([15, 16, -3, None], pa.int16())])
    flights = flights.set_column(flights.column_names.index("arr_delay"), "arr_delay", delays)

    told = outcomes(flights)

    assert sorted(told["late"].to_pylist(), key=str) == [False, False, None, True]


def test_weather_is_the_report_of_the_hour_before(january, planned):
    known = known_before(planned, weather=january["weather"], planes=january["planes"])
    reports = {
        (r["origin"], r["time_hour"]): tuple(r[name] for name in WEATHER)
        for r in january["weather"].slice(0, 9_000).to_pylist()
        if r["time_hour"] < datetime(2013, 1, 18, tzinfo=UTC)
    }
    rows = known.filter(pc.field("origin") == "EWR").slice(0, 3_000).to_pylist()

    expected = [_report_before(row, reports) for row in rows]

    served = np.array([[row[name] for name in WEATHER] for row in rows], np.float32)
    np.testing.assert_array_equal(served, np.array(expected, np.float32))


def test_weather_older_than_three_hours_is_null(january, planned):
    second_of_january = pa.scalar(datetime(2013, 1, 2, tzinfo=UTC), pa.timestamp("us", "UTC"))
    old = january["weather"].filter(pc.field("time_hour") < second_of_january)

    known = known_before(planned, weather=old, planes=january["planes"])

    second = known.filter(pc.field("day") == ORIGIN + timedelta(days=1))
    assert second["temp"].null_count == len(second)


def test_an_airport_without_any_report_has_no_weather(january, planned):
    elsewhere = january["weather"].filter(pc.field("origin") == "JFK")

    known = known_before(planned, weather=elsewhere, planes=january["planes"])

    newark = known.filter(pc.field("origin") == "EWR")
    assert newark["temp"].null_count == len(newark)


def test_an_unknown_plane_has_neither_year_nor_seats(january, planned):
    known = known_before(planned, weather=january["weather"], planes=january["planes"])
    listed = pc.is_in(known["tailnum"], value_set=january["planes"]["tailnum"].combine_chunks())
    strange = known.filter(pc.invert(listed))

    assert len(strange) > 1_000
    assert strange["plane_seats"].null_count == len(strange)
    assert known.filter(listed)["plane_seats"].null_count == 0


@pytest.mark.parametrize("feature", list(LATE_RATES))
def test_a_late_rate_is_what_a_recount_by_hand_gives(rated, history, feature):
    keys = LATE_RATES[feature]
    told = [r for r in history.to_pylist() if r["late"] is not None]
    sample = rated.take(np.arange(0, len(rated), 97)).to_pylist()

    expected = [_recounted(flight, told, keys) for flight in sample]

    np.testing.assert_allclose([_nan(f[feature]) for f in sample], expected, rtol=1e-6)


@pytest.mark.parametrize("changed", [3, 9, 12])
def test_an_outcome_of_day_d_moves_no_rate_up_to_day_d_plus_one(planned, history, rated, changed):
    day = ORIGIN + timedelta(days=changed)
    altered = _all_late(history, on=day)

    again = with_late_rates(planned, outcomes=altered)

    before = pc.field("day") <= day + timedelta(days=1)
    after = pc.field("day") == day + timedelta(days=2)
    assert again.filter(before).equals(rated.filter(before))
    assert not again.filter(after).equals(rated.filter(after))


def test_the_rates_of_a_week_are_those_of_the_whole_run(planned, history, rated):
    week = pc.field("day") >= ORIGIN + timedelta(days=10)

    alone = with_late_rates(planned.filter(week), outcomes=history)

    assert alone.equals(rated.filter(week))


def test_an_unknown_destination_has_the_rate_of_all_flights(planned, history):
    nowhere = pa.chunked_array([pa.array(["XXX"] * len(planned))])
    moved = planned.set_column(planned.column_names.index("dest"), "dest", nowhere)
    told = [r for r in history.to_pylist() if r["late"] is not None]

    last = with_late_rates(moved, outcomes=history).slice(len(planned) - 1).to_pylist()[0]

    assert last["late_rate_dest"] == pytest.approx(_recounted(last, told, ()), rel=1e-6)


def test_rates_outlive_a_quarantine_of_their_whole_window(planned, history):
    quarantined = [ORIGIN + timedelta(days=d) for d in range(6, 17)]

    kept = with_late_rates(planned, outcomes=without_days(history, days=quarantined))

    # Day 13 is the last whose window, days 5 to 11, still holds a known day.
    speaking, stale = (_rates_of(kept, day=ORIGIN + timedelta(days=d)) for d in (13, 16))
    shared = speaking.keys() & stale.keys()
    assert len(shared) > 40
    assert {k: stale[k] for k in shared} == {k: speaking[k] for k in shared}


def test_a_quarantined_day_is_unknown_and_no_other_is(history):
    day = ORIGIN + timedelta(days=4)

    told = without_days(history, days=[day])

    inside = pc.field("day") == day
    assert told.filter(inside)["late"].null_count == len(told.filter(inside))
    assert told.filter(~inside).equals(history.filter(~inside))


def test_without_any_known_outcome_every_rate_is_null(planned, history):
    days = pc.unique(history["day"]).to_pylist()

    rated = with_late_rates(planned, outcomes=without_days(history, days=days))

    assert rated["late_rate_carrier"].null_count == len(rated)


def test_the_matrix_has_a_column_per_feature_with_nan_for_null(rated, january):
    known = known_before(rated, weather=january["weather"], planes=january["planes"])

    matrix = encode(known, codes=fit_codes(known))

    assert matrix.shape == (len(known), len(FEATURES))
    assert matrix.dtype == np.float32
    nulls = [known[name].null_count for name in NUMBERS]
    np.testing.assert_array_equal(np.isnan(matrix[:, : len(NUMBERS)]).sum(axis=0), nulls)


def test_codes_are_positions_by_name_and_strangers_share_code_zero(planned):
    codes = fit_codes(planned.filter(pc.field("origin") != "JFK"))

    matrix = encode(planned, codes=codes, features=["origin"])

    by_name = {"EWR": 1.0, "LGA": 2.0, "JFK": 0.0}
    expected = [by_name[name] for name in planned["origin"].to_pylist()]
    np.testing.assert_array_equal(matrix[:, 0], expected)


def test_a_table_without_a_feature_is_refused_by_its_name(planned):
    with pytest.raises(InvalidInput, match="temp"):
        encode(planned, codes=fit_codes(planned))


def test_categories_come_last_so_that_a_model_can_name_them_by_position():
    assert FEATURES[len(NUMBERS) :] == CATEGORIES


def _report_before(flight, reports):
    hour = flight["departs_at"].replace(minute=0)
    ages = (timedelta(hours=h) for h in (1, 2, 3))
    found = (reports.get((flight["origin"], hour - age)) for age in ages)
    report = next((r for r in found if r), (None,) * len(WEATHER))
    return [_nan(value) for value in report]


def _recounted(flight, told, keys):
    window = [flight["day"] - timedelta(days=n) for n in range(2, 9)]
    known = [r for r in told if r["day"] in window]
    if not known:
        return np.nan
    overall = sum(r["late"] for r in known) / len(known)
    same = [r for r in known if all(r[k] == flight[k] for k in keys)] if keys else []
    return (sum(r["late"] for r in same) + 20 * overall) / (len(same) + 20)


def _all_late(history, *, on):
    late = pc.if_else(pc.equal(history["day"], pa.scalar(on, pa.date32())), True, history["late"])
    return history.set_column(history.column_names.index("late"), "late", late)


def _rates_of(flights, *, day):
    rows = flights.filter(pc.field("day") == day).to_pylist()
    return {(r["origin"], r["hour"]): r["late_rate_origin_hour"] for r in rows}


def _nan(value):
    return np.nan if value is None else value
