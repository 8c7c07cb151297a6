from __future__ import annotations

import io

import duckdb
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from treadle.client.tables import as_file, as_table, described
from treadle.errors import InvalidInput

ROWS = [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]
TABLE = pa.Table.from_pylist(ROWS)


@pytest.fixture(scope="module")
def frames():
    with duckdb.connect() as connection:
        yield {
            "arrow": TABLE,
            "pandas": pd.DataFrame(ROWS),
            "duckdb": connection.sql(
                "SELECT * FROM (VALUES (1::BIGINT, 'x'), (2, 'y')) AS r (a, b)"
            ),
            "columns": {"a": [1, 2], "b": ["x", "y"]},
            "rows": ROWS,
        }


@pytest.mark.parametrize("kind", ["arrow", "pandas", "duckdb", "columns", "rows"])
def test_a_frame_of_any_library_is_a_table(frames, kind):
    assert as_table(frames[kind]).to_pylist() == ROWS


@pytest.mark.parametrize("thing", [3, "rows.csv", [1, 2], {"a": [1], "b": [1, 2]}])
def test_what_has_no_rows_is_no_table(thing):
    with pytest.raises(InvalidInput, match="no table"):
        as_table(thing)


def test_a_table_is_written_as_its_path_ends():
    assert pq.read_table(io.BytesIO(as_file(ROWS, "t.parquet"))).to_pylist() == ROWS
    assert as_file(ROWS, "t.csv") == b'"a","b"\n1,"x"\n2,"y"\n'
    assert as_file(ROWS, "t.json") == b'{"columns":["a","b"],"data":[[1,"x"],[2,"y"]]}'


def test_an_ending_nobody_knows_is_refused_with_those_that_are_known():
    with pytest.raises(InvalidInput, match=r"\.parquet, \.csv, \.json"):
        as_file(ROWS, "t.xlsx")


def test_the_digest_is_of_the_rows_not_of_how_a_library_holds_them(frames):
    cut = pa.concat_tables([TABLE.slice(0, 1), TABLE.slice(1, 1)])

    digests = {described(t, name="t", context="").digest for t in (*frames.values(), cut)}

    assert cut.column("a").num_chunks == 2
    assert [len(digest) for digest in digests] == [32]


def test_the_digest_tells_names_types_and_values_apart():
    others = [
        TABLE.rename_columns(["a", "c"]),
        TABLE.set_column(0, "a", TABLE["a"].cast(pa.float64())),
        TABLE.take([1, 0]),
        TABLE,
    ]

    assert len({described(t, name="t", context="").digest for t in others}) == 4
