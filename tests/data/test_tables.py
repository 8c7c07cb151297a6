"""Tables of every kind of file, in parts: what is committed, what it stores, how it is read."""

from __future__ import annotations

import gzip
import os
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import feather
from pyarrow import parquet as pq

from treadle.data.contracts import ColumnRule, ContractBody, TableRule
from treadle.data.service import Data
from treadle.data.tables import cuts, writing
from treadle.data.tables.intake import csv_files, json_lines
from treadle.data.tables.intake.csv_files import read_csv
from treadle.data.tables.sources import read_file
from treadle.kernel.errors import Conflict, Corrupt, InvalidInput, NotFound

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

JSON = b'{"a":1,"b":"x"}\n{"a":2}\n{"b":"z","a":3}'
ROWS = pa.table({"a": [1, 2, 3], "b": ["x", None, "z"]})


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


@pytest.fixture
def homely(store: SqlMetadataStore, objects: FolderObjectStore, home: Path) -> Data:
    """Data with a home, where files stay."""
    return Data(store=store, objects=objects, home=home)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Parts of some thousand rows."""
    monkeypatch.setattr(cuts, "LEAST_BYTES", 40 << 10)
    monkeypatch.setattr(cuts, "MOST_BYTES", 64 << 10)
    monkeypatch.setattr(writing, "PIECE_BYTES", 4 << 10)


@pytest.fixture
def blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Blocks of a few rows."""
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 64)
    monkeypatch.setattr(json_lines, "BLOCK_BYTES", 64)


def numbered(count: int, *, seed: int = 0) -> pa.Table:
    drawn = np.random.default_rng(seed)
    return pa.table({"id": np.arange(count), "x": drawn.normal(size=count)})


# --- kinds of files ---


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("t.parquet", pq.write_table),
        ("t.arrow", lambda t, path: write_ipc(t, path, pa.ipc.new_file)),
        ("t.ipc", lambda t, path: write_ipc(t, path, pa.ipc.new_stream)),
        ("t.feather", feather.write_feather),
        ("t.jsonl", lambda _, path: path.write_text('{"a":1,"b":"x"}\n{"a":2}\n{"b":"z","a":3}')),
        (
            "t.ndjson",
            lambda _, path: path.write_text('\n{"a":1,"b":"x"}\n\n{"a":2}\n{"a":3,"b":"z"}\n'),
        ),
        (
            "t.jsonl.gz",
            lambda _, path: path.write_bytes(
                gzip.compress(b'{"a":1,"b":"x"}\n{"a":2,"b":null}\n{"a":3,"b":"z"}\n')
            ),
        ),
        ("t.csv.gz", lambda _, path: path.write_bytes(gzip.compress(b"a,b\n1,x\n2,\n3,z\n"))),
    ],
)
def test_a_file_of_rows_is_a_table(data: Data, tmp_path: Path, name: str, write: Any) -> None:
    write(ROWS, tmp_path / name)

    version = data.commit("t", tmp_path / name)

    assert data.table("t").equals(ROWS)
    assert (version.rows, version.files[0].path) == (3, name)


def write_ipc(table: pa.Table, path: Path, new: Any) -> None:
    with new(str(path), table.schema) as writer:
        writer.write_table(table)


@pytest.mark.parametrize("name", ["t.csv", "t.csv.gz", "t.jsonl"])
def test_text_comes_back_byte_for_byte(data: Data, tmp_path: Path, name: str) -> None:
    text = b'{"a": 1}\n' if "json" in name else b"a\r\n1\r\n"
    raw = gzip.compress(text) if name.endswith(".gz") else text
    (tmp_path / name).write_bytes(raw)
    data.commit("t", tmp_path / name)

    data.checkout("t", tmp_path / "out")

    assert (tmp_path / "out" / "source" / name).read_bytes() == raw
    assert pq.read_table(tmp_path / "out" / "part-00000.parquet").to_pydict() == {"a": [1]}


@pytest.mark.parametrize("name", ["t.arrow", "t.feather", "t.ipc", "t.parquet"])
def test_a_damaged_file_is_refused(data: Data, tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_bytes(b"ARROW1 not really")

    with pytest.raises(InvalidInput, match=r"t\.\w+ cannot be read as .*--as files"):
        data.commit("t", tmp_path / name)


def test_several_files_are_one_table(data: Data, tmp_path: Path) -> None:
    paths = []
    for day in range(3):
        paths.append(tmp_path / f"day{day}.csv")
        paths[-1].write_text(f"day,x\n{day},{day}.5\n")

    version = data.commit_table("days", paths)

    assert data.table("days").to_pydict() == {"day": [0, 1, 2], "x": [0.5, 1.5, 2.5]}
    assert [file.path for file in version.files] == ["day0.csv", "day1.csv", "day2.csv"]
    assert [e.path for e in data.files("days")][1:] == [f"source/day{n}.csv" for n in range(3)]


def test_a_type_is_that_of_all_files(data: Data, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("x\n1\n")
    (tmp_path / "b.csv").write_text("x\n1.5\n")

    data.commit_table("t", [tmp_path / "a.csv", tmp_path / "b.csv"])

    assert data.table("t").to_pydict() == {"x": [1.0, 1.5]}


@pytest.mark.parametrize(
    ("other", "match"),
    [
        ({"a": [1]}, r"b\.parquet lacks b"),
        ({"a": [1], "b": ["x"], "c": [1]}, r"b\.parquet has c besides"),
        ({"b": ["x"], "a": [1]}, r"has the columns in another order"),
        ({"a": [1.5], "b": ["x"]}, r"'a' is int64 in a\.parquet and double in b\.parquet"),
    ],
)
def test_files_that_are_not_one_table_say_where(
    data: Data, tmp_path: Path, other: dict[str, Any], match: str
) -> None:
    pq.write_table(ROWS, tmp_path / "a.parquet")
    pq.write_table(pa.table(other), tmp_path / "b.parquet")

    with pytest.raises(InvalidInput, match=match):
        data.commit_table("t", [tmp_path / "a.parquet", tmp_path / "b.parquet"])


def test_files_of_two_kinds_are_no_table(data: Data, tmp_path: Path) -> None:
    pq.write_table(ROWS, tmp_path / "a.parquet")
    (tmp_path / "b.csv").write_text("a,b\n1,x\n")

    with pytest.raises(InvalidInput, match="several kinds"):
        data.commit_table("t", [tmp_path / "a.parquet", tmp_path / "b.csv"])


def test_a_file_that_changes_while_it_is_read_is_said(data: Data, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a\n1\n")

    with pytest.raises(Conflict, match="changed while it was read"):
        data.commit("t", path, progress=lambda _: path.write_text("a\n1\n2\n"))


# --- CSV in blocks is CSV as a whole ---

CELLS = ["", "NA", "1", "0", "-7", "1.5", "true", "2013-07-04", "12:00:00", "2013-07-04T12:00:00",
         "2013-07-04T12:00:00Z", "2013-07-04T12:00:00.5", "2013-07-04T12:00:00.123456789", "x",
         '"a,b"', '"two\nlines"']  # fmt: skip


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(CELLS), st.sampled_from(CELLS[:6])), min_size=1, max_size=12)
)
def test_a_type_does_not_depend_on_blocks(rows: list[tuple[str, str]]) -> None:
    raw = "a,b\n" + "".join(f"{a},{b}\n" for a, b in rows)
    whole = read_csv(raw.encode(), name="t.csv")

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(csv_files, "BLOCK_BYTES", 48)
        in_blocks = read_csv(raw.encode(), name="t.csv")

    assert in_blocks.schema == whole.schema
    assert in_blocks.equals(whole)


FIFTY = b"a,b\n" + b"1,2\n" * 50


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    ("raw", "match"),
    [
        (FIFTY + b"3\n", "line 52: expected 2 fields, found 1"),
        (
            FIFTY + "3,Zürich\n".encode("latin-1"),
            "line 52 is not UTF-8.*'3,Zürich'",
        ),
        (FIFTY + b"3,\0\n", "line 52 has a zero byte"),
        (FIFTY + b'3,"4\n' + b"5,6\n" * 30, "line 52: a quote is opened"),
        (FIFTY + "3,ü".encode()[:-1], "line 52 is not UTF-8"),
    ],
)
def test_what_is_wrong_far_down_is_said_with_its_line(raw: bytes, match: str) -> None:
    with pytest.raises(InvalidInput, match=match):
        read_csv(raw, name="t.csv")


# --- JSON lines ---


@pytest.mark.usefixtures("blocks")
def test_a_key_may_first_appear_far_down(tmp_path: Path) -> None:
    lines = ['{"a": 1}'] * 20 + ['{"a": 1.5, "b": {"c": [1]}}', '{"b": {"c": [2.5], "d": "x"}}']
    (tmp_path / "t.jsonl").write_text("\n".join(lines))

    table = read_file(tmp_path / "t.jsonl")

    assert table.num_rows == 22
    assert table["a"].to_pylist()[-2:] == [1.5, None]
    assert table["b"].to_pylist()[-2:] == [{"c": [1.0], "d": None}, {"c": [2.5], "d": "x"}]


@pytest.mark.usefixtures("blocks")
def test_times_are_texts_once_one_is_none(tmp_path: Path) -> None:
    lines = ['{"at": "2013-07-04 12:00:00"}'] * 5
    (tmp_path / "times.jsonl").write_text("\n".join(lines))
    (tmp_path / "texts.jsonl").write_text("\n".join([*lines, '{"at": "soon"}']))

    times, texts = (read_file(tmp_path / f"{name}.jsonl") for name in ("times", "texts"))

    assert str(times.schema.field("at").type) == "timestamp[us]"
    assert texts["at"].to_pylist() == ["2013-07-04 12:00:00"] * 5 + ["soon"]


@pytest.mark.usefixtures("blocks")
@pytest.mark.parametrize(
    ("last", "match"),
    [
        ("{", r"1 broken line: line 21: .*'\{'"),
        ("[1]", r"line 21: no object: '\[1\]'"),
        ('{"a": "x"}', r"(line 21 is not of|Column 'a' of t\.jsonl is int64 before line)"),
        ('{"a": {"b": 1}}', r"(line 21 is not of|Column 'a' of t\.jsonl is int64 before line)"),
    ],
)
def test_a_broken_line_is_said(tmp_path: Path, last: str, match: str) -> None:
    (tmp_path / "t.jsonl").write_text("\n".join(['{"a": 1}'] * 20 + [last]))

    with pytest.raises(InvalidInput, match=match):
        read_file(tmp_path / "t.jsonl")


def test_an_empty_file_of_json_lines_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text("\n\n")

    with pytest.raises(InvalidInput, match=r"t\.jsonl is empty"):
        read_file(tmp_path / "t.jsonl")


# --- what it stores ---


@pytest.mark.usefixtures("small_parts")
def test_rows_inserted_store_little(data: Data) -> None:
    before = numbered(200_000)
    first = data.commit("t", before)
    middle = pa.concat_tables(
        [before.slice(0, 100_000), numbered(10, seed=1), before.slice(100_000)]
    )

    second = data.commit("t", middle)

    assert len(data.parts("t").entries) > 20
    assert second.stored_bytes is not None
    assert first.stored_bytes is not None
    assert second.stored_bytes < first.stored_bytes / 5


def test_the_same_rows_store_nothing(data: Data) -> None:
    table = numbered(1000)
    data.commit("one", table)

    other = data.commit("other", table)

    assert other.stored_bytes == 0


def test_a_plan_says_what_would_be_stored_and_stores_nothing(
    data: Data, objects: FolderObjectStore, csv: Path
) -> None:
    plan = data.plan_table("trips", csv)

    assert (plan.rows, plan.size_bytes) == (3, csv.stat().st_size)
    assert plan.new_bytes > csv.stat().st_size
    assert list(objects.iterate()) == []
    data.commit("trips", csv)
    assert data.plan_table("trips", csv).new_bytes == 0


def test_progress_tells_every_byte_of_the_file(data: Data, csv: Path) -> None:
    told: list[int] = []

    data.commit("trips", csv, progress=told.append)

    assert sum(told) == csv.stat().st_size


# --- how it is read ---


@pytest.mark.usefixtures("small_parts")
def test_parts_are_read_as_one_table(everywhere: Data) -> None:
    table = numbered(20_000)
    everywhere.commit("t", table)
    parts = everywhere.parts("t")

    assert len(parts.entries) > 1
    assert parts.table().equals(table)
    assert parts.table(["x"]).equals(table.select(["x"]))
    assert parts.batches(["x", "id"]).read_all().equals(table.select(["x", "id"]))
    with parts.on_disk() as files:
        assert sum(files.rows) == table.num_rows
        found = duckdb.sql(f"SELECT sum(id) FROM read_parquet({[str(p) for p in files.paths]})")
        assert found.fetchall() == [(sum(range(20_000)),)]
    assert everywhere.verify("t").rows == 20_000


@pytest.mark.usefixtures("small_parts")
def test_dictionaries_of_parts_are_one(data: Data) -> None:
    city = pa.array([f"city {n // 900}" for n in range(20_000)]).dictionary_encode()
    table = pa.table({"id": np.arange(20_000), "x": np.arange(20_000) * 1.5, "city": city})
    data.commit("t", table)

    back = data.table("t")

    assert len(data.parts("t").entries) > 1
    assert back.schema == table.schema
    assert back["city"].to_pylist() == city.to_pylist()
    assert data.parts("t").batches().read_all()["city"].to_pylist() == city.to_pylist()


def test_an_unknown_column_of_batches_suggests_the_one_meant(data: Data) -> None:
    data.commit("t", pa.table({"delay": [1]}))

    with pytest.raises(NotFound, match="Did you mean 'delay'"):
        data.parts("t").batches(["dealy"])


@pytest.mark.usefixtures("small_parts")
def test_a_contract_counts_rows_over_all_parts(data: Data) -> None:
    table = numbered(20_000).set_column(1, "x", pa.array([float(n) for n in range(20_000)]))
    data.commit("t", table)
    rule = ColumnRule(name="x", type="number", high=19_998.0)
    body = ContractBody(
        columns=(ColumnRule(name="id", type="integer", unique=True), rule), table=TableRule()
    )

    data.set_contract("t", body)
    broken = data.validate("t").broken()

    assert [(c.check, c.counted, c.examples[0]["row"]) for c in broken] == [("range", 1, 19_999)]


@pytest.mark.usefixtures("small_parts")
def test_files_stay_in_a_home_and_are_shared(homely: Data, home: Path) -> None:
    table = numbered(20_000)
    homely.commit("t", table)
    homely.commit("t", pa.concat_tables([table, numbered(10, seed=1)]))

    first, second = homely.parts("t@1").folder(), homely.parts("t@2").folder()

    names = sorted(path.name for path in first.iterdir())
    assert names == [entry.path for entry in homely.parts("t@1").entries]
    assert (first / names[0]).samefile(second / names[0])
    assert (first / names[0]).stat().st_mode & 0o777 == 0o444


def test_a_file_that_was_changed_in_the_home_is_laid_out_anew(
    homely: Data, store: SqlMetadataStore, objects: FolderObjectStore, home: Path
) -> None:
    homely.commit("t", ROWS)
    (path,) = homely.parts("t").folder().iterdir()
    raw = path.read_bytes()
    path.chmod(0o644)
    path.write_bytes(raw[:-1] + b"!")

    again = Data(store=store, objects=objects, home=home).parts("t").folder()

    assert (again / path.name).read_bytes() == raw


def test_a_damaged_part_is_never_laid_out(homely: Data, objects: FolderObjectStore) -> None:
    homely.commit("t", ROWS)
    (pack,) = objects.iterate()
    objects.delete(pack.digest)

    with pytest.raises(Corrupt, match="is gone with its pack"):
        homely.parts("t").folder()


def test_what_was_not_used_for_a_week_is_removed(homely: Data, home: Path) -> None:
    homely.commit("t", ROWS)
    homely.commit("t", ROWS.slice(1))
    old, new = homely.parts("t@1").folder(), homely.parts("t@2").folder()
    for path in (old, *(home / "tables" / "parts").iterdir()):
        os.utime(path, (0, 0))

    homely.gc()

    assert not old.exists()
    assert len(list((home / "tables" / "parts").iterdir())) == 1
    assert pq.read_table(new).num_rows == 2


def test_without_a_home_nothing_stays(data: Data) -> None:
    data.commit("t", ROWS)

    with data.parts("t").on_disk() as files:
        (path,) = files.paths
        assert path.exists()

    assert not path.exists()
    with pytest.raises(InvalidInput, match="Without a home"):
        data.parts("t").folder()
