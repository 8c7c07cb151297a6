"""Branches of tables merge row by row and cell by cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pyarrow as pa
import pytest

from treadle.errors import Conflict, InvalidInput

if TYPE_CHECKING:
    from treadle.data.service import Data


def trips(**columns: list[object]) -> pa.Table:
    return pa.table(
        {"id": [1, 2, 3], "city": ["Bern", "Chur", "Thun"], "fare": [1, 2, 3]} | columns
    )


def forked(data: Data, *, main: pa.Table, exp: pa.Table) -> None:
    """Commit a table, another on a branch, a third on main."""
    data.commit("trips", trips())
    data.branch("trips", "exp")
    data.commit("trips", exp, branch="exp")
    data.commit("trips", main)


def test_rows_of_both_branches_come_together(everywhere: Data) -> None:
    forked(
        everywhere,
        main=trips(city=["Bern", "Genf", "Thun"]),
        exp=trips(fare=[1, 20, 3]).slice(0, 2),
    )

    told = everywhere.merge("trips@exp")

    assert (told.kind, told.version, told.taken, told.is_table) == ("merged", "trips@4", 2, True)
    assert everywhere.version("trips@4").parents == (3, 2)
    assert everywhere.version("trips").ref == "trips@4"
    assert everywhere.table("trips").to_pylist() == [
        {"id": 1, "city": "Bern", "fare": 1},
        {"id": 2, "city": "Genf", "fare": 20},
    ]
    assert everywhere.merge("trips@exp").kind == "nothing"


def test_a_cell_changed_twice_stops_the_merge_until_a_side_is_taken(data: Data) -> None:
    forked(data, main=trips(fare=[1, 5, 3]), exp=trips(fare=[1, 6, 3]))

    told = data.merge("trips@exp")

    assert (told.kind, told.conflict_count) == ("conflicts", 1)
    assert told.conflicts[0].path == "id 2, fare"
    assert told.conflicts[0].why == "both changed: base 2, ours 5, theirs 6"
    assert data.version("trips").ref == "trips@3"

    done = data.merge("trips@exp", take="theirs")
    assert (done.version, data.version("trips").parents) == ("trips@4", (3, 2))
    assert data.version("trips").same_as == 2
    assert data.table("trips")["fare"].to_pylist() == [1, 6, 3]


def test_a_merge_can_be_tried(data: Data) -> None:
    forked(data, main=trips(fare=[9, 2, 3]), exp=trips(fare=[1, 2, 9]))

    told = data.merge("trips@exp", dry_run=True, key=["id"])

    assert (told.kind, told.version, told.taken) == ("merged", "", 1)
    assert data.version("trips").ref == "trips@3"


def test_a_column_alone_is_something_to_merge(data: Data) -> None:
    forked(data, main=trips(fare=[9, 2, 3]), exp=trips(tip=pa.array([None] * 3, pa.int64())))

    assert data.merge("trips@exp").kind == "merged"
    assert data.table("trips").column_names == ["id", "city", "fare", "tip"]


def test_a_type_alone_is_something_to_merge(data: Data) -> None:
    cities = trips()["city"].combine_chunks().dictionary_encode()
    forked(data, main=trips(city=cities), exp=trips(fare=[1.0, 2.0, 3.0]))

    assert data.merge("trips@exp").kind == "merged"
    assert data.table("trips").schema.types[1:] == [cities.type, pa.float64()]
    assert data.merge("trips@3").kind == "nothing"


def test_a_table_and_files_are_not_merged(data: Data, tmp_path) -> None:
    data.commit("trips", trips())
    data.branch("trips", "exp")
    (tmp_path / "in").mkdir()
    data.commit("trips", tmp_path / "in", branch="exp")
    data.commit("trips", trips(fare=[9, 2, 3]))

    with pytest.raises(InvalidInput, match="a table, the other side is files"):
        data.merge("trips@exp")


def test_without_a_common_table_nothing_says_what_is_new(data: Data, tmp_path) -> None:
    (tmp_path / "in").mkdir()
    data.commit("trips", tmp_path / "in")
    data.branch("trips", "exp")
    data.commit("trips", trips(fare=[9, 2, 3]), branch="exp")
    data.commit("trips", trips())

    with pytest.raises(Conflict, match="descend from no table"):
        data.merge("trips@exp")
