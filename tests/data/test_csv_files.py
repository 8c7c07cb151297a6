from __future__ import annotations

import csv
import gzip
import io
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from treadle.data.tables.intake.csv_files import SHORT_BYTES, CsvRows, read_csv
from treadle.data.tables.intake.csv_lines import BLOCK_BYTES
from treadle.data.tables.sources import read_file
from treadle.kernel.errors import InvalidInput, NotFound

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

if TYPE_CHECKING:
    from pathlib import Path

    from treadle.data.service import Data
    from treadle.storage.objects import FolderObjectStore

GOOD = b"a,b\n1,x\n2,y\n"


@pytest.fixture
def csv_path(tmp_path: Path) -> Path:
    path = tmp_path / "good.csv"
    path.write_bytes(GOOD)
    return path


def zipped(**members: bytes) -> bytes:
    raw = io.BytesIO()
    with zipfile.ZipFile(raw, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return raw.getvalue()


def test_na_and_empty_are_null() -> None:
    table = read_csv(b'a,b,c\n1,NA,\n,x,""\n', name="t.csv")

    assert table.to_pydict() == {"a": [1, None], "b": [None, "x"], "c": [None, None]}


def test_times_are_microseconds() -> None:
    table = read_csv(b"utc,local\n2013-07-04T12:00:00Z,2013-07-04 12:00:00\n", name="t.csv")

    assert [str(f.type) for f in table.schema] == ["timestamp[us, tz=UTC]", "timestamp[us]"]


def test_nanoseconds_are_kept() -> None:
    table = read_csv(b"at,x\n2013-07-04T12:00:00.123456789,1\n", name="t.csv")

    assert str(table.schema.field("at").type) == "timestamp[ns]"


def test_a_type_is_that_of_all_rows() -> None:
    rows = "".join(f"{n}\n" for n in range(300_000))

    table = read_csv(f"a\n{rows}1.5\n".encode(), name="t.csv")

    assert str(table.schema.field("a").type) == "double"


VAST = "18446744073709551615"
LONG = "1\n" * 600_000


@pytest.mark.parametrize("text", [f"{VAST}\n1\n", f"{LONG}{VAST}\n"], ids=["early", "late"])
def test_whole_numbers_of_which_one_is_no_integer_stay_texts(text: str) -> None:
    table = read_csv(f"a\n{text}".encode(), name="t.csv")

    kept = table["a"].to_pylist()
    assert kept == text.split()


def test_vast_numbers_beside_fractions_are_fractions() -> None:
    table = read_csv(f"a\n{VAST}\n1e30\n\n".encode(), name="t.csv")

    assert table["a"].to_pylist() == [1.8446744073709552e19, 1e30]


def test_quoted_fields_may_hold_commas_quotes_and_lines() -> None:
    table = read_csv(b'a,b\n"1, one","say ""hi"""\n"two\nlines",y\n', name="t.csv")

    assert table.to_pydict() == {"a": ["1, one", "two\nlines"], "b": ['say "hi"', "y"]}


def test_a_stray_quote_inside_a_field_is_text() -> None:
    assert read_csv(b'a,b\n1,6" pipe\n', name="t.csv").to_pydict() == {"a": [1], "b": ['6" pipe']}


@pytest.mark.parametrize("raw", [b"\xef\xbb\xbf" + GOOD, GOOD.replace(b"\n", b"\r\n"), GOOD[:-1]])
def test_a_spreadsheets_habits_are_read(raw: bytes) -> None:
    assert read_csv(raw, name="t.csv").to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (gzip.compress(GOOD), "t.csv.gz"),
        (zstd.compress(GOOD), "t.csv.zst"),
        (zipped(**{"t.csv": GOOD}), "T.CSV.ZIP"),
    ],
    ids=["gzip", "zstd", "zip"],
)
def test_a_packed_csv_is_read(raw: bytes, name: str) -> None:
    assert read_csv(raw, name=name).num_rows == 2


def test_a_broken_row_is_said_with_its_line() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_csv(b"a,b,c\n1,2,3\n4,5\n6,7,8\n", name="trips.csv")

    assert str(caught.value) == (
        "trips.csv has 1 broken row: line 3: expected 3 fields, found 2: '4,5'. "
        "Mend or remove them and commit again; no version was made."
    )
    assert caught.value.data["rows"] == [{"line": 3, "found": 2, "text": "4,5"}]


def test_lines_are_those_of_the_file_not_of_the_rows() -> None:
    raw = b'a,b\n"two\nlines",1\n\n"three\n\nlines",2\n1,2,3\n'

    with pytest.raises(InvalidInput, match="line 8: expected 2 fields, found 3"):
        read_csv(raw, name="t.csv")


def test_five_broken_rows_are_shown_and_all_are_counted() -> None:
    raw = b"a,b\n" + b"1,2\n" * 1000 + b"1\n" * 12

    with pytest.raises(InvalidInput, match=r"12 broken rows.*line 1006.*and 7 more") as caught:
        read_csv(raw, name="t.csv")

    assert "line 1007" not in str(caught.value)
    assert caught.value.data["broken"] == 12


def test_a_long_broken_row_is_cut() -> None:
    with pytest.raises(InvalidInput) as caught:
        read_csv(b"a,b\n" + b"x" * 10_000 + b"\n", name="t.csv")

    assert repr("x" * 80) in str(caught.value)
    assert len(str(caught.value)) < 300


def test_other_readers_of_csv_keep_their_limit() -> None:
    before = csv.field_size_limit()

    with pytest.raises(InvalidInput, match="broken row"):
        read_csv(b'a,b\n"' + b"x" * 200_000 + b'"\n', name="t.csv")

    assert csv.field_size_limit() == before


def test_a_quote_never_closed_is_said_with_the_line_it_opens() -> None:
    with pytest.raises(InvalidInput, match="line 3: a quote is opened and never closed"):
        read_csv(b'a,b\n1,2\n3,"4\n5,6\n7,8\n', name="t.csv")


def test_a_quote_never_closed_in_a_long_file_is_said() -> None:
    raw = b'a,b\n"1,2\n' + b"3,4\n" * 1_000_000

    with pytest.raises(InvalidInput, match="line 2: a quote is opened and never closed"):
        read_csv(raw, name="t.csv")


@pytest.mark.parametrize("raw", [b"", b"\n\n", b"  \r\n"])
def test_an_empty_file_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"t\.csv is empty"):
        read_csv(raw, name="t.csv")


def test_a_header_without_an_end_of_line_is_refused_likewise() -> None:
    with pytest.raises(InvalidInput, match="has a header but no rows"):
        read_csv(b"a,b", name="t.csv")


def test_a_header_alone_is_refused() -> None:
    with pytest.raises(InvalidInput, match="a header but no rows"):
        read_csv(b"a,b\n", name="t.csv")


def test_latin_1_is_said_with_its_line() -> None:
    with pytest.raises(InvalidInput, match=r"line 3 is not UTF-8: byte 0xfc in '2,Zürich'"):
        read_csv("a,b\n1,x\n2,Zürich\n".encode("latin-1"), name="t.csv")


def test_latin_1_in_the_header_is_said() -> None:
    with pytest.raises(InvalidInput, match=r"line 1 is not UTF-8.*iconv"):
        read_csv("größe,b\n1,x\n".encode("latin-1"), name="t.csv")


def test_utf_16_is_said() -> None:
    with pytest.raises(InvalidInput, match="UTF-16"):
        read_csv("a,b\n1,2\n".encode("utf-16"), name="t.csv")


@pytest.mark.parametrize("raw", [b"\x89PNG\r\n\x1a\n\x00\x00\x00", b"PK\x03\x04\x00\x00"])
def test_binary_garbage_is_refused(raw: bytes) -> None:
    with pytest.raises(InvalidInput, match="is no text"):
        read_csv(raw, name="t.csv")


@pytest.mark.parametrize("name", ["t.csv.gz", "t.csv.zst", "t.csv.zip"])
def test_a_damaged_archive_is_refused(name: str) -> None:
    with pytest.raises(InvalidInput, match="cannot be unpacked"):
        read_csv(b"not packed at all", name=name)


def test_an_archive_of_two_files_is_refused_with_their_names() -> None:
    raw = zipped(**{"a.csv": GOOD, "b.csv": GOOD})

    with pytest.raises(InvalidInput, match=r"holds 2 files: a\.csv, b\.csv"):
        read_csv(raw, name="t.csv.zip")


@pytest.mark.parametrize("separator", [";", "\t", "|"])
def test_another_separator_is_said(separator: str) -> None:
    raw = GOOD.decode().replace(",", separator).encode()

    with pytest.raises(InvalidInput, match="separated by"):
        read_csv(raw, name="t.csv")


def test_a_column_named_twice_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("a,b,a\n1,2,3\n")

    with pytest.raises(InvalidInput, match="the column 'a' 2 times"):
        read_file(tmp_path / "t.csv")


def test_a_column_without_a_name_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text(",a\n0,1\n")

    with pytest.raises(InvalidInput, match=r"column 1 has no name.*index=False"):
        read_file(tmp_path / "t.csv")


def test_several_columns_without_a_name_are_said_as_such() -> None:
    with pytest.raises(InvalidInput, match="column 2 has no name"):
        read_csv(b"a,,\n1,2,3\n", name="t.csv")


def test_a_missing_file_suggests_the_one_beside_it(tmp_path: Path) -> None:
    (tmp_path / "flights.csv").write_bytes(GOOD)

    with pytest.raises(NotFound, match=r"No file 'flihgts\.csv'.*Did you mean 'flights\.csv'"):
        read_file(tmp_path / "flihgts.csv")


def test_a_link_to_nothing_is_said_as_such(tmp_path: Path) -> None:
    (tmp_path / "t.csv").symlink_to("gone.csv")

    with pytest.raises(NotFound, match=r"No file 't\.csv'.*a link to gone\.csv"):
        read_file(tmp_path / "t.csv")


def test_a_file_can_be_read_without_committing_it(csv_path: Path) -> None:
    assert read_file(csv_path).to_pydict() == {"a": [1, 2], "b": ["x", "y"]}


def test_a_missing_folder_is_said(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match="is not there"):
        read_file(tmp_path / "nowhere" / "t.csv")


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="is a folder"):
        read_file(tmp_path)


def test_an_unknown_ending_says_the_known_ones(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"PK")

    with pytest.raises(InvalidInput, match=r"\.csv, \.csv\.gz, \.csv\.zst, \.csv\.zip, \.parquet"):
        read_file(tmp_path / "t.xlsx")


def test_a_damaged_parquet_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_bytes(b"PAR1 not really")

    with pytest.raises(InvalidInput, match=r"t\.parquet cannot be read as Parquet"):
        read_file(tmp_path / "t.parquet")


def test_a_refused_file_stores_nothing(
    data: Data, objects: FolderObjectStore, tmp_path: Path
) -> None:
    (tmp_path / "t.csv").write_text("a,b\n1\n")

    with pytest.raises(InvalidInput, match="broken row"):
        data.commit("trips", tmp_path / "t.csv")

    assert list(objects.iterate()) == []
    assert data.datasets().total == 0


def test_a_row_may_be_longer_than_a_short_block_with_lines_of_its_own() -> None:
    long = "\n".join(["some words"] * 60_000)
    raw = "a,b\n" + "".join(f'{n},"{long if n == 9_000 else n}"\n' for n in range(20_000))

    table = read_csv(raw.encode(), name="t.csv")

    assert table.column("b")[9_000].as_py() == long
    assert table.num_rows == 20_000


def test_a_long_file_is_not_in_memory_before_its_rows_are_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"a,b\n" + b"1,x\n" * 10_000_000)
    told: list[int] = []

    batches = CsvRows.of((path,)).open(told.append).batches
    next(batches)

    # Arrow reads on until it is 32 blocks ahead; no more is asked of it in this test.
    assert sum(told) <= BLOCK_BYTES + 40 * SHORT_BYTES
    batches.close()
