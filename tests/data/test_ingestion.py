from __future__ import annotations

import itertools
import sqlite3
import subprocess
import sys
import tempfile
import textwrap
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule
from sqlalchemy import text

from tests.data.served import serving
from treadle.data import sources
from treadle.data.ingestion.watermarks import below, not_after, read, written
from treadle.data.service import Data
from treadle.data.tables import cuts, parts, writing
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.storage import events
from treadle.storage.metadata import SqlMetadataStore, open_metadata
from treadle.storage.objects import FolderObjectStore

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from treadle.data.ingestion.entities import Counts
    from treadle.kernel.clock import FrozenClock

START = datetime(2013, 7, 4, 12, tzinfo=UTC)


class Shop:
    """A table of orders in a real database, that others write to."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.run("CREATE TABLE orders (id INTEGER, at TIMESTAMP, price FLOAT)")

    def run(self, statement: str, rows: object = ()) -> None:
        if self.url.startswith("postgresql"):
            with psycopg.connect(self.url) as connection:
                connection.execute(statement.replace("?", "%s"), rows)
            return
        with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as connection:
            connection.execute(statement, rows)
            connection.commit()

    def add(self, number: int, *, minute: float | None, price: float = 1.0) -> None:
        self.run("INSERT INTO orders VALUES (?, ?, ?)", (number, self.at(minute), price))

    def at(self, minute: float | None) -> str | None:
        if minute is None:
            return None
        moment = START.replace(tzinfo=None) + timedelta(minutes=minute)
        return moment.isoformat(sep=" ", timespec="milliseconds")

    @property
    def orders(self) -> sources.SqlSource:
        return sources.sql(self.url, "SELECT * FROM orders")


@pytest.fixture(params=["sqlite", "postgresql"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    if request.param == "sqlite":
        return Shop(f"sqlite:///{tmp_path}/shop.db")
    return Shop(request.getfixturevalue("postgres_url"))


@pytest.fixture
def lite(tmp_path: Path) -> Shop:
    return Shop(f"sqlite:///{tmp_path}/shop.db")


@pytest.fixture(autouse=True)
def later(clock: FrozenClock) -> None:
    clock.advance(9 * 86_400 * 1_000_000)


def ids(data: Data, ref: str = "orders") -> list[int]:
    return data.table(ref).column("id").to_pylist()


def test_each_run_takes_what_is_new_and_late_rows_too(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id", lateness="30m")
    shop.add(1, minute=0)
    shop.add(2, minute=60)
    first = data.ingest("orders")
    shop.add(3, minute=40)  # late
    shop.add(4, minute=10)  # too late
    shop.add(5, minute=90)
    shop.add(6, minute=None)

    second = data.ingest("orders")

    assert (first.version, second.version) == ("orders@1", "orders@2")
    assert ids(data) == [1, 2, 3, 5]
    counts = second.counts
    assert (counts.read, counts.new, counts.late, counts.duplicate) == (4, 2, 1, 1)
    assert (counts.without_watermark, counts.beyond) == (1, 1)
    assert second.watermark == "2013-07-04T13:30:00"
    assert data.version("orders").source.watermark == second.watermark


def test_nothing_new_is_no_new_version_and_no_event(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")
    shop.add(1, minute=0)
    data.ingest("orders")
    before = len(log_of(data))

    done = data.ingest("orders")

    assert done.version is None
    assert data.versions("orders").total == 1
    assert len(log_of(data)) == before


def test_what_came_too_late_is_taken_when_asked_again(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")
    shop.add(1, minute=60)
    data.ingest("orders")
    shop.add(2, minute=0)
    assert data.ingest("orders").counts.beyond == 1

    done = data.ingest("orders", again=True)

    assert (done.counts.new, done.counts.late, done.counts.beyond) == (1, 1, 0)
    assert sorted(ids(data)) == [1, 2]


def test_upsert_puts_the_newer_row_where_the_older_was(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id", mode="upsert")
    for number in (1, 2, 3):
        shop.add(number, minute=number)
    data.ingest("orders")
    shop.run("UPDATE orders SET price = 9, at = ? WHERE id = 2", (shop.at(50),))
    shop.add(4, minute=40)

    done = data.ingest("orders")

    assert (done.counts.new, done.counts.replaced, done.counts.beyond) == (1, 1, 0)
    assert ids(data) == [1, 2, 3, 4]
    assert data.table("orders").column("price").to_pylist() == [1, 9, 1, 1]


def test_upsert_sees_a_change_within_the_same_instant(data: Data, shop: Shop) -> None:
    data.ingestions.set(
        "orders", shop.orders, watermark="at", key="id", mode="upsert", lateness="1s"
    )
    shop.add(1, minute=0)
    data.ingest("orders")
    shop.run("UPDATE orders SET price = 9")

    assert data.ingest("orders").counts.replaced == 1
    assert data.table("orders").column("price").to_pylist() == [9]


def test_append_leaves_a_held_row_and_counts_its_change(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")
    shop.add(1, minute=0)
    data.ingest("orders")
    shop.run("UPDATE orders SET price = 9, at = ?", (shop.at(50),))

    done = data.ingest("orders")

    assert (done.version, done.counts.changed) == (None, 1)
    assert data.table("orders").column("price").to_pylist() == [1]


def test_without_a_key_equal_rows_are_as_many_as_at_the_source(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", lateness="1h")
    shop.add(1, minute=0)
    shop.add(1, minute=0)
    data.ingest("orders")
    shop.add(1, minute=0)

    done = data.ingest("orders")

    assert (done.counts.new, done.counts.duplicate) == (1, 2)
    assert ids(data) == [1, 1, 1]


def test_a_row_from_the_future_does_not_shut_out_the_present(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")
    shop.add(1, minute=60 * 24 * 365)
    data.ingest("orders")
    shop.add(2, minute=60 * 24 * 10)

    assert data.ingest("orders").counts.new == 1


def test_rows_committed_by_hand_are_recognised(data: Data, shop: Shop) -> None:
    shop.add(1, minute=0)
    data.commit("orders", shop.orders)
    shop.add(2, minute=1)
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")

    assert data.ingest("orders").counts.new == 1
    assert ids(data) == [1, 2]


def test_a_changed_schema_is_refused_with_its_columns(data: Data, shop: Shop) -> None:
    data.ingestions.set("orders", shop.orders, watermark="at", key="id")
    shop.add(1, minute=0)
    data.ingest("orders")
    shop.run("ALTER TABLE orders ADD COLUMN town TEXT")
    shop.run("ALTER TABLE orders DROP COLUMN price")
    shop.run("INSERT INTO orders VALUES (2, ?, 'Bern')", (shop.at(1),))

    with pytest.raises(InvalidInput, match=r"town \(string\) is new; price \(double\) is gone"):
        data.ingest("orders")
    done = data.ingest("orders", schema_change="widen")

    assert done.counts.new == 1
    assert data.table("orders").select(["id", "price", "town"]).to_pylist() == [
        {"id": 1, "price": 1.0, "town": None},
        {"id": 2, "price": None, "town": "Bern"},
    ]


def test_a_type_that_no_column_can_hold_is_named(data: Data) -> None:
    given = [[{"id": 1, "n": 1}], [{"id": 2, "n": "two"}]]
    data.ingestions.set("x", sources.function("a:b"), watermark="id")
    data.ingest("x", source=sources.function(lambda: given[0]))

    with pytest.raises(InvalidInput, match=r"'n' was int64 and is string: no type holds both"):
        data.ingest("x", source=sources.function(lambda: given[1]), schema_change="widen")


def test_whole_numbers_fit_a_column_of_fractions(data: Data) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="id")
    data.ingest("x", source=sources.function(lambda: [{"id": 1, "n": 1.5}]))

    data.ingest("x", source=sources.function(lambda: [{"id": 2, "n": 2}, {"id": 3, "n": None}]))

    assert data.table("x").column("n").to_pylist() == [1.5, 2.0, None]


def test_a_page_that_did_not_change_is_not_read(data: Data, tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_text("id,n\n1,a\n2,b\n")
    with serving(tmp_path) as address:
        data.ingestions.set("x", sources.url(f"{address}/x.csv"), watermark="id")
        first, again = data.ingest("x"), data.ingest("x")
        (tmp_path / "x.csv").write_text("id,n\n1,a\n2,b\n3,c\n")
        third = data.ingest("x")

    assert (first.counts.new, again.is_unchanged, third.counts.new) == (2, True, 1)
    assert third.counts.older == 2


def test_who_commits_meanwhile_is_not_overwritten(data: Data, lite: Shop) -> None:
    lite.add(1, minute=0)
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    data.ingest("orders")
    lite.add(2, minute=1)
    other = data.table("orders").to_pylist()
    other[0]["id"] = 7
    raced: list[bool] = []

    def feed():
        if not raced:
            raced.append(True)
            data.commit("orders", pa.Table.from_pylist(other))
        with lite.orders.read() as reading:
            yield reading.batches.read_all()

    done = data.ingest("orders", source=sources.function(feed), again=True)

    assert done.version == "orders@3"
    assert sorted(ids(data)) == [1, 2, 7]


def test_two_that_always_meet_are_told_so(data: Data) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="id")
    numbers = iter(range(100))

    def feed():
        data.commit("x", pa.table({"id": [next(numbers)]}))
        return [{"id": 1000}]

    with pytest.raises(Conflict, match="somebody else changed x"):
        data.ingest("x", source=sources.function(feed))


def test_what_lies_on_another_branch_is_no_hindrance(data: Data, lite: Shop) -> None:
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    lite.add(1, minute=0)
    data.ingest("orders")
    data.branch("orders", "mended")
    data.commit("orders", pa.table({"id": [7]}), branch="mended")
    assert data.ingest("orders").version is None
    lite.add(2, minute=1)

    done = data.ingest("orders")

    assert done.version == "orders@3"
    assert data.version("orders@3").parents == (1,)
    assert data.version("orders@mended").number == 2


def test_after_main_was_moved_back_its_rows_come_again_when_asked(data: Data, lite: Shop) -> None:
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    for number in (1, 2, 3):
        lite.add(number, minute=number)
        data.ingest("orders")
    data.branch("orders", "main", at="orders@1", force=True)
    assert data.ingest("orders").version is None

    done = data.ingest("orders", again=True)

    assert (done.version, done.counts.new) == ("orders@4", 2)
    assert data.version("orders").same_as == 3


def test_a_removed_dataset_grows_again_only_when_somebody_says_so(data: Data, lite: Shop) -> None:
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    lite.add(1, minute=0)
    data.ingest("orders")
    data.remove("orders")

    with pytest.raises(Conflict, match=r"orders was removed.*restore orders"):
        data.ingest("orders")
    data.ingestions.remove("orders")
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    lite.add(2, minute=1)

    assert data.ingest("orders").version == "orders@2"
    assert ids(data) == [1, 2]


# --- what of a large table is read ---


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Parts of a few hundred rows; the list gets the number of chunks of each that is opened."""
    monkeypatch.setattr(cuts, "LEAST_BYTES", 8 << 10)
    monkeypatch.setattr(cuts, "MOST_BYTES", 16 << 10)
    monkeypatch.setattr(writing, "PIECE_BYTES", 4 << 10)
    found: list[int] = []
    real = parts.ChunkStream

    def counted(chunks, **given):
        found.append(len(chunks))
        return real(chunks, **given)

    monkeypatch.setattr(parts, "ChunkStream", counted)
    return found


def numbered(first: int, count: int, *, values: int = 0) -> pa.Table:
    numbers = list(range(first, first + count))
    return pa.table({"id": numbers, "w": numbers, "v": [values] * count})


def grow(data: Data, rows: pa.Table) -> Counts:
    return data.ingest("x", source=sources.function(lambda above: rows)).counts


def test_a_run_opens_as_many_parts_of_a_long_table_as_of_a_longer_one(
    data: Data, opened: list[int]
) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="w", key="id", lateness="50")
    costs = []
    for first in range(0, 40_000, 10_000):
        grow(data, numbered(first, 10_000))
        grow(data, numbered(first + 10_000, 10))
        opened.clear()
        counts = grow(data, numbered(first + 9_990, 30))
        costs.append(len(opened))
        assert (counts.new, counts.duplicate, counts.older) == (10, 20, 0)

    assert len(data.parts("x").entries) > 40
    assert max(costs) == costs[0] <= 6
    assert ids(data, "x") == sorted(set(ids(data, "x")))


def test_rows_that_are_added_leave_the_parts_before_as_they_are(
    data: Data, opened: list[int]
) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="w", key="id")
    grow(data, numbered(0, 10_000))
    before = data.parts("x").entries

    grow(data, numbered(10_000, 500))

    assert data.parts("x").entries[: len(before) - 1] == before[:-1]
    data.commit("whole", data.table("x"))
    assert data.version("whole").table == data.version("x").table
    assert data.verify("x").rows == 10_500


@pytest.mark.parametrize("key", ["id", ()])
def test_late_rows_in_any_part_are_recognised(
    data: Data, opened: list[int], key: str | tuple[str, ...]
) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="w", key=key, lateness="100000")
    odd = numbered(0, 10_000).take(list(range(1, 10_000, 2)))
    grow(data, odd)
    opened.clear()

    counts = grow(data, numbered(2_000, 40))

    assert (counts.new, counts.duplicate, counts.late) == (20, 20, 20)
    assert sorted(ids(data, "x")) == sorted({*range(1, 10_000, 2), *range(2_000, 2_040)})


def test_what_is_too_old_is_counted_in_parts_that_are_not_read(
    data: Data, opened: list[int]
) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="w", key="id", lateness="5")
    grow(data, numbered(0, 10_000))

    counts = grow(data, numbered(0, 10_020).filter(pc.field("id") != 4_000))

    assert (counts.new, counts.older, counts.beyond) == (20, 9_994, 0)


def test_an_upsert_into_one_part_replaces_the_row_in_it(data: Data, opened: list[int]) -> None:
    data.ingestions.set(
        "x", sources.function("a:b"), watermark="w", key="id", mode="upsert", lateness="100000"
    )
    grow(data, numbered(0, 10_000))

    counts = grow(data, pa.table({"id": [7_777, 3], "w": [10_001, 10_002], "v": [1, 2]}))

    assert (counts.new, counts.replaced) == (0, 2)
    rows = data.table("x")
    assert rows.column("id").to_pylist() == list(range(10_000))
    assert rows.filter(pc.field("v") > 0).to_pylist() == [
        {"id": 3, "w": 10_002, "v": 2},
        {"id": 7_777, "w": 10_001, "v": 1},
    ]


@pytest.mark.parametrize(
    "value",
    [
        2**62,
        "ä" * 9,
        START,
        START.replace(tzinfo=None),
        START.date(),
    ],
)
def test_ranges_of_every_kind_of_key_find_what_is_held(
    data: Data, opened: list[int], value: object
) -> None:
    data.ingestions.set("x", sources.function("a:b"), watermark="w", key="k", lateness="9")
    rows = pa.Table.from_pylist([{"k": value, "w": 1}, {"k": None, "w": 2}])
    grow(data, rows)

    assert grow(data, rows).duplicate == 2
    assert grow(data, rows).duplicate == 2


# --- how it is set ---


def test_a_setting_is_kept_with_its_number_and_told(data: Data, lite: Shop) -> None:
    made = data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    same = data.ingestions.set("orders", lite.orders, watermark="at", key=("id",))
    other = data.ingestions.set("orders", lite.orders, watermark="at", key="id", lateness="1h")

    assert (made.number, same, other.number) == (1, made, 2)
    assert data.ingestions.all() == (other,)
    assert data.ingestions.of("orders").body.source == lite.orders
    assert [e.kind for e in log_of(data)] == ["ingestion.set", "ingestion.set"]


def test_a_wider_lateness_goes_on_another_source_begins_anew(data: Data, lite: Shop) -> None:
    lite.add(1, minute=0)
    data.ingestions.set("orders", lite.orders, watermark="at", key="id")
    data.ingest("orders")
    data.ingestions.set("orders", lite.orders, watermark="at", key="id", lateness="1h")
    kept = data.ingestions.mark("orders")
    elsewhere = sources.sql(lite.url, "SELECT * FROM orders WHERE id > 0")
    data.ingestions.set("orders", elsewhere, watermark="at", key="id")

    assert kept is not None
    assert data.ingestions.mark("orders") is None
    assert data.ingest("orders").version is None


def test_what_is_removed_is_gone_and_its_versions_stay(data: Data, lite: Shop) -> None:
    lite.add(1, minute=0)
    data.ingestions.set("orders", lite.orders, watermark="at")
    data.ingest("orders")

    data.ingestions.remove("orders")

    assert data.ingestions.all() == ()
    assert ids(data) == [1]
    with pytest.raises(NotFound, match="treadle data ingestions set orders"):
        data.ingest("orders")


@pytest.mark.parametrize(
    ("source", "given", "told"),
    [
        (sources.sql("postgresql://u:geheim@h/x", "SELECT 1"), {}, r"\$\{NAME\}"),
        (sources.url("https://h/x.csv?token=geheim"), {}, r"\$\{NAME\}"),
        (
            sources.url("https://h/x.csv", headers={"Authorization": "Bearer geheim"}),
            {},
            "header Authorization",
        ),
        (sources.function(lambda: 1), {}, "Name it"),
        (sources.files("x.csv"), {"mode": "upsert"}, "needs a key"),
        (sources.files("x.csv"), {"lateness": "soon"}, "no lateness"),
    ],
)
def test_what_cannot_be_set_says_why(data: Data, source, given, told) -> None:
    with pytest.raises(InvalidInput, match=told) as raised:
        data.ingestions.set("x", source, watermark="at", **given)

    assert "geheim" not in str(raised.value)


def test_no_secret_is_stored(data: Data, store: SqlMetadataStore, monkeypatch) -> None:
    monkeypatch.setenv("PW", "geheim")
    url = sources.sql("postgresql://app:${PW}@h/x", "SELECT 1")
    data.ingestions.set("x", url, watermark="at")

    with store.read() as tx:
        rows = tx.execute(text("SELECT body FROM ingestions")).scalars().all()

    assert "${PW}" in rows[0]
    assert "geheim" not in rows[0]


def test_a_column_that_is_not_there_suggests_the_one_meant(data: Data, lite: Shop) -> None:
    data.ingestions.set("orders", lite.orders, watermark="att")

    with pytest.raises(NotFound, match="Did you mean 'at'"):
        data.ingest("orders")


# --- watermarks ---


@pytest.mark.parametrize(
    "value", [5, 1.5, START, START.replace(tzinfo=None), START.date(), "2013-07"]
)
def test_a_watermark_is_read_back_as_it_was_written(value: object) -> None:
    assert read(written(value)) == value


@pytest.mark.parametrize(
    ("value", "lateness", "bound"),
    [
        (START, "2h", START - timedelta(hours=2)),
        (START.date(), "1h", START.date() - timedelta(days=1)),
        (100, "30", 70),
        (1.5, "0.5", 1.0),
        (100, "", 100),
    ],
)
def test_the_bound_is_the_watermark_less_the_lateness(value, lateness, bound) -> None:
    assert below(value, lateness) == bound


@pytest.mark.parametrize(("value", "lateness"), [(START, "5"), (5, "2h"), ("a", "2h")])
def test_a_lateness_that_does_not_fit_is_refused(value, lateness) -> None:
    with pytest.raises(InvalidInput):
        below(value, lateness)


def test_a_watermark_is_never_in_the_future() -> None:
    now = round(START.timestamp() * 1e6)

    assert not_after(START + timedelta(days=1), now) == START
    assert not_after(7, now) == 7


# --- crashes ---

INGEST_AND_DIE = """
    import os, signal, sys
    from pathlib import Path
    import duckdb, numpy, pyarrow.parquet
    from treadle.data.ingestion import delta
    from treadle.data.service import Data
    from treadle.storage.metadata import SqlMetadataStore, open_metadata
    from treadle.storage.objects import FolderObjectStore

    here, url = Path(sys.argv[1]), sys.argv[2]
    steps, fatal = 0, 0

    def step(real):
        def counted(*args, **named):
            global steps
            steps += 1
            if steps == fatal:
                os.kill(os.getpid(), signal.SIGKILL)
            return real(*args, **named)
        return counted

    for kind, name in [
        (FolderObjectStore, "put"), (FolderObjectStore, "adopt"), (os, "fsync"), (os, "replace"),
        (SqlMetadataStore, "write"), (SqlMetadataStore, "_commit"), (delta, "_counted"),
    ]:
        setattr(kind, name, step(getattr(kind, name)))

    for line in sys.stdin:  # a fork for each: importing everything anew takes a second
        fatal = int(line)
        child = os.fork()
        if not child:
            store = open_metadata(url)
            objects = FolderObjectStore(here / "objects")
            Data(store=store, objects=objects, home=here).ingest("orders")
            os._exit(0)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[Callable[[int], int]]:
    """Runs an ingestion that is killed at a step; gives its exit code."""
    script = [sys.executable, "-c", textwrap.dedent(INGEST_AND_DIE), str(tmp_path)]
    with subprocess.Popen(
        [*script, f"sqlite:///{tmp_path}/all.db"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:

        def run(fatal: int) -> int:
            process.stdin.write(f"{fatal}\n")
            process.stdin.flush()
            return int(process.stdout.readline())

        yield run
        process.stdin.close()


def test_a_run_that_is_killed_at_any_step_and_run_again_takes_each_row_once(
    tmp_path: Path, lite: Shop, mortal: Callable[[int], int]
) -> None:
    with closing(open_metadata(f"sqlite:///{tmp_path}/all.db")) as store:
        data = Data(store=store, objects=FolderObjectStore(tmp_path / "objects"), home=tmp_path)
        data.ingestions.set("orders", lite.orders, watermark="at", key="id")
        lite.add(0, minute=0)
        data.ingest("orders")
        codes = []
        for fatal in range(1, 80):
            lite.add(fatal, minute=fatal)
            codes.append(mortal(fatal))
            # The watermark and the rows below it: both or none.
            assert reached(data) == len(ids(data)) - 1
            if codes[-1] == 0:
                break

        assert (codes[-1], set(codes[:-1])) == (0, {-9})
        assert len(codes) > 6
        assert sorted(ids(data)) == list(range(len(codes) + 1))
        assert all(data.verify(v.ref) for v in data.versions("orders").items)


def reached(data: Data) -> int:
    """The minute that the watermark stands at."""
    mark = data.ingestions.mark("orders")
    return round((read(mark.watermark) - START.replace(tzinfo=None)) / timedelta(minutes=1))


# --- against an oracle ---


class Growing(RuleBasedStateMachine):
    """Rows arrive in any order, runs come at any time, or twice, or on another day's services."""

    key: tuple[str, ...] = ()
    mode = "append"

    def __init__(self) -> None:
        super().__init__()
        self.folder = tempfile.TemporaryDirectory(prefix="treadle-")
        self.patch = pytest.MonkeyPatch()
        for name, size in (("LEAST_BYTES", 64), ("MOST_BYTES", 128)):
            self.patch.setattr(cuts, name, size)
        for name in ("_LEAST_ROWS", "_MOST_ROWS"):  # so that a few rows are a few parts
            self.patch.setattr(writing, name, 2)
        here = Path(self.folder.name)
        self.objects = FolderObjectStore(here / "objects")
        self.store = open_metadata(f"sqlite:///{here}/all.db")
        self.arrived: list[tuple[int, int, int]] = []
        self.expected: list[tuple[int, int, int]] = []
        self.highest: int | None = None
        self.numbers = itertools.count()
        self.restart()
        self.data.ingestions.set(
            "x", sources.function("a:b"), watermark="w", key=self.key, lateness="3", mode=self.mode
        )

    @rule()
    def restart(self) -> None:
        self.data = Data(store=self.store, objects=self.objects)

    @rule(some=st.lists(st.tuples(st.integers(0, 20), st.integers(0, 1)), min_size=1, max_size=9))
    def arrive(self, some: list[tuple[int, int]]) -> None:
        self.arrived += [(next(self.numbers) if self.key else 0, w, v) for w, v in some]

    @precondition(lambda self: self.mode == "upsert" and self.arrived)
    @rule(which=st.randoms(use_true_random=False), by=st.integers(0, 5), v=st.integers(2, 9))
    def change(self, which, by: int, v: int) -> None:
        place = which.randrange(len(self.arrived))
        number, w, _ = self.arrived[place]
        self.arrived[place] = (number, w + by, v)

    @rule(order=st.randoms(use_true_random=False), repeats=st.booleans(), filters=st.booleans())
    def run(self, order, repeats: bool, filters: bool) -> None:
        rows = list(self.arrived)
        order.shuffle(rows)
        if repeats and self.key:
            rows += rows[:2]

        def feed(above):
            kept = [r for r in rows if not filters or above is None or r[1] > above]
            table = pa.Table.from_pylist([dict(zip("kwv", r, strict=True)) for r in kept])
            return table if kept else pa.table({c: pa.array([], pa.int64()) for c in "kwv"})

        self.data.ingest("x", source=sources.function(feed))
        self.take()
        self.compare()

    def take(self) -> None:
        """What a run does, said in another way."""
        bound = -1 if self.highest is None else self.highest - 3
        window = [row for row in self.arrived if row[1] > bound]
        if self.key:
            held = {row[0]: row for row in self.expected}
            for row in window:
                if row[0] not in held or (self.mode == "upsert" and row[1] >= held[row[0]][1]):
                    held[row[0]] = row
            self.expected = list(held.values())
        else:
            old = [row for row in self.expected if row[1] <= bound]
            self.expected = old + window
        self.highest = (
            max([w for _, w, _ in window] + [self.highest or 0])
            if (window or self.highest is not None)
            else None
        )

    def compare(self) -> None:
        held = self.data.table("x").to_pylist() if self.data.datasets().total else []
        assert sorted(tuple(row.values()) for row in held) == sorted(self.expected)

    def teardown(self) -> None:
        self.store.close()
        self.folder.cleanup()
        self.patch.undo()


class GrowingByKey(Growing):
    key = ("k",)


class GrowingByUpsert(Growing):
    key = ("k",)
    mode = "upsert"


FEW = settings(max_examples=8, stateful_step_count=8)
TestRowsAreTakenOnce = Growing.TestCase
TestRowsAreTakenOnceByKey = GrowingByKey.TestCase
TestNewerRowsTakeThePlaceOfOlder = GrowingByUpsert.TestCase
TestRowsAreTakenOnce.settings = FEW
TestRowsAreTakenOnceByKey.settings = FEW
TestNewerRowsTakeThePlaceOfOlder.settings = FEW


def log_of(data: Data) -> list[events.Event]:
    with data._store.read() as tx:
        return list(events.read(tx.connection))
