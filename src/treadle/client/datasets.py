"""A dataset by its name: commit to it, and take any version's rows in the form you work with."""

from __future__ import annotations

import importlib
import re
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from treadle.data.branches.entities import MAIN
from treadle.kernel.errors import InvalidInput, NotFound, counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    import pyarrow as pa
    from duckdb import DuckDBPyConnection, DuckDBPyRelation

    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data
    from treadle.data.tables.sources import Source
    from treadle.kernel.paging import Page

_NUMBERED = re.compile(r"v(\d{1,9})")


class DatasetHandle:
    """A dataset: `client.dataset("flights").commit(frame)`, `.version("v3").arrow()`."""

    def __init__(self, name: str, *, data: Data) -> None:
        self.name = name
        self._data = data

    def __repr__(self) -> str:
        return f"<dataset {self.name}>"

    def commit(
        self,
        source: Source | Sequence[Path | str],
        *,
        message: str = "",
        kind: Literal["table", "files"] | None = None,
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
    ) -> VersionHandle:
        """Commit a frame, a file of rows, or files and folders, as the next version.

        A file of rows is CSV, JSON lines, Parquet or Arrow; anything with `__arrow_c_stream__` is a
        frame (pandas, Polars, Arrow, DuckDB), as are a dict of columns, a list of dicts and a
        structured array. `kind="table"` makes several files of the same
        columns one table, `kind="files"` keeps a file of rows as it is. It goes on `branch`, if
        that is where `expect` says, when it is given.
        """
        data, name = self._data, self.name
        on: _On = {"message": message, "branch": branch, "expect": expect, "progress": progress}
        if kind == "table":
            version = data.commit_table(name, source, **on)
        elif kind == "files":
            paths = list(source) if isinstance(source, (list, tuple)) else [source]
            version = data.commit_files(name, paths, **on)  # type: ignore[arg-type] # a frame is refused there
        else:
            version = data.commit(name, source, **on)
        return VersionHandle(version, data=data)

    def revert(
        self,
        asked: str | int,
        *,
        branch: str = MAIN,
        message: str = "",
        expect: str = "",
    ) -> VersionHandle:
        """Make an older version's content the newest again: `revert("v1")`.

        It is a new version on the head of the branch; where that has this content it is the head.
        """
        made = self._data.revert(
            self._found(str(asked)).ref, branch=branch, message=message, expect=expect
        )
        return VersionHandle(self._data.version(made.version), data=self._data)

    def version(self, asked: str | int = "latest") -> VersionHandle:
        """Return a version: `3`, `"v3"`, a digest's start, a branch, tag, time, or latest."""
        return VersionHandle(self._found(str(asked)), data=self._data)

    def versions(self, *, limit: int = 100, offset: int = 0) -> Page[DatasetVersion]:
        """Return what is known of the versions, newest first."""
        return self._data.versions(self.name, limit=limit, offset=offset)

    def log(self, asked: str | int = "latest") -> Iterator[VersionHandle]:
        """Walk from a version, or the head of a branch, back through all it descends from."""
        found = self._found(str(asked))
        history = self._data.history(found.ref)
        return (VersionHandle(version, data=self._data) for version in history)

    def _found(self, asked: str) -> DatasetVersion:
        numbered = _NUMBERED.fullmatch(asked)
        try:
            return self._data.version(f"{self.name}@{asked}")
        except NotFound:
            if numbered is None:  # nothing is called so, then it is the number
                raise
        return self._data.version(f"{self.name}@{numbered[1]}")


class _On(TypedDict):
    message: str
    branch: str
    expect: str
    progress: Callable[[int], None] | None


class VersionHandle:
    """One version of a dataset: its rows as DuckDB's, Arrow's, Polars' or pandas', or as files.

    Every library that takes Arrow streams takes a handle as it is: `polars.DataFrame(handle)`.
    """

    def __init__(self, info: DatasetVersion, *, data: Data) -> None:
        self.info = info
        self._data = data

    def __repr__(self) -> str:
        held = (
            counted(self.info.rows, "row")
            if self.info.is_table
            else counted(self.info.file_count, "file")
        )
        return f"<{self.info.ref}, {held}>"

    @property
    def ref(self) -> str:
        """How to ask for it: `flights@3`."""
        return self.info.ref

    @property
    def number(self) -> int:
        """Its number in its dataset."""
        return self.info.number

    @property
    def rows(self) -> int:
        """How many rows it has; of files none."""
        return self.info.rows

    def arrow(self, columns: Sequence[str] | None = None) -> pa.Table:
        """Return the rows in memory; only some columns when they are named."""
        return self._data.table(self.ref, columns=columns)

    def batches(self, columns: Sequence[str] | None = None) -> pa.RecordBatchReader:
        """Return the rows some at a time: a table of any size in little memory."""
        return self._data.parts(self.ref).batches(columns)

    def scan(self, *, connection: DuckDBPyConnection | None = None) -> DuckDBPyRelation:
        """Return the rows as a DuckDB relation: nothing is read before it is asked.

        `duckdb.sql("SELECT … FROM flights")` finds it by the name of your variable. The files it
        reads are checked, lie in the home and stay for a week after they were last asked for.
        """
        import duckdb  # noqa: PLC0415 - 100 ms and 50 MB, only where a table is scanned

        paths = [str(path) for path in sorted(self.path().glob("part-*.parquet"))]
        return (connection or duckdb.default_connection()).read_parquet(paths)

    def path(self) -> Path:
        """Return a folder with the rows as read-only Parquet files, checked.

        They lie in the home and stay for a week after they were last asked for; `checkout` writes
        files to stay.
        """
        return self._data.parts(self.ref).folder()

    def polars(self, columns: Sequence[str] | None = None) -> Any:
        """Return the rows as a Polars frame."""
        polars = _imported("polars")
        return polars.from_arrow(self.arrow(columns))

    def pandas(self, columns: Sequence[str] | None = None) -> Any:
        """Return the rows as a pandas frame."""
        _imported("pandas")
        return self.arrow(columns).to_pandas()

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        return self.batches().__arrow_c_stream__(requested_schema)


def _imported(name: str) -> Any:
    try:
        return importlib.import_module(name)
    except ImportError as error:
        raise InvalidInput(
            f"{name} is not installed.", hint=f"pip install {name}", package=name
        ) from error
