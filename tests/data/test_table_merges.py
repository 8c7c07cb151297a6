"""Three-way merges of tables: the algebra, and every conflict by name."""

from __future__ import annotations

from contextlib import contextmanager

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.data.tables import kept
from treadle.data.diffs.merging import TableMerge
from treadle.errors import InvalidInput


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("merges")


@contextmanager
def merged(folder, base: pa.Table, ours: pa.Table, theirs: pa.Table, *, key=("id",), **asked):
    sides = zip(("base", "ours", "theirs"), (base, ours, theirs), strict=True)
    with TableMerge(*(kept(folder, t, n) for n, t in sides), key=key, **asked) as merge:
        yield merge


def rows_of(merge: TableMerge) -> list[dict]:
    return merge.arrow().read_all().to_pylist()


BASE = pa.table({"id": [1, 2, 3], "city": ["Bern", "Chur", "Thun"], "fare": [1.0, 2.0, 3.0]})


def changed(table: pa.Table, **columns) -> pa.Table:
    for name, values in columns.items():
        at = table.schema.get_field_index(name)
        made = values if isinstance(values, pa.Array) else pa.array(values)
        table = table.append_column(name, made) if at < 0 else table.set_column(at, name, made)
    return table


def test_changes_of_different_cells_come_together(folder):
    ours = changed(BASE, city=["Bern", "Genf", "Thun"])
    theirs = changed(BASE, fare=[1.0, 20.0, 3.0])

    with merged(folder, BASE, ours, theirs) as merge:
        assert rows_of(merge)[1] == {"id": 2, "city": "Genf", "fare": 20.0}
        assert (merge.counts.changed, merge.counts.conflicts) == (1, 0)


def test_rows_stand_in_the_order_of_ours_then_what_theirs_added(folder):
    ours = pa.concat_tables([BASE.slice(2), BASE.slice(0, 2)])
    theirs = pa.concat_tables(
        [pa.table({"id": [9, 8], "city": ["Visp", "Brig"], "fare": [9.0, 8.0]}), BASE.slice(1)]
    )

    with merged(folder, BASE, ours, theirs) as merge:
        assert [row["id"] for row in rows_of(merge)] == [3, 2, 9, 8]
        assert (merge.counts.added, merge.counts.removed, merge.counts.rows) == (2, 1, 4)


def test_one_cell_changed_twice_is_a_conflict_that_one_side_can_win(folder):
    ours, theirs = (changed(BASE, city=[new, "Chur", "Thun"]) for new in ("Genf", "Basel"))

    with merged(folder, BASE, ours, theirs) as merge:
        (conflict,) = merge.conflicts()
        assert rows_of(merge)[0]["city"] == "Genf"
    assert (conflict.kind, conflict.key, conflict.column) == ("both_changed", {"id": 1}, "city")
    assert (conflict.base, conflict.ours, conflict.theirs) == ("Bern", "Genf", "Basel")
    assert conflict.taken is None

    with merged(folder, BASE, ours, theirs, prefer="theirs") as merge:
        assert [c.taken for c in merge.conflicts()] == ["theirs"]
        assert rows_of(merge)[0]["city"] == "Basel"


def test_a_row_changed_here_and_removed_there_is_a_conflict(folder):
    altered = changed(BASE, fare=[1.0, 2.0, 30.0])

    with merged(folder, BASE, altered, BASE.slice(0, 2)) as merge:
        (conflict,) = merge.conflicts()
        assert [row["id"] for row in rows_of(merge)] == [1, 2, 3]
    assert (conflict.kind, conflict.theirs) == ("changed_removed", None)
    assert conflict.ours == {"id": 3, "city": "Thun", "fare": 30.0}

    with merged(folder, BASE, BASE.slice(0, 2), altered) as merge:
        assert [c.kind for c in merge.conflicts()] == ["removed_changed"]
        assert [row["id"] for row in rows_of(merge)] == [1, 2]

    with merged(folder, BASE, altered, BASE.slice(0, 2), prefer="theirs") as merge:
        assert [row["id"] for row in rows_of(merge)] == [1, 2]
    with merged(folder, BASE, BASE.slice(0, 2), altered, prefer="theirs") as merge:
        assert rows_of(merge)[-1]["fare"] == 30.0


def test_a_row_added_twice_differs_cell_by_cell(folder):
    ours, theirs = (
        pa.concat_tables([BASE, pa.table({"id": [4], "city": [city], "fare": [4.0]})])
        for city in ("Visp", "Brig")
    )

    with merged(folder, BASE, ours, theirs) as merge:
        (conflict,) = merge.conflicts()
        assert (conflict.kind, conflict.column, conflict.base) == ("both_added", "city", None)
        assert merge.counts.rows == 4

    with merged(folder, BASE, ours, ours) as merge:
        assert merge.counts.conflicts == 0
        assert rows_of(merge) == ours.to_pylist()


def test_columns_added_on_either_side_are_both_there(folder):
    ours = changed(BASE, tip=[0.1, 0.2, 0.3])
    theirs = changed(BASE, paid=[True, None, False]).slice(1)

    with merged(folder, BASE, ours, theirs) as merge:
        assert merge.schema.names == ["id", "city", "fare", "tip", "paid"]
        assert [(r["id"], r["tip"], r["paid"]) for r in rows_of(merge)] == [
            (2, 0.2, None),
            (3, 0.3, False),
        ]


def test_a_column_added_on_both_sides_is_merged_by_cell(folder):
    ours = changed(BASE, tip=[1, None, 3])
    theirs = changed(BASE, tip=[None, 2, 4])

    with merged(folder, BASE, ours, theirs) as merge:
        (conflict,) = merge.conflicts()
        assert [row["tip"] for row in rows_of(merge)] == [1, 2, 3]
    assert (conflict.key, conflict.ours, conflict.theirs) == ({"id": 3}, 3, 4)


def test_a_column_removed_here_and_changed_there_is_a_conflict_of_the_schema(folder):
    ours = BASE.drop_columns("fare")
    theirs = changed(BASE, fare=[1.0, 2.0, 30.0])

    with merged(folder, BASE, ours, theirs) as merge:
        (conflict,) = merge.conflicts()
        assert merge.schema.names == ["id", "city"]
    assert (conflict.kind, conflict.column, conflict.ours) == ("schema", "fare", "removed")

    with merged(folder, BASE, ours, theirs, prefer="theirs") as merge:
        assert [row["fare"] for row in rows_of(merge)] == [1.0, 2.0, 30.0]
    with merged(folder, BASE, ours, BASE) as merge:
        assert merge.counts.conflicts == 0
        assert merge.schema.names == ["id", "city"]


def test_a_type_changed_on_one_side_is_kept(folder):
    ours = changed(BASE, city=["Genf", "Chur", "Thun"])
    theirs = changed(BASE, id=pa.array([1, 2, 3], pa.int32()), fare=pa.array([1, 2, 3]))

    with merged(folder, BASE, BASE, theirs) as merge:
        assert merge.schema.field("fare").type == pa.int64()
        assert rows_of(merge) == theirs.to_pylist()
    with merged(folder, BASE, theirs, changed(BASE, fare=["1", "2", "3"])) as merge:
        (conflict,) = merge.conflicts()
    assert (conflict.base, conflict.ours, conflict.theirs) == ("double", "int64", "string")
    with (
        merged(folder, BASE, ours, changed(BASE, city=pa.array([1, 2, 3]))) as merge,
        pytest.raises(InvalidInput, match="does not fit"),
    ):
        rows_of(merge)


def test_a_renamed_column_takes_changes_along(folder):
    ours = BASE.rename_columns(["id", "town", "fare"])
    theirs = changed(BASE, city=["Bern", "Genf", "Thun"])

    with merged(folder, BASE, ours, theirs) as merge:
        assert merge.counts.conflicts == 0
        assert [row["town"] for row in rows_of(merge)] == ["Bern", "Genf", "Thun"]


def test_a_key_that_names_several_rows_is_refused(folder):
    twice = pa.concat_tables([BASE, changed(BASE, fare=[7.0, 8.0, 9.0])])

    with pytest.raises(InvalidInput, match="names several rows, such as 1"):
        merged(folder, BASE, BASE, twice).__enter__()


def test_without_a_key_nothing_is_merged(folder):
    same = pa.table({"v": [1.0, 1.0]})

    with pytest.raises(InvalidInput, match="without a key"):
        merged(folder, same, same, same, key=None).__enter__()


# --- against dictionaries ---

CELL = st.one_of(st.none(), st.integers(0, 2))
ROWS = st.dictionaries(st.integers(0, 6), st.tuples(CELL, CELL), max_size=6)
FEW = settings(max_examples=12, deadline=None)


def as_table(rows: dict) -> pa.Table:
    columns = {"id": list(rows), **{n: [r[i] for r in rows.values()] for i, n in enumerate("xy")}}
    return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})


def by_hand(base: dict, ours: dict, theirs: dict) -> tuple[dict, set]:
    """Merge dictionaries the slow way; conflicts leave what ours has."""
    result, conflicts = {}, set()
    for key in [*ours, *(k for k in theirs if k not in ours)]:
        b, o, t = base.get(key), ours.get(key), theirs.get(key)
        if o is not None and t is not None:
            result[key], found = cells_by_hand(b, o, t)
            conflicts |= {(key, column) for column in found}
        elif o is not None:
            if b is None or b != o:
                result[key] = o
            if b is not None and b != o:
                conflicts.add((key, ""))
        elif b is None:
            result[key] = t
        elif b != t:
            conflicts.add((key, ""))
    return result, conflicts


def cells_by_hand(base: tuple | None, ours: tuple, theirs: tuple) -> tuple[tuple, set]:
    cells, conflicts = [], set()
    for place, name in enumerate("xy"):
        o, t = ours[place], theirs[place]
        b = base[place] if base else None
        if o != t and (base is None or (b not in (o, t))):
            conflicts.add(name)
        cells.append(t if base and o == b else o)
    return tuple(cells), conflicts


def result_of(merge: TableMerge) -> tuple[dict, set]:
    rows = {r["id"]: (r["x"], r["y"]) for r in rows_of(merge)}
    return rows, {(c.key["id"], c.column) for c in merge.conflicts()}


@FEW
@given(base=ROWS, ours=ROWS, theirs=ROWS)
def test_a_merge_is_what_dictionaries_say(folder, base, ours, theirs):
    with merged(folder, as_table(base), as_table(ours), as_table(theirs)) as merge:
        found, conflicts = result_of(merge)

    told, expected = by_hand(base, ours, theirs)
    assert list(found.items()) == list(told.items())
    assert conflicts == expected
    assert (merge.counts.rows, merge.counts.conflicts) == (len(told), len(expected))


@FEW
@given(base=ROWS, side=ROWS)
def test_a_side_that_did_nothing_changes_nothing(folder, base, side):
    one, other = as_table(base), as_table(side)

    for ours, theirs in ((other, other), (other, one), (one, other)):
        with merged(folder, one, ours, theirs) as merge:
            assert result_of(merge) == (side, set())


@FEW
@given(base=ROWS, ours=ROWS, theirs=ROWS)
def test_sides_can_be_exchanged_but_for_conflicts(folder, base, ours, theirs):
    b, o, t = as_table(base), as_table(ours), as_table(theirs)

    with merged(folder, b, o, t, prefer="ours") as merge:
        one, conflicts = result_of(merge)
    with merged(folder, b, t, o, prefer="theirs") as merge:
        assert result_of(merge) == (one, conflicts)
