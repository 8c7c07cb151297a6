"""What every source of data must do. Subclass the suite, and give it a source of known rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pytest

from treadle.data.sources.ports import Above, DataSource
from treadle.kernel.errors import InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

ROWS = pa.table(
    {
        "id": pa.array([1, 2, 3], pa.int64()),
        "name": ["Zürich", None, "Bern"],
        "fare": [2.5, 1000.0, None],
    }
)
SECRET = "geheim-4711"  # noqa: S105 - it is searched for


class DataSourceContract:
    """Override the fixtures; every test must pass.

    `source` gives the rows of `ROWS`, in that order; if it has files, a file with them. `gone` is a
    source of the same kind that cannot be reached; both are made with `SECRET` for a password if
    there is a place for one.
    """

    @pytest.fixture
    def source(self) -> DataSource:
        """The source under test."""
        raise pytest.UsageError("Give the suite a fixture named source")

    @pytest.fixture
    def gone(self) -> DataSource:
        """A source of the same kind, behind which nothing is."""
        raise pytest.UsageError("Give the suite a fixture named gone")

    def test_it_is_a_source(self, source: DataSource) -> None:
        assert isinstance(source, DataSource)

    def test_it_gives_its_rows(self, source: DataSource) -> None:
        with source.read() as reading:
            assert reading is not None
            found = reading.batches.read_all()

        assert found.select(ROWS.column_names).to_pydict() == ROWS.to_pydict()

    def test_a_number_is_a_number_and_a_text_a_text(self, source: DataSource) -> None:
        with source.read() as reading:
            assert reading is not None
            schema = reading.batches.schema

        assert pa.types.is_integer(schema.field("id").type)
        assert schema.field("name").type == pa.string()
        assert schema.field("fare").type == pa.float64()

    def test_it_can_be_read_again(self, source: DataSource) -> None:
        tables = []
        for _ in range(2):
            with source.read() as reading:
                assert reading is not None
                tables.append(reading.batches.read_all())

        assert tables[0] == tables[1]

    def test_a_reading_that_is_left_early_lets_go(self, source: DataSource) -> None:
        with source.read() as reading:
            assert reading is not None

        with source.read() as again:
            assert again is not None
            assert again.batches.read_all().num_rows == ROWS.num_rows

    def test_it_says_where_it_is_without_asking(self, source: DataSource, gone: DataSource) -> None:
        assert source.origin().kind == gone.origin().kind != ""
        assert source.origin().place
        assert not source.origin().mark

    def test_a_reading_says_where_it_is_from(self, source: DataSource) -> None:
        with source.read() as reading:
            assert reading is not None
            assert source.origin().is_same_place(reading.origin)

    def test_no_row_above_a_value_is_left_out(self, source: DataSource) -> None:
        with source.read(above=Above(column="id", value=2)) as reading:
            assert reading is not None
            found = reading.batches.read_all().column("id").to_pylist()

        assert 3 in found

    def test_what_was_left_out_was_counted(self, source: DataSource) -> None:
        with source.read(above=Above(column="id", value=2, key=("id",))) as reading:
            assert reading is not None
            found = reading.batches.read_all().num_rows

        assert found + (reading.older or 0) == ROWS.num_rows

    def test_it_is_unchanged_only_if_it_says_so_itself(self, source: DataSource) -> None:
        with source.read() as reading:
            assert reading is not None
            reading.batches.read_all()
            known = reading.origin

        with source.read(since=known) as again:
            assert (again is None) <= bool(known.mark)
        with source.read(since=msgspec.structs.replace(known, mark="another")) as changed:
            assert changed is not None

    def test_it_has_files_or_says_that_it_has_none(
        self, source: DataSource, tmp_path: Path
    ) -> None:
        folder = tmp_path / "fetched"
        folder.mkdir()
        if not source.has_files:
            with pytest.raises(InvalidInput):
                source.fetch(folder)
            return
        fetched = source.fetch(folder)

        assert fetched is not None
        assert all(path.is_file() for path in fetched.paths)
        assert list(fetched.paths) == sorted(fetched.paths)
        assert source.origin().is_same_place(fetched.origin)

    def test_what_cannot_be_reached_says_so_without_secrets(self, gone: DataSource) -> None:
        with pytest.raises((Unavailable, NotFound, InvalidInput)) as raised, gone.read():
            pass

        assert SECRET not in str(raised.value)
        assert SECRET not in repr(gone.origin())
