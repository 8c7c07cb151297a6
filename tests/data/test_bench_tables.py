"""The short form of the benchmark of tables: what a change stores does not grow with the table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks import bench_tables as bench

if TYPE_CHECKING:
    import pyarrow as pa

    from treadle.data.service import Data

ROWS = 240_000
PAGE_BYTES = 128 << 10


def stored(data: Data, table: pa.Table) -> int:
    return data.commit("table", table).stored_bytes or 0


def test_rows_inserted_store_half_of_the_part_they_are_in_at_most(data: Data) -> None:
    table = bench.make_table(ROWS, seed=1)
    data.commit("table", table)
    parts = data.parts("table").entries

    inserted = stored(data, bench.with_insertion(table))

    # They are among the first rows of a part, where its dictionaries are still filled.
    assert inserted < max(part.size_bytes for part in parts) / 2
    assert len({e.content for e in data.parts("table").entries} - {e.content for e in parts}) == 1


def test_rows_appended_store_little_more_than_themselves(data: Data) -> None:
    table = bench.make_table(ROWS, seed=1)
    whole = stored(data, table)
    change = whole * bench.APPENDED

    appended = stored(data, bench.with_append(table))

    assert appended < change + table.num_columns * PAGE_BYTES
