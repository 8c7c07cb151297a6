"""The verbs of comparing and merging versions that are tables."""

from __future__ import annotations

import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

from treadle.data.diffs.applying import applied
from treadle.data.diffs.decisions import read_conflicts
from treadle.data.diffs.merging import TableMerge
from treadle.data.diffs.rows import TableDiff
from treadle.data.diffs.tables import Part, Table
from treadle.data.entities import DatasetVersion
from treadle.data.tables.sources import TABLE_ENDINGS, read_file
from treadle.kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import pyarrow as pa

    from treadle.data.contracts import Contract, ContractBody
    from treadle.data.diffs.entities import Conflict, Side
    from treadle.data.tables.parts import TableParts
    from treadle.data.tables.sources import ArrowStream

Compared: TypeAlias = "str | DatasetVersion | Path | pa.Table | ArrowStream"
"""A version, by its ref (`flights@2`) or itself, a CSV or Parquet file, or a frame."""


class _Opened(NamedTuple):
    """A table on disk, what it is called, and the dataset it is a version of, if it is."""

    table: Table
    name: str
    dataset: str


class Diffs:
    """Says what differs between tables, merges them, and carries differences over."""

    if TYPE_CHECKING:

        def parts(self, ref: str) -> TableParts:
            """Return a version's rows."""

        def _parts_of(self, version: DatasetVersion) -> TableParts: ...

        def contract(self, name: str) -> Contract | None:
            """Return the contract of a dataset."""

    def diff(
        self, before: Compared, after: Compared, *, key: Sequence[str] | None = None
    ) -> TableDiff:
        """Say what differs between two tables: columns, rows by key, cells before and after.

        Either is a version, a CSV or Parquet file, or a frame. Without a key it is what the
        contract says (ids, unique columns), else columns found to repeat in no row, else equal rows
        are one row. Counts are there at once; rows are streamed (`changes`, `batches`, `arrow`).
        Close it, or use it in a `with`.
        """
        with ExitStack() as stack:
            one, other = self._opened(before, stack), self._opened(after, stack)
            return TableDiff(
                one.table,
                other.table,
                names=(one.name, other.name),
                key=key,
                contract=self._claims(one, other),
                holding=stack.pop_all(),
            )

    def diff_work(self, before: str, after: str) -> int:
        """Return about how many cells a diff would read: those of parts that only one has."""
        sides = [self.parts(ref) for ref in (before, after)]
        parts = [{e.digest: e.size_bytes for e in s.entries} or {s.version.table: 1} for s in sides]
        cells = 0.0
        for side, mine, other in zip(sides, parts, parts[::-1], strict=True):
            unread = sum(size for digest, size in mine.items() if digest not in other)
            share = unread / (sum(mine.values()) or 1)
            cells += share * side.version.rows * len(side.version.columns)
        return round(cells)

    def merge_tables(
        self,
        base: Compared,
        ours: Compared,
        theirs: Compared,
        *,
        key: Sequence[str] | None = None,
        prefer: Side | None = None,
        prefer_in: Mapping[str, Side] | None = None,
        decided: Path | str | Iterable[Conflict] | None = None,
    ) -> TableMerge:
        """Bring what theirs changed since the base into ours; nothing is committed.

        What both changed differently is a conflict, of which the merged table has ours unless
        `prefer` decides, or `prefer_in` for a column, or for single ones `decided`: conflicts with
        what is taken, or the file that `write_conflicts` wrote and somebody edited. Commit
        `merge.arrow()` once `merge.undecided` is 0.
        """
        if isinstance(decided, (str, Path)):
            decided = read_conflicts(Path(decided))
        with ExitStack() as stack:
            opened = [self._opened(each, stack) for each in (base, ours, theirs)]
            return TableMerge(
                *(each.table for each in opened),
                key=key,
                contract=self._claims(*opened),
                prefer=prefer,
                prefer_in=prefer_in,
                decided=decided,
                holding=stack.pop_all(),
            )

    @contextmanager
    def apply_diff(
        self, table: Compared, diff: TableDiff | Path | str
    ) -> Iterator[pa.RecordBatchReader]:
        """Yield a table with a diff applied, as a stream: a diff, or a Parquet file of one.

        Raises Conflict when the table has not what the diff changes or removes.
        """
        with ExitStack() as stack:
            opened = self._opened(table, stack)
            given = diff.arrow() if isinstance(diff, TableDiff) else Path(diff)
            yield stack.enter_context(applied(opened.table, given))

    def _claims(self, *opened: _Opened) -> ContractBody | None:
        name = next((each.dataset for each in opened if each.dataset), "")
        contract = self.contract(name) if name else None
        return contract.body if contract else None

    def _opened(self, source: Compared, stack: ExitStack) -> _Opened:
        if isinstance(source, DatasetVersion):
            return _laid_out(self._parts_of(source), stack)
        if not isinstance(source, str):
            return _from_outside(source, stack)
        try:
            parts = self.parts(source)
        except NotFound:
            if source.lower().endswith(TABLE_ENDINGS):
                return _from_outside(Path(source), stack)
            raise
        return _laid_out(parts, stack)


def _laid_out(parts: TableParts, stack: ExitStack) -> _Opened:
    paths = stack.enter_context(parts.on_disk()).paths
    digests = [entry.digest for entry in parts.entries] or [parts.version.table]
    named = zip(paths, digests, strict=True)
    table = Table([Part(path, digest) for path, digest in named])
    return _Opened(table, parts.version.ref, parts.version.dataset)


def _from_outside(source: Path | pa.Table | ArrowStream, stack: ExitStack) -> _Opened:
    """Lay a file or frame out as the Parquet file that it would be committed as."""
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="treadle-"))
    name = source.name if isinstance(source, Path) else f"a {type(source).__name__}"
    rows = read_file(source)
    return _Opened(Table.write(rows, Path(folder) / "table.parquet"), name, "")
