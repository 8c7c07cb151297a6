"""A table taken apart into the rows that keep a contract and those that do not, and put together.

Both ways run block by block from Parquet file to Parquet file: no table is in memory as a whole.
"""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, NamedTuple

from treadle.data.checks.failing import Failing
from treadle.data.column_types import as_shown
from treadle.data.entities import HeldRow
from treadle.data.parquet import COMPRESSION_LEVEL, written_schema
from treadle.kernel.errors import Conflict, InvalidInput
from treadle.kernel.late import np, pa, pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path
    from typing import BinaryIO


ROW, CHECKS = "__row", "__checks"
"""Two columns that held rows have beside their own."""
BLOCK = 1 << 17


class Counted(NamedTuple):
    """How many rows were taken out, how many are left, and how many break each check."""

    held: int
    left: int
    checks: dict[str, int]


class Chosen(NamedTuple):
    """Which held rows are meant: those that break a check, those with a value; all by default."""

    check: str = ""
    where: tuple[tuple[str, str], ...] = ()

    def __bool__(self) -> bool:
        return bool(self.check or self.where)


def split(
    table: pa.RecordBatchReader, failing: Iterable[Failing], *, clean: Path, held: Path
) -> Counted:
    """Write the rows that fail to one file, with what they break, and the others to another."""
    counts: Counter[str] = Counter()
    taken, left = 0, 0
    marks = _Marks(failing)
    schema = table.schema
    if {ROW, CHECKS} & set(schema.names):
        raise InvalidInput(
            f"Rows with a column {ROW!r} or {CHECKS!r} cannot be held.", hint="Rename it."
        )
    with _writer(clean, schema) as kept, _writer(held, _with_marks(schema)) as apart:
        start = 0
        for batch in table:
            block = pa.Table.from_batches([batch])
            rows, checks = marks.until(start + batch.num_rows)
            if len(rows):
                some = block.take(pa.array(rows - start))
                apart.write_table(_marked(some, rows, checks))
                counts.update(name for broken in checks for name in broken)
                stays = np.ones(batch.num_rows, dtype=np.bool_)
                stays[rows - start] = False
                block = block.filter(pa.array(stays))
            if block.num_rows:
                kept.write_table(block)
            taken, left = taken + len(rows), left + block.num_rows
            start += batch.num_rows
    return Counted(taken, left, dict(counts))


def divide(held: BinaryIO, chosen: Chosen, *, into: Path, rest: Path) -> tuple[Counted, Counted]:
    """Write the chosen of some held rows to one file and the others to another."""
    names, others = Counter[str](), Counter[str]()
    taken = left = 0
    with pq.ParquetFile(held) as file:
        schema = _schema(file)
        with _writer(into, schema) as chosen_file, _writer(rest, schema) as rest_file:
            for block in _blocks(file, schema):
                is_chosen = _matches(block, chosen)
                for keep, writer, counter in (
                    (is_chosen, chosen_file, names),
                    (~is_chosen, rest_file, others),
                ):
                    part = block.filter(pa.array(keep))
                    if part.num_rows:
                        writer.write_table(part)
                    counter.update(n for broken in part[CHECKS].to_pylist() for n in broken)
                taken += int(is_chosen.sum())
                left += int((~is_chosen).sum())
    return Counted(taken, left, dict(names)), Counted(left, taken, dict(others))


def put_back(table: pa.RecordBatchReader, held: BinaryIO, *, into: Path, ref: str) -> None:
    """Write a table with held rows after its own. Raises Conflict when they do not fit."""
    schema = table.schema
    with pq.ParquetFile(held) as apart, _writer(into, schema) as writer:
        for batch in table:
            writer.write_batch(batch)
        for block in _blocks(apart, _schema(apart)):
            try:
                writer.write_table(block.select(schema.names).cast(schema))
            except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
                raise Conflict(
                    f"The rows in quarantine do not fit the columns of {ref}: {error}.",
                    hint="Read them with client.data.held_rows, mend them, and commit them.",
                ) from error


def held_again(held: BinaryIO) -> Iterator[Failing]:
    """Yield held rows as they were found: their numbers and what they break."""
    with pq.ParquetFile(held) as file:
        for batch in file.iter_batches(batch_size=BLOCK, columns=[ROW, CHECKS]):
            block = pa.Table.from_batches([batch])
            rows = block[ROW].to_numpy().astype(np.int64)
            yield Failing(rows, tuple(tuple(c) for c in block[CHECKS].to_pylist()))


def held_page(
    held: BinaryIO, chosen: Chosen, *, limit: int, offset: int
) -> tuple[list[HeldRow], int]:
    """Return some of the chosen held rows, and how many there are."""
    found: list[HeldRow] = []
    seen = 0
    with pq.ParquetFile(held) as file:
        for block in _blocks(file, _schema(file)):
            part = block.filter(pa.array(_matches(block, chosen))) if chosen else block
            start = max(0, offset - seen)
            room = limit - len(found)
            found += _shown(part.slice(start, room)) if room > 0 and start < part.num_rows else []
            seen += part.num_rows
    return found, seen


class _Marks:
    """The rows that fail, taken up to a row at a time."""

    def __init__(self, failing: Iterable[Failing]) -> None:
        self._coming: Iterator[Failing] = iter(failing)
        self._rows = np.empty(0, dtype=np.int64)
        self._checks: tuple[tuple[str, ...], ...] = ()
        self._is_over = False

    def until(
        self, end: int
    ) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], Sequence[tuple[str, ...]]]:
        """Return the next rows below a number."""
        while not self._is_over and (not len(self._rows) or self._rows[-1] < end):
            more = next(self._coming, None)
            if more is None:
                self._is_over = True
            else:
                self._rows = np.concatenate([self._rows, more.rows])
                self._checks += more.checks
        place = int(np.searchsorted(self._rows, end))
        rows, checks = self._rows[:place], self._checks[:place]
        self._rows, self._checks = self._rows[place:], self._checks[place:]
        return rows, checks


def _matches(block: pa.Table, chosen: Chosen) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    keep = np.ones(block.num_rows, dtype=np.bool_)
    if chosen.check:
        keep &= np.array([chosen.check in broken for broken in block[CHECKS].to_pylist()], bool)
    for name, text in chosen.where:
        keep &= np.array([str(as_shown(v)) == text for v in block[name].to_pylist()], bool)
    return keep


def _shown(block: pa.Table) -> list[HeldRow]:
    return [
        HeldRow(
            row=cells.pop(ROW),
            checks=tuple(cells.pop(CHECKS)),
            values={name: as_shown(value) for name, value in cells.items()},
        )
        for cells in block.to_pylist()
    ]


def _marked(
    block: pa.Table,
    rows: np.ndarray[tuple[int], np.dtype[np.int64]],
    checks: Sequence[tuple[str, ...]],
) -> pa.Table:
    row, broken = _marks()
    block = block.append_column(row, pa.array(rows, row.type))
    return block.append_column(broken, pa.array([list(c) for c in checks], broken.type))


def _marks() -> tuple[pa.Field, pa.Field]:
    return pa.field(ROW, pa.int64()), pa.field(CHECKS, pa.list_(pa.string()))


def _with_marks(schema: pa.Schema) -> pa.Schema:
    return pa.schema([*schema, *_marks()])


def _schema(file: pq.ParquetFile) -> pa.Schema:
    return written_schema(file) or file.schema_arrow.remove_metadata()


def _blocks(file: pq.ParquetFile, schema: pa.Schema) -> Iterator[pa.Table]:
    for batch in file.iter_batches(batch_size=BLOCK):
        yield pa.Table.from_batches([batch]).cast(schema)


def _writer(path: Path, schema: pa.Schema) -> pq.ParquetWriter:
    return pq.ParquetWriter(path, schema, compression="zstd", compression_level=COMPRESSION_LEVEL)
