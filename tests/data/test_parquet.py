from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.parquet import decode_table, encode_table
from treadle.kernel.errors import InvalidInput

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
MOMENTS = st.datetimes(min_value=dt.datetime(1, 1, 2), max_value=dt.datetime(9999, 1, 1))  # noqa: DTZ001 - hypothesis draws naive times
KINDS: list[tuple[pa.DataType, st.SearchStrategy[Any]]] = [
    (pa.int64(), st.integers(-(2**63), 2**63 - 1)),
    (pa.uint8(), st.integers(0, 255)),
    (pa.float64(), st.floats(allow_nan=False)),
    (pa.float32(), st.floats(allow_nan=False, width=32)),
    (pa.bool_(), st.booleans()),
    (pa.string(), TEXT),
    (pa.large_string(), TEXT),
    (pa.binary(), st.binary(max_size=8)),
    (pa.date32(), st.dates()),
    (pa.timestamp("us"), MOMENTS),
    (pa.timestamp("us", tz="UTC"), MOMENTS),
    (pa.timestamp("s"), MOMENTS.map(lambda m: m.replace(microsecond=0))),
    (pa.time64("us"), st.times()),
    (pa.duration("us"), st.timedeltas(dt.timedelta(-9999), dt.timedelta(9999))),
    (pa.decimal128(10, 2), st.integers(-(10**9), 10**9).map(lambda n: Decimal(n) / 100)),
    (pa.null(), st.none()),
    (pa.list_(pa.int64()), st.lists(st.integers(0, 9), max_size=3)),
    (pa.dictionary(pa.int32(), pa.string()), TEXT),
]


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    """A table of up to four columns of any kind, with nulls."""
    rows = draw(st.integers(0, 12))
    kinds = draw(st.lists(st.sampled_from(KINDS), min_size=1, max_size=4))
    columns = [
        pa.array(draw(st.lists(st.none() | values, min_size=rows, max_size=rows)), type=kind)
        for kind, values in kinds
    ]
    return pa.table(columns, names=[f"c{n}" for n in range(len(columns))])


def decoded(table: pa.Table, **given: Any) -> pa.Table:
    return decode_table(io.BytesIO(encode_table(table)), **given)


@given(tables())
def test_a_table_comes_back_as_it_was(table: pa.Table) -> None:
    back = decoded(table)

    assert back.schema == table.schema
    assert back.equals(table)


@given(tables(), st.integers(0, 12))
def test_equal_tables_give_equal_bytes_however_they_are_chunked(table: pa.Table, at: int) -> None:
    pieces = pa.concat_tables([table.slice(0, at), table.slice(at)])

    assert encode_table(pieces).equals(encode_table(table))


@given(tables())
def test_notes_beside_the_schema_do_not_change_the_bytes(table: pa.Table) -> None:
    noted = table.replace_schema_metadata({"written": "today"})

    assert encode_table(noted).equals(encode_table(table))


@given(tables(), st.randoms())
def test_columns_come_in_the_order_they_are_named(table: pa.Table, random: Any) -> None:
    names = random.sample(table.column_names, random.randint(1, table.num_columns))

    assert decoded(table, columns=names).equals(table.select(names))


def test_another_row_gives_other_bytes() -> None:
    table = pa.table({"x": [1, 2]})

    assert not encode_table(table).equals(encode_table(table.slice(0, 1)))


def test_a_type_parquet_has_no_place_for_is_named() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1]), pa.array(["a"])])

    with pytest.raises(InvalidInput, match="Column 'odd' of type"):
        encode_table(pa.table({"fine": [1], "odd": union}))
