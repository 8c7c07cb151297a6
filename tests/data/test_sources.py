from __future__ import annotations

import sqlite3
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING

import duckdb
import httpx2
import psycopg
import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from tests.data.served import serving
from treadle.data import sources
from treadle.data.sources import buckets
from treadle.data.sources.secrets import bare, filled, scrubbed
from treadle.kernel.errors import InvalidInput, MissingExtra, NotFound, Refused, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.service import Data

SMALL = pa.table({"x": [1, 2, 3]})


def read(source) -> pa.Table:
    with source.read() as reading:
        return reading.batches.read_all()


# --- secrets ---


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("postgresql://app:s3cret@db:5432/shop", "postgresql://app@db:5432/shop"),
        ("postgresql://app:a/b@c@db/shop", "postgresql://app@db/shop"),
        ("postgresql://db/shop?user=a&password=b", "postgresql://db/shop?user=a&password=***"),
        ("https://token@host/x.csv", "https://host/x.csv"),
        ("https://host/@scope/x.csv", "https://host/@scope/x.csv"),
        ("https://h/x?X-Amz-Signature=1&part=2", "https://h/x?X-Amz-Signature=***&part=2"),
        ("https://a.blob/x.csv?sv=1&sig=abc#frag", "https://a.blob/x.csv?sv=1&sig=***"),
        ("sftp://me:pw@host/in/", "sftp://me@host/in/"),
        ("postgresql://app:${PW}@db/shop", "postgresql://app@db/shop"),
        ("s3://bucket/a/*.csv", "s3://bucket/a/*.csv"),
    ],
)
def test_what_is_kept_of_an_address_has_no_secret(url: str, told: str) -> None:
    assert bare(url) == told


def test_a_variable_that_is_not_set_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_PW", raising=False)

    with pytest.raises(InvalidInput, match=r"no NO_SUCH_PW.*export NO_SUCH_PW="):
        filled("postgresql://app:${NO_SUCH_PW}@db/shop")


def test_a_message_of_a_driver_is_shown_without_the_password() -> None:
    assert scrubbed("bad: p%40ss p@ss", url="sftp://u:p%40ss@h/x") == "bad: *** ***"


# --- a version remembers ---


def test_a_version_says_where_its_rows_come_from(
    data: Data, postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PW", "geheim")
    url = postgres_url.replace("app@", "app:${PW}@")

    version = data.commit("n", sources.sql(url, "SELECT generate_series(1, 3) AS n;"))

    assert version.source is not None
    assert (version.source.kind, version.source.query) == (
        "sql",
        "SELECT generate_series(1, 3) AS n",
    )
    assert version.source.place == bare(postgres_url)
    assert data.version("n@1") == version
    assert data.table("n").column("n").to_pylist() == [1, 2, 3]


def test_a_version_of_a_file_here_names_no_place(data: Data) -> None:
    assert data.commit("x", SMALL).source is None


# --- types ---

POSTGRES_TYPES = """
    SELECT true AS yes, 1::int2 AS small, 2::int4 AS mid, 3::int8 AS big, 1.5::float4 AS half,
        2.5::float8 AS wide, 12.34::numeric(10, 2) AS money, 1.5::numeric AS any_number,
        'Zürich' AS town, 'ab'::char(3) AS padded, 'x'::bytea AS raw,
        date '2013-07-04' AS day, time '12:30' AS hour,
        timestamp '2013-07-04 12:00:00.000001' AS wall,
        timestamptz '2013-07-04 14:00:00+02' AS instant,
        '0190a0c0-0000-7000-8000-000000000000'::uuid AS id,
        '{"a": [1, null]}'::jsonb AS doc, interval '1 day' AS span, '10.0.0.1'::inet AS host,
        ARRAY[1, 2, NULL] AS some, ARRAY['a', 'b'] AS words, ARRAY['{}'::jsonb] AS docs,
        int4range(1, 5) AS span_of, NULL::int4 AS none
"""


def test_postgresql_types_are_mapped(postgres_url: str) -> None:
    table = read(sources.sql(postgres_url, POSTGRES_TYPES))

    assert {f.name: str(f.type) for f in table.schema} == {
        "yes": "bool",
        "small": "int16",
        "mid": "int32",
        "big": "int64",
        "half": "float",
        "wide": "double",
        "money": "decimal128(10, 2)",
        "any_number": "double",
        "town": "string",
        "padded": "string",
        "raw": "binary",
        "day": "date32[day]",
        "hour": "time64[us]",
        "wall": "timestamp[us]",
        "instant": "timestamp[us, tz=UTC]",
        "id": "string",
        "doc": "string",
        "span": "string",
        "host": "string",
        "some": "list<item: int32>",
        "words": "list<item: string>",
        "docs": "list<item: string>",
        "span_of": "string",
        "none": "int32",
    }
    (row,) = table.to_pylist()
    assert row["money"] == Decimal("12.34")
    assert row["wall"] == datetime(2013, 7, 4, 12, 0, 0, 1)  # noqa: DTZ001 - a wall's clock
    assert row["instant"] == datetime(2013, 7, 4, 12, tzinfo=UTC)
    assert (row["day"], row["hour"]) == (date(2013, 7, 4), time(12, 30))
    assert (row["id"], row["doc"]) == (
        "0190a0c0-0000-7000-8000-000000000000",
        '{"a": [1, null]}',
    )
    assert (row["some"], row["docs"], row["span_of"]) == ([1, 2, None], ["{}"], "[1,5)")


def test_every_postgresql_type_can_be_committed(data: Data, postgres_url: str) -> None:
    assert data.commit("all", sources.sql(postgres_url, POSTGRES_TYPES)).rows == 1


DUCKDB_TYPES = """
    SELECT true AS yes, 1::utinyint AS tiny, 2::hugeint AS huge, 1.5::decimal(9, 3) AS money,
        'a'::enum('a', 'b') AS kind, uuid '0190a0c0-0000-7000-8000-000000000000' AS id,
        '{"a": 1}'::json AS doc, [1, 2] AS some, {'a': 1} AS part,
        timestamptz '2013-07-04 14:00:00+02' AS instant, timestamp '2013-07-04 12:00' AS wall
"""


def test_duckdb_types_are_mapped(data: Data) -> None:
    version = data.commit("all", sources.sql("duckdb://", DUCKDB_TYPES))

    assert {c.name: c.type for c in version.columns} == {
        "yes": "bool",
        "tiny": "uint8",
        "huge": "decimal128(38, 0)",
        "money": "decimal128(9, 3)",
        "kind": "string",
        "id": "string",
        "doc": "string",
        "some": "list<l: int32>",
        "part": "struct<a: int32>",
        "instant": "timestamp[us, tz=UTC]",
        "wall": "timestamp[us]",
    }
    assert data.table("all").to_pylist()[0]["instant"] == datetime(2013, 7, 4, 12, tzinfo=UTC)


def test_a_type_that_cannot_be_kept_is_named(data: Data) -> None:
    with pytest.raises(InvalidInput, match=r"'span' of type .*interval.*CAST\(span AS TEXT\)"):
        data.commit("x", sources.sql("duckdb://", "SELECT interval 1 month AS span"))


@pytest.fixture
def lite(tmp_path: Path) -> str:
    made = sqlite3.connect(tmp_path / "x.db")
    made.execute(
        "CREATE TABLE t (id INTEGER, at TIMESTAMP, zoned DATETIME, day DATE, ok BOOLEAN, "
        "price DECIMAL(9, 2), mixed, raw BLOB, empty TEXT)"
    )
    made.executemany(
        "INSERT INTO t VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)",
        [
            (1, "2013-07-04 12:00:00", "2013-07-04T12:00:00Z", "2013-07-04", 1, 5, 1, b"x"),
            (2, "2013-07-04 12:00:00.5", "2013-07-04T14:00:00+02:00", None, 0, 7.5, "a", None),
        ],
    )
    made.commit()
    made.close()
    return f"sqlite:///{tmp_path}/x.db"


def test_sqlite_columns_are_what_all_their_values_are(lite: str) -> None:
    table = read(sources.sql(lite, "SELECT id, at, zoned, day, ok, price, raw, empty FROM t"))

    assert [str(kind) for kind in table.schema.types] == [
        "int64",
        "timestamp[us]",
        "timestamp[us, tz=UTC]",
        "date32[day]",
        "bool",
        "double",
        "binary",
        "string",
    ]
    assert table["zoned"].to_pylist() == [datetime(2013, 7, 4, 12, tzinfo=UTC)] * 2
    assert table["ok"].to_pylist() == [True, False]


def test_a_sqlite_column_of_texts_and_numbers_is_refused_with_counts(lite: str) -> None:
    with pytest.raises(InvalidInput, match=r"'mixed' holds 1 numbers and 1 texts.*CAST"):
        read(sources.sql(lite, "SELECT mixed FROM t"))


# --- nothing is written ---


@pytest.mark.parametrize(
    "query", ["DELETE FROM t RETURNING id", "DROP TABLE t", "SELECT 1; DELETE FROM t", "PRAGMA x"]
)
def test_sqlite_is_only_read(lite: str, query: str) -> None:
    with pytest.raises(InvalidInput, match="does not take the query"):
        read(sources.sql(lite, query))

    assert read(sources.sql(lite, "SELECT id FROM t")).num_rows == 2


@pytest.mark.parametrize(
    "query",
    [
        "DELETE FROM t",
        "SELECT 1) AS x; DELETE FROM t; --",
        "WITH gone AS (DELETE FROM t RETURNING n) SELECT * FROM gone",
        "SELECT nextval('s')",
    ],
)
def test_postgresql_is_only_read(postgres_url: str, query: str) -> None:
    with psycopg.connect(postgres_url) as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS n")
        made.execute("CREATE SEQUENCE s")

    with pytest.raises(InvalidInput, match="does not take the query"):
        read(sources.sql(postgres_url, query))

    assert read(sources.sql(postgres_url, "SELECT n FROM t")).num_rows == 1


def test_duckdb_is_only_read(tmp_path: Path) -> None:
    with duckdb.connect(tmp_path / "x.duckdb") as made:
        made.execute("CREATE TABLE t AS SELECT 1 AS n")

    for query in ("DROP TABLE t", "SELECT 1; DROP TABLE t", "COPY t TO '/tmp/x.csv'"):
        with pytest.raises(InvalidInput, match="not one SELECT"):
            read(sources.sql(f"duckdb:///{tmp_path}/x.duckdb", query))


# --- what goes wrong ---


def test_a_wrong_query_gives_the_databases_words_and_its_hint(postgres_url: str) -> None:
    with psycopg.connect(postgres_url) as made:
        made.execute("CREATE TABLE t (price int)")

    with pytest.raises(InvalidInput, match=r'column "prise" does not exist.*"t.price"'):
        read(sources.sql(postgres_url, "SELECT prise FROM t"))


def test_a_query_that_fails_amid_its_rows_says_why(data: Data, postgres_url: str) -> None:
    query = "SELECT 1 / (n - 20000) AS x FROM generate_series(1, 30000) AS n"

    with pytest.raises(InvalidInput, match="division by zero"):
        data.commit("x", sources.sql(postgres_url, query))

    assert data.datasets().total == 0


def test_a_percent_sign_in_a_query_is_one(postgres_url: str) -> None:
    query = "SELECT n FROM generate_series(1, 9) AS n WHERE n % 2 = 0 AND 'a%s' LIKE '%'"
    above = sources.Above(column="n", value=4)

    with sources.sql(postgres_url, query).read(above=above) as reading:
        found = reading.batches.read_all().column("n").to_pylist()

    assert (found, reading.older) == ([6, 8], 2)


def test_two_columns_of_one_name_are_refused(postgres_url: str) -> None:
    with pytest.raises(InvalidInput, match="'a' 2 times"):
        read(sources.sql(postgres_url, "SELECT 1 AS a, 2 AS a"))


def test_a_missing_driver_names_the_command() -> None:
    with pytest.raises(MissingExtra, match=r"pip install 'treadle\[adbc\]' adbc-driver-nosuch"):
        read(sources.sql("adbc+nosuch://x", "SELECT 1"))


def test_a_missing_file_suggests_the_one_beside(tmp_path: Path) -> None:
    sqlite3.connect(tmp_path / "shop.db").close()

    with pytest.raises(NotFound, match=r"Did you mean 'shop\.db'"):
        read(sources.sql(f"sqlite:///{tmp_path}/shp.db", "SELECT 1"))


# --- the web ---


@pytest.fixture
def www(tmp_path: Path) -> Path:
    folder = tmp_path / "www"
    folder.mkdir()
    (folder / "x.csv").write_text("x,y\n1,a\n2,b\n")
    return folder


def test_an_unchanged_page_is_not_fetched_again(data: Data, www: Path) -> None:
    asked: list = []
    with serving(www, asked=asked) as address:
        first = data.commit("x", sources.url(f"{address}/x.csv"))
        again = data.commit("x", sources.url(f"{address}/x.csv"))
        (www / "x.csv").write_text("x,y\n1,a\n")
        third = data.commit("x", sources.url(f"{address}/x.csv"))

    assert again == first
    assert (third.number, third.rows) == (2, 1)
    assert [h.get("if-none-match") for _, h in asked] == [
        None,
        *(v.source.mark.removeprefix("etag ") for v in (first, first)),
    ]


def test_the_file_itself_is_kept_under_its_name(data: Data, www: Path) -> None:
    with serving(www) as address:
        version = data.commit("x", sources.url(f"{address}/x.csv?token=geheim"))

    assert [file.path.rpartition("/")[2] for file in version.files] == ["x.csv"]
    assert version.source.place.endswith("/x.csv?token=***")


def test_what_is_more_than_allowed_is_not_fetched(data: Data, www: Path) -> None:
    with serving(www) as address, pytest.raises(InvalidInput, match=r"larger than 5 bytes"):
        data.commit("x", sources.url(f"{address}/x.csv", max_bytes=5))


def test_an_answer_that_breaks_off_is_no_version(data: Data, www: Path) -> None:
    broken = pytest.raises(Unavailable, match=r"cannot be fetched|ended after")
    with serving(www) as address, broken:
        data.commit("x", sources.url(f"{address}/cut/x.csv"))

    assert data.datasets().total == 0


def test_redirects_are_followed_but_not_for_ever(data: Data, www: Path) -> None:
    with serving(www) as address:
        assert data.commit("x", sources.url(f"{address}/hop/hop/hop/x.csv")).rows == 2
        with pytest.raises(Unavailable, match="more than 5 times"):
            data.commit("x", sources.url(f"{address}/loop"))
        with pytest.raises(Refused, match="not as safe"):
            data.commit("x", sources.url(f"{address}/etc"))


def test_a_token_goes_to_no_other_server(data: Data, www: Path) -> None:
    there: list = []
    here: list = []
    with serving(www, asked=there) as other, serving(www, elsewhere=other, asked=here) as address:
        headers = {"Authorization": "Bearer geheim", "X-Api-Key": "geheim"}
        data.commit("x", sources.url(f"{address}/away/x.csv", headers=headers))

    assert here[0][1]["authorization"] == "Bearer geheim"
    assert "geheim" not in str(there)


def test_a_page_that_is_not_there_says_what_the_server_says(data: Data, www: Path) -> None:
    with serving(www) as address, pytest.raises(Unavailable, match=r"answers 404 Not Found"):
        data.commit("x", sources.url(f"{address}/y.csv"))


def test_a_page_without_ending_is_what_its_type_says(data: Data, www: Path) -> None:
    (www / "export").write_text("x\n1\n")
    with serving(www) as address:
        assert data.commit("x", sources.url(f"{address}/export")).rows == 1


@pytest.mark.parametrize("name", ["x.jsonl", "x.arrow", "x.parquet"])
def test_files_of_every_format_are_tables(data: Data, www: Path, name: str) -> None:
    table = pa.table({"x": [1, 2], "y": ["a", "b"]})
    if name == "x.parquet":
        pq.write_table(table, www / name)
    elif name == "x.arrow":
        with pa.ipc.new_file(str(www / name), table.schema) as sink:
            sink.write_table(table)
    else:
        (www / name).write_text('{"x": 1, "y": "a"}\n{"x": 2, "y": "b"}\n')
    with serving(www) as address:
        data.commit("x", sources.url(f"{address}/{name}"))

    assert data.table("x").to_pydict() == table.to_pydict()


# --- files as they are ---


def test_a_prefix_of_a_bucket_is_a_folder(
    data: Data, s3_url: str, s3_server: str, tmp_path: Path
) -> None:
    key = s3_url.removeprefix("s3://")
    for name in ("in/a.txt", "in/b/c.txt", "other/d.txt"):
        put = httpx2.put(f"{s3_server}/{key}/{name}", content=name.encode(), trust_env=False)
        put.raise_for_status()

    version = data.commit_files("blobs", sources.url(f"{s3_url}/in/"))

    assert [file.path for file in data.files(version.ref)] == ["a.txt", "b/c.txt"]
    assert version.source.place == f"{s3_url}/in/"
    assert data.commit_files("blobs", sources.url(f"{s3_url}/in/")) == version


def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="leads out"):
        buckets.target_of(tmp_path, "../../etc/passwd")


def test_parts_with_other_columns_are_no_table(data: Data, tmp_path: Path) -> None:
    pq.write_table(SMALL, tmp_path / "a.parquet")
    pq.write_table(pa.table({"y": [1]}), tmp_path / "b.parquet")

    with pytest.raises(InvalidInput, match=r"b\.parquet .*lacks x and has y"):
        data.commit("x", sources.files(tmp_path / "*.parquet"))


# --- functions ---


def test_a_function_that_fails_says_how() -> None:
    def feed():
        yield SMALL
        raise OSError("the line is dead")

    with pytest.raises(InvalidInput, match="feed raised OSError: the line is dead"):
        read(sources.function(feed))


def test_a_function_by_name_is_found(tmp_path: Path, data: Data) -> None:
    (tmp_path / "feeds.py").write_text("def orders():\n    return [{'id': 1}, {'id': 2}]\n")

    version = data.commit("orders", sources.function(f"{tmp_path}/feeds.py:orders"))

    assert (version.rows, version.source.kind) == (2, "function")


def test_what_has_no_rows_is_refused() -> None:
    with pytest.raises(InvalidInput, match="gave a int"):
        read(sources.function(lambda: 3))


def test_an_address_given_as_a_path_names_what_takes_it(data: Data) -> None:
    with pytest.raises(InvalidInput, match=r"https://h/x.csv is an address.*sources.url"):
        data.commit("x", "https://user:secret@h/x.csv")
