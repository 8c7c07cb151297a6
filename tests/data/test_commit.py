from __future__ import annotations

import subprocess
import sys
import textwrap
import threading
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from treadle.data.entities import Column
from treadle.data.facts import DatasetCommitted
from treadle.data.service import Data
from treadle.data.sources.functions import function
from treadle.kernel.actors import acting_as
from treadle.kernel.clock import DAY_US, HOUR_US
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Corrupt, InvalidInput, NotFound
from treadle.storage import events

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.kernel.clock import FrozenClock
    from treadle.storage.metadata import SqlMetadataStore
    from treadle.storage.objects import FolderObjectStore

SMALL = pa.table({"x": [1, 2, 3]})


class Streamed:
    """A frame of some library: all that is known of it is that it streams."""

    def __init__(self, table: pa.Table) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        return self._table.__arrow_c_stream__(requested_schema)


def log_of(store: SqlMetadataStore) -> list[events.Event]:
    with store.read() as tx:
        return list(events.read(tx.connection))


def test_a_csv_becomes_the_first_version(everywhere: Data, csv: Path, clock: FrozenClock) -> None:
    with acting_as("user:ann"):
        version = everywhere.commit("trips", csv, message="the first three")

    assert version.ref == "trips@1"
    assert (version.rows, version.actor, version.message) == (3, "user:ann", "the first three")
    assert version.created_at == clock.instant
    assert everywhere.version("trips") == version


def test_the_files_bytes_are_kept_beside_the_rows(data: Data, csv: Path) -> None:
    version = data.commit("trips", csv)

    (file,) = version.files
    assert (file.path, file.digest) == ("trips.csv", digest_bytes(csv.read_bytes()))
    assert [e.path for e in data.files("trips")] == ["part-00000.parquet", "source/trips.csv"]
    assert data.open("trips", "source/trips.csv").read() == csv.read_bytes()
    assert version.size_bytes == csv.stat().st_size


def test_columns_are_recognised(data: Data, csv: Path) -> None:
    version = data.commit("trips", csv)

    assert version.columns == (
        Column(name="id", type="int64"),
        Column(name="delay", type="int64"),
        Column(name="fare", type="double"),
        Column(name="city", type="string"),
        Column(name="paid", type="bool"),
        Column(name="at", type="timestamp[us, tz=UTC]"),
    )


def test_a_table_is_read_back(everywhere: Data, csv: Path) -> None:
    everywhere.commit("trips", csv)

    table = everywhere.table("trips", columns=["city", "delay"])

    assert table.to_pydict() == {"city": ["Zürich", "Bern", "Bern, Ost"], "delay": [5, None, -7]}


def test_an_unknown_column_suggests_the_one_meant(data: Data, csv: Path) -> None:
    data.commit("trips", csv)

    with pytest.raises(NotFound, match=r"'dealy'.*Did you mean 'delay'"):
        data.table("trips", columns=["dealy"])


def test_the_same_bytes_are_the_same_version(everywhere: Data, csv: Path) -> None:
    first = everywhere.commit("trips", csv)

    again = everywhere.commit("trips", csv, message="once more")

    assert again == first
    assert everywhere.versions("trips").total == 1


def test_other_bytes_are_the_next_version(everywhere: Data, csv: Path) -> None:
    first = everywhere.commit("trips", csv)
    csv.write_text(csv.read_text().replace("Bern", "Basel"))

    second = everywhere.commit("trips", csv)

    assert (first.number, second.number) == (1, 2)
    assert everywhere.versions("trips").items == (second, first)
    assert everywhere.version("trips@1") == first


def test_the_same_bytes_may_be_in_two_datasets(data: Data, csv: Path) -> None:
    one, other = data.commit("one", csv), data.commit("other", csv)

    assert one.digest == other.digest
    assert (one.ref, other.ref) == ("one@1", "other@1")


@pytest.mark.parametrize("wanted", ["trips", "trips@latest", "trips@2"])
def test_a_version_is_asked_for(data: Data, wanted: str) -> None:
    data.commit("trips", SMALL)
    second = data.commit("trips", SMALL.slice(1))

    assert data.version(wanted) == second


def test_a_version_is_asked_for_by_the_start_of_its_digest(data: Data) -> None:
    first = data.commit("trips", SMALL)
    data.commit("trips", SMALL.slice(1))

    assert data.version(f"trips@{first.digest[:8]}") == first
    assert data.version(f"trips@{first.digest.upper()}") == first


@pytest.mark.parametrize(
    ("wanted", "number"),
    [
        ("2013-07-04T12:00", 1),
        ("2013-07-04T14:00:00+02:00", 1),
        ("2013-07-04T12:59:59", 1),
        ("2013-07-04T13:00", 2),
        ("2013-07-04", 2),
        ("2013-07-05", 3),
        ("2099-01-01", 3),
        ("2013-07-04 12:59", 1),
        ("2013-07-04T15:30+02:00", 2),
    ],
)
def test_a_version_is_asked_for_by_time(
    everywhere: Data, clock: FrozenClock, wanted: str, number: int
) -> None:
    everywhere.commit("trips", SMALL)
    clock.advance(HOUR_US)
    everywhere.commit("trips", SMALL.slice(1))
    clock.advance(DAY_US)
    everywhere.commit("trips", SMALL.slice(2))

    assert everywhere.version(f"trips@{wanted}").number == number


def test_a_time_before_the_first_version_says_when_that_was(data: Data) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(NotFound, match=r"'trips@2013-07-03'.*begins at 2013-07-04T12:00:00Z"):
        data.version("trips@2013-07-03")


def test_a_time_that_is_none_is_said(data: Data) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(InvalidInput, match="'2013-13-04' is not a time"):
        data.version("trips@2013-13-04")


@pytest.mark.parametrize("ref", ["trips@", "@3", "@", ""])
def test_half_a_reference_is_not_the_newest_version(data: Data, ref: str) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(InvalidInput, match=r"names no version.*the newest"):
        data.version(ref)


def test_a_home_without_datasets_says_so(data: Data) -> None:
    with pytest.raises(NotFound, match=r"No dataset 'trips'.*none yet: treadle data commit"):
        data.version("trips")


def test_an_unknown_dataset_suggests_the_one_meant(data: Data) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(NotFound, match=r"No dataset 'tripps'.*Did you mean 'trips'"):
        data.version("tripps@1")


@pytest.mark.parametrize("wanted", ["2", "0", "abcdef12", "99999999999", "best", "-1"])
def test_an_unknown_version_says_which_there_are(data: Data, wanted: str) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(NotFound, match="trips has one version: trips@1"):
        data.version(f"trips@{wanted}")


@pytest.mark.parametrize("name", ["", "a b", "../x", "a/b", "a@b", ".hidden", "x" * 129])
def test_a_name_that_cannot_be_asked_for_is_refused(data: Data, name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot name a dataset"):
        data.commit(name, SMALL)


def test_a_frame_is_kept_as_rows_alone(data: Data) -> None:
    version = data.commit("trips", SMALL)

    assert version.files == ()
    assert [entry.path for entry in data.files("trips")] == ["part-00000.parquet"]
    assert data.table("trips").equals(SMALL)


def test_the_same_rows_have_the_same_table_whatever_they_came_in(
    data: Data, tmp_path: Path
) -> None:
    pq.write_table(SMALL, tmp_path / "trips.parquet")
    (tmp_path / "trips.csv").write_text("x\n1\n2\n3\n")

    versions = [
        data.commit("trips", source)
        for source in (SMALL, tmp_path / "trips.parquet", tmp_path / "trips.csv")
    ]

    assert len({version.table for version in versions}) == 1
    assert len({version.digest for version in versions}) == 3


@pytest.mark.parametrize("frame", [SMALL, Streamed(SMALL), SMALL.to_reader()])
def test_whatever_streams_arrow_is_accepted(data: Data, frame: Any) -> None:
    data.commit("trips", frame)

    assert data.table("trips").to_pydict() == {"x": [1, 2, 3]}


def test_an_answer_of_duckdb_is_accepted(data: Data) -> None:
    with duckdb.connect() as connection:
        data.commit("trips", connection.sql("SELECT 1 AS x, 'a' AS y"))

    assert data.table("trips").to_pydict() == {"x": [1], "y": ["a"]}


def test_a_frame_of_pandas_is_accepted(data: Data) -> None:
    pandas = pytest.importorskip("pandas")

    data.commit("trips", pandas.DataFrame({"x": [1, 2], "y": ["a", None]}))

    assert data.table("trips").to_pydict() == {"x": [1, 2], "y": ["a", None]}


@pytest.mark.parametrize("thing", [3, None, [1, 2]])
def test_what_is_no_frame_is_refused(data: Data, thing: Any) -> None:
    with pytest.raises(InvalidInput, match=rf"{type(thing).__name__}: nothing of this"):
        data.commit("trips", thing)


def test_of_a_parquet_file_the_rows_are_kept(data: Data, tmp_path: Path) -> None:
    pq.write_table(SMALL.replace_schema_metadata({"made": "elsewhere"}), tmp_path / "trips.parquet")

    version = data.commit("trips", tmp_path / "trips.parquet")

    assert version.files[0].digest == digest_bytes((tmp_path / "trips.parquet").read_bytes())
    assert [entry.path for entry in data.files("trips")] == ["part-00000.parquet"]
    assert data.table("trips").equals(SMALL)


def test_a_commit_is_one_event(data: Data, csv: Path, store: SqlMetadataStore) -> None:
    version = data.commit("trips", csv)
    data.commit("trips", csv)

    (event,) = log_of(store)
    fact = event.as_fact(DatasetCommitted)
    assert (event.kind, event.subject) == ("dataset.committed", "dataset/trips")
    assert (fact.digest, fact.files, fact.columns) == (
        version.digest,
        version.files,
        version.columns,
    )


def test_a_version_remembers_the_code_it_was_made_by(
    store: SqlMetadataStore, objects: FolderObjectStore
) -> None:
    data = Data(store=store, objects=objects, code_commit=lambda: "c0ffee")

    assert data.commit("trips", SMALL).code_commit == "c0ffee"


def test_an_outer_error_leaves_no_version(data: Data, store: SqlMetadataStore) -> None:
    with pytest.raises(ZeroDivisionError):
        commit_and_fail(data, store)

    assert data.datasets().total == 0
    assert log_of(store) == []


def commit_and_fail(data: Data, store: SqlMetadataStore) -> None:
    with store.write():
        data.commit("trips", SMALL)
        raise ZeroDivisionError


def test_commits_in_threads_leave_no_gap(everywhere: Data) -> None:
    threads = [
        threading.Thread(target=everywhere.commit, args=("trips", pa.table({"x": [n]})))
        for n in range(8)
    ]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    numbers = [v.number for v in everywhere.versions("trips").items]
    assert numbers == list(range(8, 0, -1))


def test_datasets_are_listed_with_their_newest_version(everywhere: Data) -> None:
    everywhere.commit("b", SMALL)
    newest = everywhere.commit("b", SMALL.slice(1))
    everywhere.commit("a", SMALL)
    everywhere.infer_contract("b")
    everywhere.validate("b")
    everywhere.quarantine("b@1", reason="doubtful", evidence={})

    page = everywhere.datasets()

    assert [s.name for s in page.items] == ["a", "b"]
    a, b = page.items
    assert (a.versions, a.contract_number, a.verdict, a.held) == (1, None, None, 0)
    assert (b.versions, b.contract_number, b.verdict, b.held) == (2, 1, "pass", 1)
    assert b.latest == newest


def test_datasets_come_in_pages(data: Data) -> None:
    for name in "abc":
        data.commit(name, SMALL)

    page = data.datasets(limit=1, offset=1)

    assert [s.name for s in page.items] == ["b"]
    assert (page.total, page.next_offset) == (3, 2)


def test_versions_come_in_pages(data: Data) -> None:
    for number in range(3):
        data.commit("trips", pa.table({"x": [number]}))

    page = data.versions("trips", limit=2, offset=1)

    assert [v.number for v in page.items] == [2, 1]
    assert (page.total, page.next_offset) == (3, None)


def test_versions_of_an_unknown_dataset_suggest_the_one_meant(data: Data) -> None:
    data.commit("trips", SMALL)

    with pytest.raises(NotFound, match="Did you mean 'trips'"):
        data.versions("trip")


def test_what_is_whole_verifies(everywhere: Data, csv: Path) -> None:
    version = everywhere.commit("trips", csv)

    assert everywhere.verify("trips") == version


def test_a_damaged_pack_is_named(data: Data, csv: Path, objects: FolderObjectStore) -> None:
    data.commit("trips", csv)
    (pack,) = objects.iterate()
    path = objects.drafts.parent / pack.digest[:2] / pack.digest
    path.chmod(0o644)
    path.write_bytes(b"X" * pack.size_bytes)

    with pytest.raises(Corrupt, match="is damaged in pack"):
        data.verify("trips")


def test_a_lost_pack_is_named(data: Data, csv: Path, objects: FolderObjectStore) -> None:
    data.commit("trips", csv)
    (pack,) = objects.iterate()
    objects.delete(pack.digest)

    with pytest.raises(Corrupt, match="is gone with its pack"):
        data.verify("trips")


def test_a_profile_is_made_once_for_the_same_table(data: Data, csv: Path) -> None:
    version = data.commit("trips", csv)

    first = data.profile("trips")

    assert data.profile(version.ref) == first
    assert first.rows == 3
    assert first.column("delay").nulls == 1


def test_a_lost_profile_is_made_again(
    data: Data, csv: Path, objects: FolderObjectStore, store: SqlMetadataStore
) -> None:
    data.commit("trips", csv)
    kept = {o.digest for o in objects.iterate()}
    first = data.profile("trips")
    (digest,) = {o.digest for o in objects.iterate()} - kept
    objects.delete(digest)

    assert data.profile("trips") == first


def test_committing_a_frame_imports_no_frame_library() -> None:
    script = textwrap.dedent("""
        import sys, tempfile
        from pathlib import Path
        import pyarrow as pa
        from treadle.data.service import Data
        from treadle.storage.metadata import open_metadata
        from treadle.storage.objects import FolderObjectStore

        class Streamed:
            def __arrow_c_stream__(self, requested_schema=None):
                # `pa.array` of a list looks for pandas by itself; nulls are made without.
                made = pa.Table.from_arrays([pa.nulls(3)], names=["x"])
                return made.__arrow_c_stream__(requested_schema)

        with tempfile.TemporaryDirectory() as home:
            store = open_metadata(f"sqlite:///{home}/treadle.db")
            data = Data(store=store, objects=FolderObjectStore(Path(home)))
            data.commit("x", Streamed())
            data.table("x")
            store.close()
        print(sorted({"pandas", "polars"} & set(sys.modules)))
    """)

    child = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )

    assert child.stdout == "[]\n"


RECORDS = np.array([(1, 2.5, "x"), (3, 4.5, "y")], dtype=[("n", "i8"), ("v", "f8"), ("s", "U1")])
PYTHON = {
    "columns": {"n": [1, 3], "v": np.array([2.5, 4.5]), "s": ["x", "y"]},
    "rows": [{"n": 1, "v": 2.5, "s": "x"}, {"n": 3, "s": "y", "v": 4.5}],
    "records": RECORDS,
}


@pytest.mark.parametrize("source", PYTHON.values(), ids=PYTHON)
def test_rows_as_python_has_them_are_a_table(data: Data, source: Any) -> None:
    version = data.commit("rows", source)

    assert data.table(version.ref).to_pydict() == {"n": [1, 3], "v": [2.5, 4.5], "s": ["x", "y"]}


def test_a_key_that_only_a_later_row_has_is_a_column(data: Data) -> None:
    data.commit("rows", [{"a": 1}, {"a": 2, "b": 3}])
    data.commit("given", function(lambda: [{"a": 1}, {"a": 2, "b": 3}]))

    assert data.table("rows").to_pydict() == {"a": [1, 2], "b": [None, 3]}
    assert data.table("given").to_pydict() == data.table("rows").to_pydict()


def test_categories_of_polars_are_kept(data: Data) -> None:
    polars = pytest.importorskip("polars")
    kinds = polars.Series(["x", "y", None], dtype=polars.Categorical)
    ranks = polars.Series(["hi", "lo", "lo"], dtype=polars.Enum(["lo", "hi"]))

    data.commit("kinds", polars.DataFrame({"kind": kinds, "rank": ranks}))

    found = data.table("kinds")
    assert found.to_pydict() == {"kind": ["x", "y", None], "rank": ["hi", "lo", "lo"]}
    assert pa.types.is_dictionary(found.schema.field("kind").type)


def _frame(library: str, values: list[Any], **more: Any) -> Any:
    imported = pytest.importorskip(library)
    if "dtype" in more:
        more = {"schema": {"a": getattr(imported, more["dtype"])}}
    return imported.DataFrame({"a": values}, **more)


REFUSED = {
    "mixed": (lambda: _frame("pandas", [1, "x"]), "Could not convert 'x' with type str"),
    "mixed column": (lambda: {"a": [1, "x"]}, "Column 'a' cannot be taken"),
    "objects": (lambda: _frame("polars", [object()], dtype="Object"), "'a' holds objects"),
    "one column": (lambda: pa.chunked_array([[1]]), "ChunkedArray is one column"),
    "unequal": (lambda: {"a": [1, 2], "b": [1]}, "not equally long: a 2, b 1"),
    "a text": (lambda: {"a": "text"}, "Column 'a' is one str"),
    "unnamed": (lambda: np.zeros((2, 2)), "Name its columns"),
    "lazy": (lambda: _frame("polars", [1]).lazy(), r"\.collect\(\)"),
    "generator": (lambda: (row for row in [{"a": 1}]), "sources.function"),
}


@pytest.mark.parametrize(("made", "told"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_table_is_refused_with_what_to_do(data: Data, made: Any, told: str) -> None:
    with pytest.raises(InvalidInput, match=told):
        data.commit("x", made())

    assert data.datasets().total == 0
