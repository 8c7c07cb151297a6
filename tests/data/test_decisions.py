"""Conflicts of a merge, decided one by one in the file that they were written to."""

from __future__ import annotations

import csv
import datetime as dt
from contextlib import contextmanager
from decimal import Decimal

import msgspec
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import parquet as pq

from tests.data.tables import kept
from treadle.data.diffs.decisions import read_conflicts
from treadle.data.diffs.entities import Conflict
from treadle.data.diffs.merging import TableMerge
from treadle.data.diffs.writing import write_conflicts
from treadle.errors import Conflict as Refused
from treadle.errors import InvalidInput, NotFound

BASE = pa.table({"id": [1, 2, 3], "city": ["Bern", "Chur", "Thun"], "fare": [1.0, 2.0, 3.0]})
OURS = pa.table({"id": [1, 2, 3], "city": ["Brig", "Genf", "Thun"], "fare": [1.5, 2.0, 3.5]})
THEIRS = pa.table({"id": [1, 2], "city": ["Visp", "Sion"], "fare": [1.9, 2.0]})
ENDINGS = ("csv", "jsonl", "parquet")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("decisions")


@contextmanager
def merged(folder, base=BASE, ours=OURS, theirs=THEIRS, *, key=("id",), **asked):
    sides = zip(("base", "ours", "theirs"), (base, ours, theirs), strict=True)
    with TableMerge(*(kept(folder, t, n) for n, t in sides), key=key, **asked) as merge:
        yield merge


def rows_of(merge):
    return [tuple(row.values()) for row in merge.arrow().read_all().to_pylist()]


def conflicts_of(folder, **asked):
    with merged(folder, **asked) as merge:
        return list(merge.conflicts())


def decided(found, **taken):
    """Return conflicts, those about `r3` (a row) or `city1` (a cell) with what is taken."""
    made = []
    for conflict in found:
        named = f"{conflict.column or 'r'}{conflict.key['id']}"
        given = taken.get(named)
        more = (
            {"taken": "value", "value": given[0]} if isinstance(given, list) else {"taken": given}
        )
        made.append(msgspec.structs.replace(conflict, **more))
    return made


def test_each_conflict_goes_as_it_is_decided(folder):
    found = conflicts_of(folder)
    given = decided(found, city1="theirs", city2="base", fare1=["7.25"], r3="theirs")

    with merged(folder, decided=given) as merge:
        assert rows_of(merge) == [(1, "Visp", 7.25), (2, "Chur", 2.0)]
        assert (merge.counts.conflicts, merge.undecided, merge.counts.rows) == (4, 0, 2)
        assert [(c.name, c.taken, c.value) for c in merge.conflicts()] == [
            ("id 3", "theirs", None), ("id 1, city", "theirs", None), ("id 2, city", "base", None),
            ("id 1, fare", "value", "7.25"),
        ]  # fmt: skip


def test_what_is_left_undecided_is_ours_and_counted(folder):
    given = decided(conflicts_of(folder), city1="theirs", fare1="ours")

    with merged(folder, decided=given) as merge:
        assert rows_of(merge) == [(1, "Visp", 1.5), (2, "Genf", 2.0), (3, "Thun", 3.5)]
        assert merge.undecided == 2
        assert [c.name for c in merge.conflicts(undecided=True)] == ["id 3", "id 2, city"]
        assert [c.name for c in merge.conflicts(undecided=True, limit=1)] == ["id 3"]


def test_a_side_is_preferred_for_a_column_or_for_the_rest(folder):
    given = decided(conflicts_of(folder), city2=["Basel"])

    with merged(folder, prefer_in={"city": "theirs"}) as merge:
        assert rows_of(merge)[0] == (1, "Visp", 1.5)
        assert merge.undecided == 2
    with merged(folder, prefer="theirs", prefer_in={"fare": "ours"}, decided=given) as merge:
        assert rows_of(merge) == [(1, "Visp", 1.5), (2, "Basel", 2.0)]
        assert merge.undecided == 0
    with (
        pytest.raises(NotFound, match="No column 'citi'"),
        merged(folder, prefer_in={"citi": "ours"}),
    ):
        pass


def test_a_row_that_ours_removed_comes_back_or_not(folder):
    sides = {"ours": THEIRS.slice(0, 0), "theirs": OURS}
    found = conflicts_of(folder, **sides)

    with merged(
        folder, **sides, decided=decided(found, r1="theirs", r2="ours", r3="ours")
    ) as merge:
        assert rows_of(merge) == [(1, "Brig", 1.5)]


def test_a_row_that_both_added_takes_a_value(folder):
    one, other = (
        pa.table({"id": [9], "city": [c], "fare": [f]}) for c, f in (("A", 1.0), ("B", 2.0))
    )
    sides = {"base": BASE.slice(0, 1), "ours": one, "theirs": other}
    found = conflicts_of(folder, **sides)

    with merged(folder, **sides, decided=decided(found, city9=["C"], fare9="base")) as merge:
        assert rows_of(merge) == [(9, "C", None)]


def test_a_column_is_decided_too(folder):
    sides = {
        "ours": BASE.drop_columns(["fare"]),
        "theirs": BASE.set_column(2, "fare", pa.array([1.0, 2.0, 9.0])),
    }
    (found,) = conflicts_of(folder, **sides)

    given = [msgspec.structs.replace(found, taken="theirs")]
    with merged(folder, **sides, decided=given) as merge:
        assert merge.schema.names == ["id", "city", "fare"]
        assert merge.undecided == 0
    with merged(folder, **sides) as merge:
        assert merge.undecided == 1


INTS, DECIMALS = [1, 2, 3], ["1.1", "2.2", "3.3"]
DAYS = [dt.date(2013, 1, i) for i in INTS]


def of_type(values, type_):
    """Return base, ours and theirs with one row, whose cell all of them changed."""
    return {
        name: pa.table({"id": [1], "x": pa.array([value]).cast(type_)})
        for name, value in zip(("base", "ours", "theirs"), values, strict=True)
    }


@pytest.mark.parametrize(
    ("values", "type_", "given", "told"),
    [
        (INTS, pa.int32(), 7, 7),
        (DECIMALS, pa.decimal128(5, 2), "4.25", Decimal("4.25")),
        ([1.0, 2.0, 3.0], pa.float64(), 5, 5.0),
        (DAYS, pa.date32(), "2013-02-03", dt.date(2013, 2, 3)),
        ([b"a", b"b", b"c"], pa.binary(), "00ff", b"\x00\xff"),
        ([[1], [2], [3]], pa.list_(pa.int64()), [4, 5], [4, 5]),
        ([True, False, None], pa.bool_(), True, True),
        (["a", "b", "c"], pa.dictionary(pa.int32(), pa.string()), "d", "d"),
    ],
)
def test_a_value_is_taken_as_the_column_has_it(folder, values, type_, given, told):
    sides = of_type(values, type_)
    found = decided(conflicts_of(folder, **sides), x1=[given])

    with merged(folder, **sides, decided=found) as merge:
        assert merge.arrow().read_all()["x"].to_pylist() == [told]
        assert merge.schema.field("x").type == type_


@pytest.mark.parametrize(
    ("values", "type_", "given"),
    [
        (INTS, pa.int32(), "5.5"),
        (INTS, pa.uint8(), 300),
        (DECIMALS, pa.decimal128(5, 2), "4.125"),
        (DAYS, pa.date32(), "2013-02-30"),
        ([1.0, 2.0, 3.0], pa.float64(), "dear"),
    ],
)
def test_a_value_that_does_not_fit_is_refused(folder, values, type_, given):
    sides = of_type(values, type_)
    found = decided(conflicts_of(folder, **sides), x1=[given])

    with (
        pytest.raises(InvalidInput, match="does not fit its column"),
        merged(folder, **sides, decided=found),
    ):
        pass


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_file_comes_back_as_it_was_written_and_edited(folder, tmp_path, ending):
    path = tmp_path / f"conflicts.{ending}"
    found = conflicts_of(folder)
    given = decided(found, city1="theirs", fare1=[7.25], r3="ours", city2=["9"])

    assert write_conflicts(given, path) == 4
    read = list(read_conflicts(path))

    assert [(c.kind, c.key, c.column, c.taken) for c in read] == [
        (c.kind, c.key, c.column, c.taken) for c in given
    ]
    with merged(folder, decided=read) as merge:
        assert rows_of(merge) == [(1, "Visp", 7.25), (2, "9", 2.0), (3, "Thun", 3.5)]


def test_what_a_person_writes_into_a_table_of_text_is_understood(folder, tmp_path):
    path = tmp_path / "conflicts.csv"
    write_conflicts(conflicts_of(folder), path)
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    for row, (taken, value) in zip(
        rows, [(" Theirs ", ""), ("", "St. Gallen"), ("value", ""), ("", "8")], strict=True
    ):
        row["key"] = row["key"].replace(":", " : ")
        row |= {"taken": taken, "value": value}
    with path.open("w", newline="", encoding="utf-8-sig") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)

    with merged(folder, decided=read_conflicts(path)) as merge:
        assert rows_of(merge) == [(1, "St. Gallen", 8.0), (2, None, 2.0)]


def test_a_decision_about_what_has_changed_is_refused(folder):
    given = decided(conflicts_of(folder), city1="theirs", city2="ours")
    other = THEIRS.set_column(1, "city", pa.array(["Visp", "Lugano"]))

    with (
        pytest.raises(Refused, match=r'1 decisions are about other values: id 2, city \(.*"Sion", '
                      r'and now .*"Lugano"\)'),
        merged(folder, theirs=other, decided=given),
    ):  # fmt: skip
        pass
    with merged(folder, theirs=other, decided=given[:2]) as merge:
        assert rows_of(merge)[0][1] == "Visp"


def test_a_decision_about_no_conflict_is_refused(folder):
    lost = Conflict(kind="both_changed", key={"id": 8}, column="city", base=1, ours=2, theirs=3,
                    taken="ours")  # fmt: skip

    with (
        pytest.raises(Refused, match="no conflict of this merge: id 8, city"),
        merged(folder, decided=[lost]),
    ):
        pass


def test_two_decisions_about_one_conflict_are_refused(folder):
    given = decided(conflicts_of(folder), city1="theirs")

    with (
        pytest.raises(InvalidInput, match="more than once: id 1, city"),
        merged(folder, decided=given * 2),
    ):
        pass


HEADER = "kind,key,column,base,ours,theirs,taken,value\n"
MINE = HEADER + 'both_changed,"{""id"":1}",c,1,2,3,mine,\n'
NO_CELL = HEADER + 'changed_removed,"{""id"":1}",,1,2,3,base,\n'


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("c.csv", "kind,key\n", "no column column, base"),
        ("c.csv", "", "no column"),
        ("c.csv", HEADER + "both_changed,{,c,1,2,3,ours,\n", "Conflict 1 of c.csv"),
        ("c.csv", MINE, "taken is 'mine', not one of ours, theirs, base, value"),
        ("c.csv", NO_CELL, "id 1 is no cell: take ours or theirs"),
        ("c.jsonl", "{}\n", "Conflict 1 of c.jsonl cannot be read"),
        ("c.jsonl", "\n\nno\n", "Conflict 1 of c.jsonl"),
        ("c.parquet", "no", "Conflict 1 of c.parquet"),
        ("c.txt", "no", "in which form"),
    ],
)
def test_a_file_that_cannot_be_understood_is_refused(tmp_path, name, text, told):
    path = tmp_path / name
    path.write_text(text)

    with pytest.raises(InvalidInput, match=told):
        list(read_conflicts(path))


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(NotFound, match=r"c\.csv"):
        list(read_conflicts(tmp_path / "c.csv"))


def test_many_conflicts_are_written_and_read_in_pieces(folder, tmp_path):
    rows = 20_000
    sides = {
        name: pa.table({"id": range(rows), "x": pa.array([value] * rows)})
        for name, value in (("base", 0), ("ours", 1), ("theirs", 2))
    }
    path = tmp_path / "many.parquet"
    with merged(folder, **sides) as merge:
        assert write_conflicts(merge.conflicts(), path) == rows
    table = pq.read_table(path)
    taken = pa.array(["theirs" if i % 2 else "ours" for i in range(rows)])
    pq.write_table(table.set_column(6, "taken", taken), path)

    with merged(folder, **sides, decided=read_conflicts(path)) as merge:
        assert merge.arrow().read_all()["x"].to_pylist() == [1, 2] * (rows // 2)
        assert merge.undecided == 0


# --- against dictionaries ---

CELL = st.one_of(st.none(), st.integers(0, 2))
ROWS = st.dictionaries(st.integers(0, 5), st.tuples(CELL, CELL), max_size=5)


def as_table(rows):
    columns = {"id": list(rows), **{n: [r[i] for r in rows.values()] for i, n in enumerate("xy")}}
    return pa.table({name: pa.array(values, pa.int64()) for name, values in columns.items()})


@settings(max_examples=12, deadline=None)
@given(base=ROWS, ours=ROWS, theirs=ROWS, data=st.data())
def test_what_is_decided_is_there_and_the_rest_is_as_without(folder, base, ours, theirs, data):
    sides = {"base": as_table(base), "ours": as_table(ours), "theirs": as_table(theirs)}
    with merged(folder, **sides) as merge:
        found, plain = list(merge.conflicts()), {r[0]: r for r in rows_of(merge)}
    words = [
        data.draw(st.sampled_from(["ours", "theirs", *(["base", "value"] if c.column else [])]))
        for c in found
    ]
    given = [
        msgspec.structs.replace(c, taken=word, value=77 if word == "value" else None)
        for c, word in zip(found, words, strict=True)
    ]

    with merged(folder, **sides, decided=given) as merge:
        rows = {r[0]: r for r in rows_of(merge)}
        assert merge.undecided == 0

    for conflict in given:
        number, place = conflict.key["id"], {"x": 1, "y": 2}.get(conflict.column)
        if place is not None:
            cells = {"base": conflict.base, "ours": conflict.ours, "theirs": conflict.theirs,
                     "value": 77}  # fmt: skip
            plain[number] = (
                *plain[number][:place], cells[conflict.taken], *plain[number][place + 1 :],
            )  # fmt: skip
        elif getattr(conflict, conflict.taken) is None:
            plain.pop(number, None)
        else:
            plain[number] = tuple(getattr(conflict, conflict.taken).values())
    assert rows == plain
