from __future__ import annotations

import math
from datetime import date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from treadle.analysis import columns
from treadle.kernel.errors import InvalidInput


@pytest.mark.parametrize(
    "values",
    [
        [1, None, 3],
        np.array([1, None, 3], dtype=object),
        np.array([1.0, math.nan, 3.0], dtype=np.float32),
        pa.array([1, None, 3]),
        pa.array([1, None, 3], type=pa.int8()),
        pa.chunked_array([[1, None], [3]]),
        pa.array([1, None, 3]).dictionary_encode(),
        pa.array([Decimal(1), None, Decimal(3)]),
    ],
    ids=["list", "object", "float32", "arrow", "int8", "chunked", "dictionary", "decimal"],
)
def test_any_column_of_numbers_becomes_floats_with_nan_for_null(values):
    result = columns.as_floats(values)

    np.testing.assert_array_equal(result, [1.0, math.nan, 3.0])


@pytest.mark.parametrize(
    "values",
    [
        pa.array([date(1970, 1, 2), None]),
        pa.array([datetime(1970, 1, 1, 0, 0, 0, 1), None], type=pa.timestamp("us")),  # noqa: DTZ001 - Arrow without zone
        np.array(["1970-01-02", "NaT"], dtype="datetime64[D]"),
    ],
    ids=["date", "timestamp", "datetime64"],
)
def test_times_become_their_counts(values):
    np.testing.assert_array_equal(columns.as_floats(values), [1.0, math.nan])


def test_booleans_become_zero_and_one():
    result = columns.as_floats(pa.array([True, None, False]))

    np.testing.assert_array_equal(result, [1.0, math.nan, 0.0])


@pytest.mark.parametrize(
    "values",
    [["1", "2"], np.array(["1", None], dtype=object), pa.array(["1"]), np.array(["1"])],
    ids=["list", "object", "arrow", "text"],
)
def test_names_are_never_parsed_as_numbers(values):
    with pytest.raises(InvalidInput, match="holds names"):
        columns.as_floats(values)


def test_a_nested_column_is_no_numbers():
    with pytest.raises(InvalidInput, match="cannot be read"):
        columns.as_floats(pa.array([[1], [2]]))


def test_a_matrix_is_no_column():
    with pytest.raises(InvalidInput, match="one dimension"):
        columns.as_floats(np.zeros((2, 2)))


def test_a_complete_column_names_its_missing_values():
    with pytest.raises(InvalidInput, match="2 of 3") as caught:
        columns.complete_floats([1.0, math.nan, math.inf], name="loss")

    assert caught.value.data == {"missing": 2, "rows": 3}


@pytest.mark.parametrize("values", [[0, 1, 2], [0.5], [-1, 1]])
def test_an_outcome_is_zero_or_one(values):
    with pytest.raises(InvalidInput, match="0 or 1"):
        columns.as_binary(values)


def test_an_outcome_without_rows_is_refused():
    with pytest.raises(InvalidInput, match="empty"):
        columns.as_binary([])


@pytest.mark.parametrize(
    "values",
    [
        ["b", "a", "b", None],
        np.array(["b", "a", "b", None], dtype=object),
        pa.array(["b", "a", "b", None]),
        pa.chunked_array([["b", "a"], ["b", None]]),
        pa.array(["b", "a", "b", None]).dictionary_encode(),
        pa.array(["b", "a", "b", None], type=pa.large_string()),
        pa.array(["b", "a", "b", None], type=pa.string_view()),
    ],
    ids=["list", "object", "arrow", "chunked", "dictionary", "large", "view"],
)
def test_categories_are_counted_with_null_as_one_of_them(values):
    assert columns.category_counts(values) == {"b": 2, "a": 1, "(null)": 1}
    assert columns.null_count(values) == 1


def test_infinite_numbers_count_as_null():
    assert columns.null_count([1.0, math.inf, math.nan]) == 2
    assert columns.finite_floats([1.0, math.inf, math.nan]).tolist() == [1.0]


def test_a_null_stays_null_in_an_encoded_column_of_several_chunks():
    part = pa.array(["a", "b", None]).dictionary_encode()

    result = columns.as_array(pa.chunked_array([part, part]))

    assert result.tolist() == ["a", "b", None, "a", "b", None]
