"""`treadle data apply`: a diff as a file, carried over to a branch."""

from __future__ import annotations

import datetime as dt
import random

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from treadle import connect

BEFORE = "id,city,fare\n1,Bern,1\n2,Chur,2\n3,Thun,3\n"
AFTER = "id,city,fare\n1,Bern,1\n2,Genf,2\n4,Visp,4\n"


@pytest.fixture
def home(tmp_path):
    return tmp_path / ".treadle"


@pytest.fixture
def trips(cli, tmp_path):
    """Two versions of a table, a branch at the first, and what differs as a file."""
    path, changes = tmp_path / "trips.csv", tmp_path / "changes.parquet"
    for text in (BEFORE, AFTER):
        path.write_text(text)
        assert cli("data", "commit", path, "--name", "trips").code == 0
    cli("data", "branch", "trips", "exp", "--from", "trips@1")
    cli("data", "diff", "trips@1", "trips@2", "--key", "id", "--out", changes)
    return changes


def test_a_diff_is_tried_and_applied(cli, trips):
    dry = cli("data", "apply", trips, "--onto", "trips@exp", "--dry-run")
    done = cli("data", "apply", trips, "--onto", "trips@exp", "-m", "corrections")

    counts = "1 row added, 1 removed, 1 changed"
    assert dry.out == f"Would apply trips@1 → trips@2 to trips@1 (trips@exp): {counts}\n"
    assert done.out == f"trips@3 is trips@1 with trips@1 → trips@2: {counts}\n"
    assert cli("data", "diff", "trips@2", "trips@exp").code == 0
    assert "corrections" in cli("data", "log", "trips@exp").out


def test_rows_beside_stay_where_they_are(cli, home, trips, tmp_path):
    more = tmp_path / "trips.csv"
    more.write_text(BEFORE.replace("1,Bern", "0,Brig,0\n1,Bern"))
    cli("data", "commit", more, "--name", "trips", "--branch", "exp")

    done = cli("data", "apply", trips, "--onto", "trips@exp", "--json").json

    assert (done["kind"], done["was"], done["version"]) == ("applied", "trips@3", "trips@4")
    with connect(home) as client:
        assert client.data.table("trips@exp")["city"].to_pylist() == [
            "Brig", "Bern", "Genf", "Visp",
        ]  # fmt: skip


def test_a_diff_that_is_empty_changes_nothing(cli, trips, tmp_path):
    cli("data", "diff", "trips@2", "trips@2", "--key", "id", "--out", tmp_path / "none.parquet")

    said = cli("data", "apply", tmp_path / "none.parquet", "--onto", "trips")

    assert said.out == "Nothing differs in trips@2 → trips@2: trips@main stays trips@2.\n"


def test_what_does_not_fit_is_refused_and_nothing_is_done(cli, trips):
    again = cli("data", "apply", trips, "--onto", "trips")
    fixed = cli("data", "apply", trips, "--onto", "trips@1")
    near = cli("data", "apply", trips, "--onto", "trips@exo")

    assert "changes or removes 2 rows not there as it has them" in again.err
    assert "It starts from trips@1; merge instead where both changed" in again.err
    assert "trips@1 is no branch" in fixed.err
    assert "Did you mean trips@exp?" in near.err
    assert {again.code, fixed.code, near.code} == {1}
    assert cli("data", "versions", "trips", "--json").json["total"] == 2


def kept(path, rows, **changed):
    with pq.ParquetFile(path) as file:
        table = file.read()
    pq.write_table(rows(table), path, **changed)


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda p: p.unlink(), "No file"),
        (lambda p: p.write_text("id,city\n"), "cannot be read as a diff"),
        (lambda p: p.write_bytes(p.read_bytes()[:-40]), "cannot be read as a diff"),
        (lambda p: pq.write_table(pa.table({"x": [1]}), p), "That is no diff of tables"),
        (lambda p: kept(p, lambda t: t.slice(1)), "holds 2 of the 3 rows that differ"),
        (lambda p: kept(p, lambda t: t.drop_columns(["after"])), "That is no diff of tables"),
        (lambda p: kept(p, lambda t: t.replace_schema_metadata()), "That is no diff of tables"),
    ],
    ids=["gone", "text", "truncated", "other", "part", "column", "bare"],
)
def test_a_file_that_is_no_whole_diff_is_refused(cli, trips, spoil, told):
    spoil(trips)

    said = cli("data", "apply", trips, "--onto", "trips@exp")

    assert said.code == 1
    assert told in said.err
    assert "Traceback" not in said.err
    assert cli("data", "versions", "trips", "--json").json["total"] == 2


def test_a_diff_of_other_columns_or_types_is_refused(cli, home, trips):
    with connect(home) as client:
        client.data.commit("other", pa.table({"id": [1]}))
        client.data.commit("named", pa.table({"id": ["a"], "city": ["b"], "fare": [1]}))

    columns = cli("data", "apply", trips, "--onto", "other")
    types = cli("data", "apply", trips, "--onto", "named")

    assert "The diff is of a table with the columns id, city, fare" in columns.err
    assert (types.code, "Traceback" in types.err) == (1, False)


def made(seed):
    """Return a table of many types, with rows, columns and types that depend on a number."""
    rng = random.Random(seed)  # noqa: S311 - no secret
    ids = rng.sample(range(40), 25)
    city = pa.array([rng.choice(["Bern", "Chur", None]) for _ in ids])
    columns = {
        "id": pa.array(ids),
        "city": city.dictionary_encode() if seed % 2 else city,
        "day": pa.array([dt.date(2013, 1, 1 + rng.randrange(3)) for _ in ids]),
        "fare": pa.array([rng.choice([1.5, None, 2.0]) for _ in ids], pa.float64()),
        "seats": pa.array([[1, 2], None, []] * 8 + [[3]]),
        "count": pa.array([rng.randrange(3) for _ in ids], pa.int64() if seed % 3 else pa.int32()),
    }
    if seed % 4 == 0:
        columns["tip"] = pa.array([rng.choice([None, 7]) for _ in ids], pa.int64())
    return pa.table(columns)


@pytest.mark.parametrize(("one", "other"), [(1, 2), (2, 1), (3, 4), (4, 5), (5, 3)])
def test_a_diff_that_is_applied_gives_the_other_version(cli, home, tmp_path, one, other):
    file = tmp_path / "changes.parquet"
    with connect(home) as client:
        client.data.commit("t", made(one))
        client.data.branch("t", "exp")
        client.data.commit("t", made(other))

    assert cli("data", "diff", "t@1", "t@2", "--key", "id", "--out", file).code == 1
    assert cli("data", "apply", file, "--onto", "t@exp").code == 0

    with connect(home) as client:
        found, wanted = client.data.table("t@exp"), client.data.table("t@2")
    assert found.schema == wanted.schema
    assert found.sort_by("id").to_pylist() == wanted.sort_by("id").to_pylist()
    assert cli("data", "diff", "t@2", "t@exp", "--key", "id").code == 0
