from __future__ import annotations

import datetime as dt
import io
import math
from decimal import Decimal
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import pyarrow as pa
import pyarrow.compute
import pytest
from blake3 import blake3
from hypothesis import given
from hypothesis import strategies as st

from treadle.data.parquet import bare_schema, decode_table
from treadle.data.tables import cuts
from treadle.data.tables.writing import LONG_PIECE_BYTES, PartWriter
from treadle.kernel.errors import InvalidInput
from treadle.storage.chunks.writing import ChunkSink

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.chunks.writing import ChunkWriter

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
    (
        pa.struct([("a", pa.int64()), ("b", pa.list_(pa.string()))]),
        st.fixed_dictionaries(
            {"a": st.none() | st.integers(0, 9), "b": st.lists(TEXT, max_size=2)}
        ),
    ),
    (pa.map_(pa.string(), pa.int64()), st.lists(st.tuples(TEXT, st.integers(0, 9)), max_size=2)),
    (pa.timestamp("ns", tz="Europe/Zurich"), st.integers(-(2**62), 2**62)),
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


class Kept:
    """A writer of chunks that keeps them in memory."""

    def __init__(self) -> None:
        self.chunks: dict[bytes, bytes] = {}

    def sink(self) -> ChunkSink:
        return ChunkSink(self.take)

    def take(self, pieces: Sequence[memoryview]) -> list[bytes]:
        digests = [blake3(piece).digest() for piece in pieces]
        self.chunks |= {digest: bytes(p) for digest, p in zip(digests, pieces, strict=True)}
        return digests


def written(table: pa.Table, *, batch_rows: int | None = None) -> list[bytes]:
    """Return the bytes of every part."""
    kept = Kept()
    schema = bare_schema(table.schema)
    parts = PartWriter(schema, writer=cast("ChunkWriter", kept))
    for batch in table.to_batches(max_chunksize=batch_rows):
        parts.add(batch)
    entries = parts.finish()
    return [b"".join(kept.chunks[digest] for digest in entry.chunks) for entry in entries]


def decoded(table: pa.Table, **given: Any) -> pa.Table:
    (part,) = written(table)
    return decode_table(io.BytesIO(part), **given)


@given(tables())
def test_a_table_comes_back_as_it_was(table: pa.Table) -> None:
    back = decoded(table)

    assert back.schema == table.schema
    assert back.equals(table)


@given(tables(), st.integers(1, 12))
def test_equal_tables_give_equal_bytes_however_they_are_chunked(table: pa.Table, at: int) -> None:
    pieces = pa.concat_tables([table.slice(0, at), table.slice(at)])

    assert written(pieces, batch_rows=at) == written(table)


@given(tables())
def test_notes_beside_the_schema_do_not_change_the_bytes(table: pa.Table) -> None:
    noted = table.replace_schema_metadata({"written": "today"})

    assert written(noted) == written(table)


@given(tables(), st.randoms())
def test_columns_come_in_the_order_they_are_named(table: pa.Table, random: Any) -> None:
    names = random.sample(table.column_names, random.randint(1, table.num_columns))

    assert decoded(table, columns=names).equals(table.select(names))


def test_nan_comes_back() -> None:
    back = decoded(pa.table({"x": [1.0, math.nan, None, -0.0]}))

    assert [str(x) for x in back["x"].to_pylist()] == ["1.0", "nan", "None", "-0.0"]


@pytest.mark.parametrize(
    "kind",
    [
        pa.dictionary(pa.int8(), pa.string()),
        pa.dictionary(pa.int16(), pa.int64()),
        pa.dictionary(pa.int32(), pa.large_string(), ordered=True),
        pa.string_view(),
        pa.binary_view(),
    ],
)
def test_what_parquet_has_no_type_for_comes_back(kind: pa.DataType) -> None:
    values: list[Any] = [7, None, 8, 7] if "int64" in str(kind) else ["b", None, "a", "b"]
    table = pa.table(
        {"x": pa.array(values).cast(kind) if "view" in str(kind) else coded(values, kind)}
    )

    back = decoded(table)

    assert back.schema == table.schema
    assert back["x"].to_pylist() == table["x"].to_pylist()


def coded(values: list[Any], kind: pa.DataType) -> pa.Array:
    plain = pa.array(values, type=kind.value_type).dictionary_encode()
    indices = plain.indices.cast(kind.index_type)
    return pa.DictionaryArray.from_arrays(indices, plain.dictionary, ordered=kind.ordered)


def test_values_that_no_row_has_do_not_change_the_bytes() -> None:
    few = pa.DictionaryArray.from_arrays([0, 1, 0], ["a", "b"])
    more = pa.DictionaryArray.from_arrays([2, 0, 2], ["b", "unused", "a"])

    assert written(pa.table({"x": few})) == written(pa.table({"x": more}))


def test_what_lies_below_a_null_does_not_change_the_bytes() -> None:
    mask = pa.array([False, True, False])
    one = pa.Array.from_buffers(pa.int64(), 3, [bits(mask), pa.array([1, 7, 3]).buffers()[1]])
    other = pa.Array.from_buffers(pa.int64(), 3, [bits(mask), pa.array([1, 9, 3]).buffers()[1]])

    assert written(pa.table({"x": one})) == written(pa.table({"x": other}))


def bits(mask: pa.Array) -> pa.Buffer:
    return pa.compute.invert(mask).buffers()[1]


def test_another_row_gives_other_bytes() -> None:
    table = pa.table({"x": [1, 2]})

    assert written(table) != written(table.slice(0, 1))


def test_a_type_parquet_has_no_place_for_is_named() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1]), pa.array(["a"])])

    with pytest.raises(InvalidInput, match="Column 'odd' of type"):
        written(pa.table({"fine": [1], "odd": union}))


@pytest.fixture(scope="module")
def long_table() -> pa.Table:
    """Some 150 MB of rows: a few parts."""
    drawn = np.random.default_rng(4)
    count = 2_400_000
    return pa.table(
        {
            "id": np.arange(count),
            "at": pa.array(np.arange(count) * 60_000_000, pa.timestamp("us", "UTC")),
            "city": pa.array([f"city {n}" for n in range(300)]).take(
                pa.array(drawn.integers(0, 300, count))
            ),
            "fare": np.round(drawn.normal(20, 5, count), 2),
            "paid": pa.array(
                drawn.integers(0, 2, count).astype(bool), mask=drawn.random(count) < 0.1
            ),
            "x": drawn.normal(size=count),
        }
    )


def test_a_long_table_is_several_parts_however_it_comes(long_table: pa.Table) -> None:
    parts = written(long_table)

    assert len(parts) > 1
    assert written(long_table, batch_rows=100_003) == parts
    back = pa.concat_tables(decode_table(io.BytesIO(part)) for part in parts)
    assert back.equals(long_table)


def test_rows_inserted_in_a_long_table_change_one_part(long_table: pa.Table) -> None:
    before = written(long_table)
    middle = long_table.num_rows // 2
    longer = pa.concat_tables(
        [long_table.slice(0, middle), long_table.slice(5, 100), long_table.slice(middle)]
    )

    after = written(longer)

    assert len(set(after) - set(before)) == 1
    assert len(after) == len(before)


def test_rows_appended_to_a_long_table_change_the_last_part(long_table: pa.Table) -> None:
    before = written(long_table)

    after = written(pa.concat_tables([long_table, long_table.slice(0, 1000)]))

    assert after[: len(before) - 1] == before[:-1]


def test_parts_of_long_texts_are_no_longer_than_others_however_they_come() -> None:
    rows = 20_000
    texts = pa.array(["x" * (n % 97) * 70 for n in range(rows)])
    table = pa.table({"id": np.arange(rows), "text": texts})

    parts = written(table)

    assert written(table, batch_rows=999) == parts
    sizes = [decode_table(io.BytesIO(part)).nbytes for part in parts]
    assert max(sizes) < cuts.MOST_BYTES + LONG_PIECE_BYTES
    assert sum(sizes) > 2 * cuts.MOST_BYTES


def test_rows_that_are_all_alike_are_cut_too() -> None:
    alike = pa.table({"x": pa.array(np.zeros(10_000_000, dtype=np.int64))})

    parts = written(alike)

    assert len(parts) > 1
    assert sum(decode_table(io.BytesIO(part)).num_rows for part in parts) == alike.num_rows
