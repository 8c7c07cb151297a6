"""Parquet of many columns is read some columns at a time, and gives the same rows."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet as pq

from treadle.data.tables.intake import wide
from treadle.data.tables.intake.arrow import ParquetRows
from treadle.kernel.errors import Unavailable


def _write(path: Path, *, rows: int = 5_000) -> pa.Table:
    numbers = range(rows)
    table = pa.table(
        {
            "a": [{"b": n, "c": [n] * (n % 3)} for n in numbers],
            "a.b": pa.array([n / 7 for n in numbers]),
            "text": pa.array([f"{n}" * (n % 9) or None for n in numbers]),
            "kind": pa.array([f"k{n % 50}" for n in numbers]).dictionary_encode(),
            "list": pa.array([[f"{n}"] * (n % 4) for n in numbers]),
            "large": pa.array([b"x" * (n % 300) for n in numbers], pa.large_binary()),
            "none": pa.nulls(rows),
            "flag": pa.array([n % 2 == 0 for n in numbers]),
        }
    )
    pq.write_table(table, path, row_group_size=2_000)
    return table


@pytest.fixture
def each_column_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wide, "MOST_HELD_BYTES", 0)
    monkeypatch.setattr(wide, "HELD_BYTES", 0)


@pytest.mark.usefixtures("each_column_alone")
def test_columns_read_one_after_the_other_are_the_rows_that_were_written(tmp_path: Path) -> None:
    table = _write(tmp_path / "wide.parquet")

    opened = ParquetRows((tmp_path / "wide.parquet",)).open()
    read = pa.Table.from_batches(opened.batches, schema=opened.schema)

    read.validate(full=True)
    assert read.schema == table.schema
    assert read.to_pylist() == table.to_pylist()


@pytest.mark.usefixtures("each_column_alone")
def test_what_is_kept_of_columns_is_gone_when_reading_ends_early(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "wide.parquet")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "kept"))
    (tmp_path / "kept").mkdir()

    batches = ParquetRows((tmp_path / "wide.parquet",)).open().batches
    next(batches)
    batches.close()  # type: ignore[attr-defined] # a generator

    assert list((tmp_path / "kept").iterdir()) == []


def test_only_pages_of_many_columns_are_too_much_to_hold(tmp_path: Path) -> None:
    column = pa.nulls(wide.COLUMN_BYTES // 8, pa.float64()).fill_null(1.5)
    most = wide.MOST_HELD_BYTES // wide.COLUMN_BYTES
    few = pa.table({f"c{n}": column for n in range(most - 1)})
    many = pa.table({f"c{n}": column for n in range(most + 1)})
    for name, table in (("few", few), ("many", many)):
        pq.write_table(table, tmp_path / name, use_dictionary=False, compression="zstd")

    assert not wide.is_wide(pq.read_metadata(tmp_path / "few"))
    assert wide.is_wide(pq.read_metadata(tmp_path / "many"))


@pytest.mark.usefixtures("each_column_alone")
def test_a_full_disk_is_said_of_the_folder_that_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _write(tmp_path / "wide.parquet")
    full = Path("/dev/full").open("r+b", 0)  # noqa: SIM115 - closed by the reader
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **_: full)

    batches = ParquetRows((tmp_path / "wide.parquet",)).open().batches

    with pytest.raises(Unavailable, match=r"cannot be kept in .*No space left"):
        next(batches)
