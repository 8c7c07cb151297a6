"""Diffs of tables: every row that differs is named, whatever the table holds."""

from __future__ import annotations

import datetime as dt
import decimal
import math
from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from tests.data.tables import kept
from treadle.data.contracts import ColumnRule, ContractBody, TableRule
from treadle.data.diffs.applying import applied
from treadle.data.diffs.rows import TableDiff
from treadle.data.diffs.tables import Table
from treadle.errors import Conflict, InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("diffs")


@contextmanager
def diffed(folder, before: pa.Table, after: pa.Table, *, parts=1, **asked) -> Iterator[TableDiff]:
    one, other = kept(folder, before, "a", parts=parts), kept(folder, after, "b", parts=parts)
    with TableDiff(one, other, **asked) as diff:
        yield diff


def table(**columns) -> pa.Table:
    return pa.table(columns)


BEFORE = table(id=[1, 2, 3], city=["Bern", "Chur", None], fare=[1.5, math.nan, 3.0])


def test_nothing_differs_from_itself(folder):
    with diffed(folder, BEFORE, BEFORE, key=["id"]) as diff:
        assert diff.summary.is_empty
        assert list(diff.changes()) == []


def test_cells_are_named_with_before_and_after(folder):
    after = table(id=[2, 1, 4], city=["Chur", "Genf", "Thun"], fare=[math.nan, 1.5, 0.0])

    with diffed(folder, BEFORE, after, key=["id"]) as diff:
        changed, added, removed = diff.changes()

    assert (changed.kind, changed.key, changed.cells) == ("changed", {"id": 1}, ("city",))
    assert (changed.before["city"], changed.after["city"]) == ("Bern", "Genf")
    assert (changed.row_before, changed.row_after) == (0, 1)
    assert (added.kind, added.key, added.before, added.row_after) == ("added", {"id": 4}, None, 2)
    assert (removed.kind, removed.key, removed.after) == ("removed", {"id": 3}, None)
    assert diff.counts.changed_cells == {"city": 1}
    assert diff.counts.unchanged == 1


def test_a_wider_type_is_a_change_of_the_schema_and_not_of_rows(folder):
    after = table(id=[1, 2, 3], city=BEFORE["city"], fare=BEFORE["fare"])
    after = after.set_column(0, "id", pa.array([1.0, 2.0, 3.0]))

    with diffed(folder, BEFORE, after, key=["id"]) as diff:
        (change,) = diff.summary.schema
        assert (change.kind, change.before, change.after) == ("retyped", "int64", "double")
        assert change.compared_as == "number"
        assert diff.counts.changed == 0


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (pa.array([7], pa.int8()), pa.array([7], pa.uint64())),
        (pa.array([7], pa.int64()), pa.array(["7"])),
        (pa.array([7], pa.int64()), pa.array([decimal.Decimal("7.00")], pa.decimal128(9, 2))),
        (pa.array([dt.date(2013, 7, 4)]), pa.array([dt.date(2013, 7, 4)]).cast(pa.timestamp("us"))),
        (pa.array([5], pa.timestamp("ns")), pa.array([5], pa.timestamp("ns", "UTC"))),
        (pa.array([True]), pa.array([1])),
    ],
)
def test_equal_values_of_another_type_are_equal(folder, before, after):
    ids = pa.array([1])

    with diffed(folder, table(id=ids, v=before), table(id=ids, v=after), key=["id"]) as diff:
        assert [c.kind for c in diff.summary.schema] == ["retyped"]
        assert diff.counts.changed == 0


def test_how_texts_are_laid_out_in_memory_is_no_difference(folder):
    texts = pa.array(["a", "b", "a"])
    one = table(id=[1, 2, 3], v=texts.dictionary_encode())
    other = table(id=[1, 2, 3], v=texts.cast(pa.large_string()))

    with diffed(folder, one, other, key=["id"]) as diff:
        assert diff.summary.is_empty


def test_a_renamed_column_is_recognised_by_its_values(folder):
    after = table(id=[2, 1, 3, 4], town=["Chur", "Bern", None, "Thun"], fare=[1.0, 2.0, 3.0, 4.0])

    with diffed(folder, BEFORE, after, key=["id"]) as diff:
        (change,) = diff.summary.schema

    assert (change.kind, change.before, change.after) == ("renamed", "city", "town")
    assert (diff.counts.added, diff.counts.changed_cells) == (1, {"fare": 2})


def test_a_column_that_could_be_any_other_is_not_called_renamed(folder):
    one = table(id=[1, 2], zeros=[0, 0])
    other = table(id=[1, 2], noughts=[0, 0])

    with diffed(folder, one, other, key=["id"]) as diff:
        assert [c.kind for c in diff.summary.schema] == ["removed", "added"]


def test_values_of_an_added_column_are_told_apart_from_changed_rows(folder):
    after = BEFORE.append_column("tip", pa.array([None, 2.0, 3.0]))

    with diffed(folder, BEFORE, after, key=["id"]) as diff:
        rows = list(diff.changes())

    assert diff.counts.changed == 0
    assert diff.summary.schema[0].values == diff.counts.filled == 2
    assert [(r.kind, r.key, r.cells) for r in rows] == [
        ("filled", {"id": 2}, ("tip",)),
        ("filled", {"id": 3}, ("tip",)),
    ]


def test_rows_of_a_repeated_key_are_added_or_removed_and_counted(folder):
    one = table(id=[1, 1, 2], v=["a", "b", "c"])
    other = table(id=[1, 1, 2], v=["b", "d", "c"])

    with diffed(folder, one, other, key=["id"]) as diff:
        rows = list(diff.changes())

    assert diff.counts.repeated_keys == 1
    assert [(r.kind, (r.after or r.before)["v"]) for r in rows] == [
        ("added", "d"),
        ("removed", "a"),
    ]


def test_without_a_key_equal_rows_are_the_same_as_often_as_they_are_there(folder):
    one = table(v=["a", "a", "b"])
    other = table(v=["a", "b", "b", "c"])

    with diffed(folder, one, other) as diff:
        rows = [(r.kind, (r.after or r.before)["v"]) for r in diff.changes()]

    assert diff.key.source == "none"
    assert sorted(rows) == [("added", "b"), ("added", "c"), ("removed", "a")]


def test_a_key_is_found_where_nobody_names_one(folder):
    rows = 200
    one = table(
        shop=[i % 10 for i in range(rows)],
        day=[i // 10 for i in range(rows)],
        sold=[float(i % 3) for i in range(rows)],
    )

    with diffed(folder, one, one.slice(1)) as diff:
        assert diff.key.columns == ("shop", "day")
        assert diff.key.source == "found"
        assert diff.counts.removed == 1


def test_the_contract_names_the_key(folder):
    rule = ColumnRule(name="city", type="text", role="id")
    by_role = ContractBody(columns=(rule,))
    by_claim = ContractBody(table=TableRule(unique=(("city", "fare"),)))

    with diffed(folder, BEFORE, BEFORE, contract=by_role) as diff:
        assert (diff.key.columns, diff.key.source) == (("city",), "contract")
    with diffed(folder, BEFORE, BEFORE, contract=by_claim) as diff:
        assert diff.key.columns == ("city", "fare")


def test_a_key_that_is_not_there_is_refused(folder):
    with pytest.raises(NotFound, match="'cty'"), diffed(folder, BEFORE, BEFORE, key=["cty"]):
        pass
    after = BEFORE.append_column("tip", pa.array([1, 2, 3]))
    with pytest.raises(InvalidInput, match="only in the table after"):
        TableDiff(kept(folder, BEFORE, "a"), kept(folder, after, "b"), key=["tip"])


def test_tables_without_a_common_column_are_refused(folder):
    with pytest.raises(InvalidInput, match="no column in common"):
        TableDiff(kept(folder, table(a=[1]), "a"), kept(folder, table(b=[1]), "b"))


def test_parts_that_both_have_are_not_read(folder):
    one, other = kept(folder, BEFORE, "a"), kept(folder, BEFORE.slice(1), "b")
    before, after = (
        Table([part._replace(digest="same")]) for t in (one, other) for part in t.parts
    )

    with TableDiff(before, after, key=["id"]) as diff:
        assert diff.summary.is_empty


def test_a_key_repeated_in_a_part_that_is_not_read_is_seen(folder):
    one = pa.table({"id": [1, 2, 1, 4], "v": [0, 0, 0, 0]})
    other = pa.table({"id": [1, 2, 1, 4], "v": [0, 0, 5, 0]})

    with diffed(folder, one, other, key=["id"], parts=2) as diff:
        assert diff.counts.repeated_keys == 1
        assert [r.kind for r in diff.changes()] == ["added", "removed"]


def test_every_type_of_arrow_comes_back_as_it_was(folder):
    instants = [1, 2]
    one = table(
        id=[1, 2],
        ns=pa.array(instants, pa.timestamp("ns", "UTC")),
        s=pa.array(instants, pa.timestamp("s")),
        took=pa.array(instants, pa.duration("ms")),
        half=pa.array([1.5, 2.5], pa.float16()),
        at=pa.array(instants, pa.time32("s")),
        raw=pa.array([b"a", b"b"], pa.large_binary()),
        some=pa.array([[1], None]),
        pair=pa.array([{"x": 1}, None]),
        map=pa.array([[("k", 1)], None], pa.map_(pa.string(), pa.int64())),
        Odd=pa.array([1, 2]),
        odd=pa.array([3, 4]),
        **{'a "quoted" at': pa.array([1, 2])},
    )

    with diffed(folder, one, one.slice(1), key=["id"]) as diff:
        (batch,) = diff.batches()

    assert batch.schema.field("before").type == pa.struct(list(one.schema))
    assert batch.column("before").to_pylist() == one.slice(0, 1).to_pylist()


def test_the_stream_of_arrow_says_what_was_compared(folder):
    with diffed(folder, BEFORE, BEFORE.slice(1), key=["id"]) as diff:
        read = diff.arrow().read_all()

    assert read["change"].to_pylist() == ["removed"]
    assert b'"source":"given"' in read.schema.metadata[b"treadle.diff"]


def test_no_more_rows_come_than_were_asked_for(folder):
    one = table(id=list(range(500)), v=[0] * 500)
    other = table(id=list(range(500)), v=[1] * 500)

    with diffed(folder, one, other, key=["id"]) as diff:
        assert [r.key["id"] for r in diff.changes(limit=3)] == [0, 1, 2]
        assert [b.num_rows for b in diff.batches(batch_rows=200)] == [200, 200, 100]


CELLS = st.one_of(st.none(), st.integers(0, 2))
ROWS = st.dictionaries(st.integers(0, 12), st.tuples(CELLS, CELLS), max_size=12)


def as_table(rows: dict[int, tuple[int | None, int | None]]) -> pa.Table:
    order = list(rows)
    return pa.table(
        {
            "id": pa.array(order, pa.int64()),
            "x": pa.array([rows[k][0] for k in order], pa.int64()),
            "y": pa.array([rows[k][1] for k in order], pa.float64()),
        }
    )


@settings(max_examples=40, deadline=None)
@given(before=ROWS, after=ROWS, parts=st.integers(1, 3))
def test_a_diff_is_what_two_dictionaries_say(folder, before, after, parts):
    with diffed(folder, as_table(before), as_table(after), key=["id"], parts=parts) as diff:
        found = {r.key["id"]: (r.kind, set(r.cells)) for r in diff.changes()}

    told = {k: ("added", set()) for k in after.keys() - before.keys()}
    told |= {k: ("removed", set()) for k in before.keys() - after.keys()}
    for key in before.keys() & after.keys():
        cells = {n for n, a, b in zip("xy", before[key], after[key], strict=True) if a != b}
        if cells:
            told[key] = ("changed", cells)
    assert found == told


MANY = st.lists(st.tuples(st.integers(0, 2), CELLS), max_size=12)


@settings(max_examples=30, deadline=None)
@given(before=MANY, after=MANY, key=st.sampled_from([None, ["k"]]), parts=st.integers(1, 3))
def test_rows_balance_however_often_keys_repeat(folder, before, after, key, parts):
    one, other = (
        table(
            k=pa.array([r[0] for r in rows], pa.int64()),
            v=pa.array([r[1] for r in rows], pa.int64()),
        )
        for rows in (before, after)
    )

    with diffed(folder, one, other, key=key, parts=parts) as diff:
        rows = list(diff.changes())

    gone = Counter(tuple(r.before.values()) for r in rows if r.before)
    new = Counter(tuple(r.after.values()) for r in rows if r.after)
    assert Counter(before) - gone + new == Counter(after)
    if key is None and diff.key.source == "none":
        assert gone == Counter(before) - Counter(after)


def test_a_diff_applied_to_before_is_after(folder):
    before = table(id=[1, 2, 3, 4], city=["Bern", "Chur", "Genf", "Visp"], fare=[1, 2, 3, 4])
    after = table(
        id=[1, 3, 4, 9],
        town=["Bern", "Genf", "Visp", "Brig"],
        fare=[1.0, 3.5, 4.0, math.nan],
        tip=[None, 1, 2, 3],
    )

    with (
        diffed(folder, before, after, key=["id"]) as diff,
        applied(kept(folder, before, "c"), diff.arrow()) as rows,
    ):
        found = rows.read_all()

    assert found.schema == after.schema
    assert str(found.to_pylist()) == str(after.to_pylist())


def test_a_diff_that_does_not_fit_is_refused(folder, tmp_path):
    after = table(id=[1, 2, 5], city=["Genf", "Chur", None], fare=[1.5, 2.0, 3.0])
    path = tmp_path / "diff.parquet"
    with diffed(folder, BEFORE, after, key=["id"]) as diff:
        pq.write_table(diff.arrow().read_all(), path)

    with (
        pytest.raises(Conflict, match="changes or removes 3 rows not there"),
        applied(kept(folder, after, "c"), path),
    ):
        pass
    kept_already = pa.concat_tables([BEFORE, after.slice(2)])
    with (
        pytest.raises(Conflict, match="adds 1 row with keys"),
        applied(kept(folder, kept_already, "c"), path),
    ):
        pass
    with (
        pytest.raises(InvalidInput, match="columns"),
        applied(kept(folder, table(a=[1]), "c"), path),
    ):
        pass
    with (
        pytest.raises(InvalidInput, match="no diff"),
        applied(kept(folder, after, "c"), folder / "a-0.parquet"),
    ):
        pass


@settings(max_examples=20, deadline=None)
@given(before=MANY, after=MANY, key=st.sampled_from([None, ["k"]]))
def test_before_with_its_diff_is_after(folder, before, after, key):
    one, other = (
        pa.table({n: pa.array([r[i] for r in rows], pa.int64()) for i, n in enumerate("kv")})
        for rows in (before, after)
    )

    with (
        diffed(folder, one, other, key=key) as diff,
        applied(kept(folder, one, "c"), diff.arrow()) as rows,
    ):
        found = rows.read_all()

    assert Counter(tuple(r.values()) for r in found.to_pylist()) == Counter(after)
