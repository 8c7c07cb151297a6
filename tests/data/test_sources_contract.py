"""Every source keeps the contract of the seam."""

from __future__ import annotations

import sqlite3

import duckdb
import httpx2
import psycopg
import pytest
from pyarrow import parquet as pq

from tests.data.served import serving
from treadle.data import sources
from treadle.testing.sources import ROWS, SECRET, DataSourceContract

QUERY = "SELECT * FROM trips ORDER BY id"
CREATE = "CREATE TABLE trips (id BIGINT, name TEXT, fare DOUBLE PRECISION)"


class TestSqlite(DataSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        with sqlite3.connect(tmp_path / "x.db") as made:
            made.execute(CREATE)
            made.executemany("INSERT INTO trips VALUES (?, ?, ?)", rows())
        made.close()
        return sources.sql(f"sqlite:///{tmp_path}/x.db", QUERY)

    @pytest.fixture
    def gone(self, tmp_path):
        return sources.sql(f"sqlite:///{tmp_path}/gone.db", QUERY)


class TestDuckDb(DataSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        with duckdb.connect(tmp_path / "x.duckdb") as made:
            made.execute(CREATE)
            made.executemany("INSERT INTO trips VALUES (?, ?, ?)", rows())
        return sources.sql(f"duckdb:///{tmp_path}/x.duckdb", QUERY)

    @pytest.fixture
    def gone(self, tmp_path):
        return sources.sql(f"duckdb:///{tmp_path}/gone.duckdb", QUERY)


class TestAdbc(TestSqlite):
    @pytest.fixture
    def source(self, tmp_path):
        made = sqlite3.connect(tmp_path / "x.db")
        made.execute(CREATE)
        made.executemany("INSERT INTO trips VALUES (?, ?, ?)", rows())
        made.commit()
        made.close()
        return sources.sql(f"adbc+sqlite:///{tmp_path}/x.db", QUERY)

    @pytest.fixture
    def gone(self, tmp_path):
        return sources.sql(f"adbc+sqlite:///{tmp_path}/gone.db", QUERY)


class TestPostgres(DataSourceContract):
    @pytest.fixture
    def source(self, postgres_url, monkeypatch):
        with psycopg.connect(postgres_url) as made:
            made.execute(CREATE)
            made.cursor().executemany("INSERT INTO trips VALUES (%s, %s, %s)", rows())
        monkeypatch.setenv("DB_PASSWORD", SECRET)
        return sources.sql(postgres_url.replace("app@", "app:${DB_PASSWORD}@"), QUERY)

    @pytest.fixture
    def gone(self):
        return sources.sql(f"postgresql://app:{SECRET}@127.0.0.1:1/gone", QUERY)


class TestFiles(DataSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        folder = tmp_path / "in"
        folder.mkdir()
        pq.write_table(ROWS.slice(0, 1), folder / "1.parquet")
        pq.write_table(ROWS.slice(1), folder / "2.parquet")
        return sources.files(folder / "*.parquet")

    @pytest.fixture
    def gone(self, tmp_path):
        return sources.files(tmp_path / "gone" / "*.csv")


class TestHttp(DataSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        folder = tmp_path / "www"
        folder.mkdir()
        pq.write_table(ROWS, folder / "trips.parquet")
        with serving(folder) as address:
            yield sources.url(f"{address}/trips.parquet?token={SECRET}")

    @pytest.fixture
    def gone(self):
        return sources.url(f"http://user:{SECRET}@127.0.0.1:1/trips.parquet")


class TestObjects(DataSourceContract):
    @pytest.fixture
    def source(self, s3_url, s3_server, tmp_path):
        pq.write_table(ROWS, tmp_path / "trips.parquet")
        key = s3_url.removeprefix("s3://")
        body = (tmp_path / "trips.parquet").read_bytes()
        put = httpx2.put(f"{s3_server}/{key}/trips.parquet", content=body, trust_env=False)
        put.raise_for_status()
        return sources.url(f"{s3_url}/")

    @pytest.fixture
    def gone(self, s3_url):
        return sources.url(f"{s3_url}/gone.parquet")


class TestFsspec(DataSourceContract):
    @pytest.fixture
    def source(self, tmp_path):
        pq.write_table(ROWS, tmp_path / "trips.parquet")
        return sources.url(f"file://{tmp_path}/trips.parquet")

    @pytest.fixture
    def gone(self):
        return sources.url(f"sftp://user:{SECRET}@127.0.0.1:1/trips.parquet")


def give_rows():
    yield ROWS.slice(0, 2)
    yield ROWS.slice(2).to_pylist()


def fail():
    raise OSError("the feed is down")


class TestFunction(DataSourceContract):
    @pytest.fixture
    def source(self):
        return sources.function(give_rows)

    @pytest.fixture
    def gone(self):
        return sources.function(fail)


def rows():
    return [tuple(row.values()) for row in ROWS.to_pylist()]
