"""The verbs of comparing, merging and applying, on versions as they are committed."""

from __future__ import annotations

import csv

import msgspec
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from treadle.data.contracts import ColumnRule, ContractBody
from treadle.data.diffs.entities import Conflict
from treadle.data.diffs.writing import write_conflicts, write_diff
from treadle.errors import Corrupt, InvalidInput, NotFound

BEFORE = pa.table({"id": [1, 2, 3], "city": ["Bern", "Chur", "Thun"]})
AFTER = pa.table({"id": [1, 2, 4], "city": ["Bern", "Genf", "Visp"]})


@pytest.fixture
def trips(data):
    data.commit("trips", BEFORE)
    data.commit("trips", AFTER)
    return data


def test_versions_are_compared_wherever_they_lie(everywhere):
    everywhere.commit("trips", BEFORE)
    everywhere.commit("trips", AFTER)

    with everywhere.diff("trips@1", "trips") as diff:
        assert (diff.summary.before, diff.summary.after) == ("trips@1", "trips@2")
        assert [c.kind for c in diff.changes()] == ["changed", "added", "removed"]


def test_the_contract_of_the_dataset_names_the_key(trips):
    rule = ColumnRule(name="city", type="text", role="id")
    trips.set_contract("trips", ContractBody(columns=(rule,)))

    with trips.diff("trips@1", "trips@2") as diff:
        assert (diff.key.columns, diff.key.source) == (("city",), "contract")


def test_a_frame_and_a_file_are_compared_like_versions(trips, tmp_path):
    path = tmp_path / "trips.csv"
    path.write_text("id,city\n1,Bern\n")

    with trips.diff(path, AFTER) as diff:
        assert (diff.summary.before, diff.summary.after) == ("trips.csv", "a Table")
        assert diff.counts.added == 2


def test_an_empty_frame_is_a_table_like_others(trips):
    with trips.diff(BEFORE.slice(0, 0), "trips@1") as diff:
        assert (diff.counts.added, diff.counts.rows_before) == (3, 0)


def test_what_the_work_is_can_be_asked_before(trips):
    assert trips.diff_work("trips@1", "trips@2") == 12
    assert trips.diff_work("trips@1", "trips@1") == 0


def test_a_damaged_version_is_not_compared(trips, tmp_path):
    for path in (tmp_path / "objects").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            raw = path.read_bytes()
            path.write_bytes(raw[:40] + bytes(len(raw) - 40))

    with pytest.raises(Corrupt):
        trips.diff("trips@1", "trips@2")


def test_a_diff_of_what_is_no_table_is_refused(trips, tmp_path):
    (tmp_path / "in").mkdir()
    trips.commit("pets", tmp_path / "in")

    with pytest.raises(InvalidInput, match="pets@1 holds files"):
        trips.diff("trips@1", "pets@1")
    with pytest.raises(NotFound):
        trips.diff("trips@9", "trips@1")


def test_merged_rows_become_a_version(trips):
    ours = BEFORE.set_column(1, "city", pa.array(["Berne", "Chur", "Thun"]))

    with trips.merge_tables("trips@1", ours, "trips@2") as merge:
        version = trips.commit("trips", merge.arrow(), message="both")

    assert version.ref == "trips@3"
    assert trips.table("trips@3").to_pylist() == [
        {"id": 1, "city": "Berne"},
        {"id": 2, "city": "Genf"},
        {"id": 4, "city": "Visp"},
    ]


def test_a_diff_kept_as_a_file_is_applied_later(trips, tmp_path):
    path = tmp_path / "changes.parquet"
    with trips.diff("trips@1", "trips@2", key=["id"]) as diff:
        assert write_diff(diff, path) == 3

    with trips.apply_diff("trips@1", path) as rows:
        assert rows.read_all().equals(AFTER)


def test_conflicts_are_kept_as_files(tmp_path):
    found = [
        Conflict(
            kind="both_changed",
            key={"id": 1},
            column="city",
            base="Bern",
            ours=None,
            theirs="Basel",
        )
    ]
    paths = [tmp_path / f"conflicts.{ending}" for ending in ("csv", "jsonl", "parquet")]

    assert [write_conflicts(found, path) for path in paths] == [1, 1, 1]

    told = {
        "kind": "both_changed",
        "key": '{"id":1}',
        "column": "city",
        "base": '"Bern"',
        "ours": "null",
        "theirs": '"Basel"',
    }
    with paths[0].open() as file:
        assert list(csv.DictReader(file)) == [{**told, "taken": "", "value": ""}]
    assert msgspec.json.decode(paths[1].read_bytes(), type=Conflict) == found[0]
    assert pq.read_table(paths[2]).to_pylist() == [{**told, "taken": None, "value": None}]
