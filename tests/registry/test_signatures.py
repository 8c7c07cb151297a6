from __future__ import annotations

import datetime as dt

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from treadle.errors import InvalidInput
from treadle.registry.entities import Field, Signature
from treadle.registry.signatures import conform, infer_inputs


def signature_of(table):
    return Signature(inputs=infer_inputs(table), output="number")


EXAMPLE = pa.table(
    {
        "hour": pa.array([1, 2], pa.int32()),
        "temp": pa.array([0.5, None], pa.float32()),
        "wet": [True, False],
        "carrier": ["AA", "UA"],
        "origin": pa.array(["EWR", "JFK"]).dictionary_encode(),
        "at": pa.array([0, 1], pa.timestamp("us")),
        "day": pa.array([0, 1], pa.date32()),
    }
)
SIGNATURE = signature_of(EXAMPLE)


def given(**columns):
    table = conform(EXAMPLE, SIGNATURE, whose="late@1")
    for name, column in columns.items():
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(column))
    return table


def test_an_example_gives_the_columns_in_order_with_their_types():
    assert {f.name: f.type for f in SIGNATURE.inputs} == {
        "hour": "int64",
        "temp": "double",
        "wet": "bool",
        "carrier": "string",
        "origin": "category",
        "at": "timestamp",
        "day": "date",
    }


def test_a_fitting_table_is_handed_on_as_it_is():
    table = conform(EXAMPLE, SIGNATURE, whose="late@1")

    assert conform(table, SIGNATURE, whose="late@1") is table


def test_columns_are_put_in_the_order_of_the_signature():
    turned = given().select(["temp", "day", "at", "origin", "carrier", "wet", "hour"])

    assert conform(turned, SIGNATURE, whose="late@1").equals(given())


@pytest.mark.parametrize(
    ("column", "value", "expected"),
    [
        ("temp", pa.array([1, 2], pa.int8()), [1.0, 2.0]),
        ("hour", pa.array([1.0, None]), [1, None]),
        ("hour", pa.array([7, 8], pa.uint64()), [7, 8]),
        ("carrier", pa.array(["AA", "AA"]).dictionary_encode(), ["AA", "AA"]),
        ("carrier", pa.array(["AA", "B6"], pa.large_string()), ["AA", "B6"]),
        ("origin", pa.array(["LGA", None]), ["LGA", None]),
        ("origin", pa.array(["LGA", "EWR"], pa.large_string()), ["LGA", "EWR"]),
        ("hour", pa.nulls(2), [None, None]),
        ("origin", pa.nulls(2), [None, None]),
        ("day", pa.array([0, 86_400_000], pa.date64()), [dt.date(1970, 1, 1), dt.date(1970, 1, 2)]),
    ],
    ids=str,
)
def test_a_cast_that_loses_nothing_is_made(column, value, expected):
    fitted = conform(given(**{column: value}), SIGNATURE, whose="late@1")

    assert fitted.schema == given().schema
    assert fitted[column].to_pylist() == expected


@pytest.mark.parametrize(
    ("column", "value", "found"),
    [
        ("hour", [0.5, 1.0], "double"),
        ("hour", [float("nan"), 1.0], "double"),
        ("hour", ["1", "2"], "string"),
        ("hour", [True, False], "bool"),
        ("hour", pa.array([1 << 63, 1], pa.uint64()), "uint64"),
        ("temp", [(1 << 53) + 1, 1], "int64"),
        ("temp", ["warm", "cold"], "string"),
        ("wet", [0, 1], "int64"),
        ("carrier", [1, 2], "int64"),
        ("origin", [1, 2], "int64"),
        ("at", [1, 2], "int64"),
        ("at", pa.array([1, 2], pa.timestamp("ns")), "timestamp[ns]"),
        ("day", pa.array([1, 2], pa.timestamp("us")), "timestamp[us]"),
    ],
    ids=str,
)
def test_a_wrong_type_names_the_column_what_was_expected_and_what_was_found(column, value, found):
    with pytest.raises(InvalidInput, match=f"Column '{column}' of late@1 must be") as caught:
        conform(given(**{column: value}), SIGNATURE, whose="late@1")

    expected = {f.name: f.type for f in SIGNATURE.inputs}[column]
    assert caught.value.data == {"column": column, "expected": expected, "found": found}


def test_a_missing_column_is_named_with_the_near_miss():
    table = given().rename_columns(["hour", "tmp", "wet", "carrier", "origin", "at", "day"])

    with pytest.raises(
        InvalidInput, match=r"needs column 'temp' \(double\).*Found 'tmp'"
    ) as caught:
        conform(table, SIGNATURE, whose="late@1")

    assert caught.value.data == {"column": "temp", "expected": "double", "found": None}


def test_all_missing_columns_are_listed_when_nothing_is_near():
    with pytest.raises(InvalidInput, match=r"All that are missing: hour, temp, wet, carrier, .*…"):
        conform(pa.table({"x": [1]}), SIGNATURE, whose="late@1")


def test_an_extra_column_is_refused_by_name():
    with pytest.raises(InvalidInput, match="late@1 has no input 'dep_delay'") as caught:
        conform(given().append_column("dep_delay", [[1, 2]]), SIGNATURE, whose="late@1")

    assert caught.value.data == {"column": "dep_delay", "expected": None, "found": "int64"}


def test_a_column_given_twice_is_refused():
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], names=["hour", "hour"])

    with pytest.raises(InvalidInput, match="more than once"):
        conform(table, SIGNATURE, whose="late@1")
    with pytest.raises(InvalidInput, match="more than once"):
        infer_inputs(table)


@pytest.mark.parametrize(
    "table",
    [
        pa.table({}),
        pa.table({"a": pa.array([], pa.int64())}),
        pa.table({"a": pa.nulls(2)}),
        pa.table({"a": [[1], [2]]}),
        pa.table({"a": pa.array([1, 2]).dictionary_encode()}),
    ],
    ids=["no-columns", "no-rows", "all-null", "nested", "coded-numbers"],
)
def test_an_example_that_says_too_little_is_refused(table):
    with pytest.raises(InvalidInput):
        infer_inputs(table)


def test_a_loaded_model_enforces_its_signature_and_answers_no_rows_with_none(solo, numbers):
    solo.register("late", lambda table: table["temp"], example=numbers)

    loaded = solo.load("late")

    assert loaded.predict(numbers.slice(0, 0)).shape == (0,)
    swapped = pa.table({"temp": [1, 2], "hour": [3.0, 4.0]})
    np.testing.assert_array_equal(loaded.predict(swapped), [1.0, 2.0])
    with pytest.raises(InvalidInput, match="late@1 needs column 'temp'"):
        loaded.predict(numbers.select(["hour"]))


def optional_temp():
    marked = pa.field("temp", pa.float64(), metadata={"optional": "true"})
    schema = pa.schema([pa.field("hour", pa.int64()), marked])
    inputs = infer_inputs(pa.table([pa.array([1]), pa.array([0.5])], schema=schema))
    return Signature(inputs=inputs, output="number")


def test_a_column_that_is_marked_may_be_left_out_and_is_then_missing():
    signature = optional_temp()

    fitting = conform(pa.table({"hour": [1, 2]}), signature, whose="late@1")

    assert [field.optional for field in signature.inputs] == [False, True]
    assert fitting.to_pydict() == {"hour": [1, 2], "temp": [None, None]}
    assert fitting.schema.types == [pa.int64(), pa.float64()]


def test_a_misspelt_optional_column_is_not_taken_for_one_left_out():
    table = pa.table({"hour": [1], "temps": [0.5]})

    with pytest.raises(InvalidInput, match=r"no input 'temps'\. There is 'temp', which was not"):
        conform(table, optional_temp(), whose="late@1")


def test_a_column_that_is_not_optional_is_signed_as_it_always_was():
    plain = Field(name="hour", type="int64")

    assert msgspec.to_builtins(plain) == {"name": "hour", "type": "int64"}
