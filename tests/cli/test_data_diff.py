"""`treadle data diff` on tables: what people read, what programs read, and what is refused."""

from __future__ import annotations

import msgspec
import pytest
from pyarrow import parquet as pq

BEFORE = "id,city,fare\n1,Bern,1\n2,Chur,2\n3,Thun,3\n"
AFTER = "id,city,fare\n1,Bern,1\n2,Genf,2\n4,Visp,4\n"


@pytest.fixture
def trips(cli, tmp_path):
    """Two versions of a table, and the second one's file."""
    path = tmp_path / "trips.csv"
    for text in (BEFORE, AFTER):
        path.write_text(text)
        assert cli("data", "commit", path, "--name", "trips").code == 0
    return path


def test_rows_and_cells_are_named(cli, trips):
    said = cli("data", "diff", "trips@1", "trips@2")

    assert said.code == 1
    assert said.out.splitlines() == [
        "trips@1 → trips@2, by id, found to repeat in no row (name another with --key)",
        "1 row added, 1 removed, 1 changed, 1 unchanged (3 → 3)",
        "changed cells: city 1",
        "",
        "         id  what",
        "changed  2   city Chur → Genf",
        "added    4   city Visp, fare 4",
        "removed  3   city Thun, fare 3",
    ]


def test_a_file_is_compared_with_what_it_became(cli, trips):
    said = cli("data", "diff", "trips", trips)

    assert said.code == 0
    assert "0 rows added, 0 removed, 0 changed, 3 unchanged" in said.out


def test_json_is_a_line_a_row_after_the_summary(cli, trips):
    said = cli("data", "diff", "trips@1", "trips@2", "--key", "id", "--json")

    summary, *rows = [msgspec.json.decode(line) for line in said.out.splitlines()]
    assert summary["key"] == {"columns": ["id"], "source": "given"}
    assert [(row["kind"], row["key"]["id"]) for row in rows] == [
        ("changed", 2),
        ("added", 4),
        ("removed", 3),
    ]


def test_columns_that_differ_come_before_rows(cli, trips):
    trips.write_text("id,town,fare,tip\n1,Bern,1.5,\n2,Genf,2,1\n4,Visp,4,2\n")

    said = cli("data", "diff", "trips@2", trips, "--limit", 0)

    assert said.out.splitlines()[1:4] == [
        "= column city → town, the same values",
        "~ column fare  int64 → double, compared as number",
        "+ column tip  int64, 2 values",
    ]
    assert said.out.splitlines()[-1].startswith("… and 1 more;")


def test_rows_go_into_a_file(cli, trips, tmp_path):
    parquet, csv, lines = (tmp_path / f"out.{ending}" for ending in ("parquet", "csv", "jsonl"))

    told = [cli("data", "diff", "trips@1", "trips@2", "--out", p) for p in (parquet, csv, lines)]

    assert [said.code for said in told] == [1, 1, 1]
    assert f"Wrote 3 rows to {parquet}" in told[0].err
    assert pq.read_table(parquet)["change"].to_pylist() == ["changed", "added", "removed"]
    assert csv.read_text().splitlines()[1] == "changed,2,1,1,city,Chur,Genf"
    assert len(lines.read_text().splitlines()) == 4
    assert sorted(tmp_path.glob(".*.draft")) == []


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--key", "cty"), "Did you mean 'city'?"),
        (("--key", "id", "--key", "id"), "name each column once"),
        (("--out", "diff.xlsx"), "in which form?"),
        (("--out", "no/such/diff.csv"), "No folder 'no/such'"),
    ],
)
def test_what_cannot_be_done_is_said(cli, trips, words, told):
    said = cli("data", "diff", "trips@1", "trips@2", *words)

    assert said.code == 1
    assert told in said.err
    assert "Traceback" not in said.err


def test_a_key_of_several_rows_is_told(cli, trips):
    trips.write_text("id,city,fare\n1,Bern,1\n1,Bern,2\n1,Visp,3\n")

    said = cli("data", "diff", "trips@1", trips, "--key", "id")

    assert "1 keys name several rows" in said.err


def test_a_table_is_not_compared_with_files(cli, trips, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a").write_text("a")
    cli("data", "commit", tmp_path / "in", "--name", "pets")

    said = cli("data", "diff", "trips", "pets")

    assert said.code == 1
    assert "pets@1 holds files, not a table" in said.err


def test_what_is_not_there_is_named(cli, trips):
    assert "No dataset 'trisp'" in cli("data", "diff", "trips", "trisp").err
    assert "Did you mean 'trips.csv'" in cli("data", "diff", "trips", "trisp.csv").err


def test_branches_of_a_table_are_merged_by_cell(cli, trips):
    cli("data", "branch", "trips", "exp")
    trips.write_text(AFTER.replace("2,Genf,2", "2,Basel,2"))
    cli("data", "commit", trips, "--name", "trips", "--branch", "exp")
    trips.write_text(AFTER.replace("2,Genf,2", "2,Bern,2"))
    cli("data", "commit", trips, "--name", "trips")

    stopped = cli("data", "merge", "trips@exp", "--key", "id")
    merged = cli("data", "merge", "trips@exp", "--ours", "--dry-run")

    assert stopped.code == 1
    assert "conflict  id 2, city  both changed: base Genf, ours Bern, theirs Basel" in stopped.out
    assert "1 conflict since trips@2; nothing was done." in stopped.err
    assert merged.out == "Would merge trips@3 into trips@main: 0 rows taken.\n"


@pytest.fixture
def clashing(cli, trips):
    """Branch exp and main with another city of 2, and another fare of 4."""
    cli("data", "branch", "trips", "exp")
    trips.write_text(AFTER.replace("2,Genf,2", "2,Basel,2").replace("Visp,4", "Visp,5"))
    cli("data", "commit", trips, "--name", "trips", "--branch", "exp")
    trips.write_text(AFTER.replace("2,Genf,2", "2,Bern,2").replace("Visp,4", "Visp,6"))
    cli("data", "commit", trips, "--name", "trips")
    return trips.parent / "conflicts.csv"


def test_conflicts_are_written_edited_and_resolved(cli, clashing):
    stopped = cli("data", "merge", "trips@exp", "--key", "id", "--conflicts", clashing)
    written = clashing.read_text()
    clashing.write_text(
        written.replace('"""Basel""",,', '"""Basel""",theirs,').replace("6,5,,", "6,5,value,5.5")
    )
    wrong = cli("data", "merge", "trips@exp", "--key", "id", "--resolve", clashing)
    clashing.write_text(clashing.read_text().replace("5.5", "7"))
    half = cli(
        *("data", "merge", "trips@exp", "--key", "id", "--dry-run"),
        *("--ours-in", "city", "--conflicts", clashing.with_suffix(".jsonl")),
    )
    done = cli("data", "merge", "trips@exp", "--key", "id", "--resolve", clashing)

    assert stopped.code == half.code == 1
    assert written.splitlines() == [
        "kind,key,column,base,ours,theirs,taken,value",
        'both_changed,"{""id"":2}",city,"""Genf""","""Bern""","""Basel""",,',
        'both_changed,"{""id"":4}",fare,4,6,5,,',
    ]
    assert f"They are in {clashing}: fill in `taken`" in stopped.err
    assert "does not fit its column" in wrong.err
    assert "conflict  id 4, fare" in half.out
    assert "city" not in half.out
    assert '"taken":"ours"' in clashing.with_suffix(".jsonl").read_text()
    assert done.out == "trips@5 merges trips@3 into trips@main: 2 rows taken.\n"
    said = cli("data", "diff", "trips@4", "trips@5", "--key", "id").out
    assert "city Bern → Basel" in said
    assert "fare 6 → 7" in said


def test_a_file_of_conflicts_that_is_stale_is_refused(cli, clashing, trips):
    cli("data", "merge", "trips@exp", "--key", "id", "--conflicts", clashing)
    clashing.write_text(clashing.read_text().replace(",,\n", ",theirs,\n"))
    trips.write_text(AFTER.replace("2,Genf,2", "2,Biel,2"))
    cli("data", "commit", trips, "--name", "trips")

    stale = cli("data", "merge", "trips@exp", "--key", "id", "--resolve", clashing)

    assert stale.code == 1
    assert "1 decisions are about what is no conflict of this merge: id 4, fare." in stale.err
    assert cli("data", "log", "trips", "--json").json["items"][0]["version"]["number"] == 5


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("--conflicts", "c.txt"), "in which form"),
        (("--conflicts", "nowhere/c.csv"), "There is no folder nowhere"),
        (("--resolve", "c.csv"), "No file 'c.csv'"),
        (("--ours-in", "citi"), "Did you mean 'city'?"),
        (("--ours-in", "city", "--theirs-in", "city"), "--ours-in or --theirs-in?"),
    ],
    ids=["ending", "folder", "file", "column", "both"],
)
def test_what_cannot_be_resolved_is_said(cli, clashing, words, told):
    said = cli("data", "merge", "trips@exp", "--key", "id", *words)

    assert said.code in {1, 2}
    assert told in said.err
