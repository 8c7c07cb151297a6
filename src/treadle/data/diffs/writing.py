"""Diffs and conflicts as files: Parquet, CSV or JSON lines, a batch at a time."""

from __future__ import annotations

import csv
import os
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.kernel.late import pa, pq

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from treadle.data.diffs.entities import Conflict, RowChange
    from treadle.data.diffs.rows import TableDiff

ENDINGS = (".parquet", ".csv", ".jsonl")
TEXTS = ("kind", "key", "column", "base", "ours", "theirs", "taken", "value")
"""The columns of conflicts in CSV and Parquet."""
ROWS_AT_ONCE = 8_192


def write_diff(diff: TableDiff, path: Path, *, limit: int | None = None) -> int:
    """Write the rows of a diff to a file; return how many. The ending says in which form.

    Parquet is what `apply_diff` takes. JSON lines begin with the summary; a line of CSV is a cell.
    """
    ending = require_ending(path)
    with _draft(path) as draft:
        if ending == ".parquet":
            return _as_parquet(diff, draft, limit=limit)
        if ending == ".csv":
            return _as_csv(diff, draft, limit=limit)
        return _as_lines(draft, [diff.summary], diff.changes(limit=limit))


def write_conflicts(conflicts: Iterable[Conflict], path: Path) -> int:
    """Write conflicts to a file; return how many. Keys and values are JSON in CSV and Parquet.

    What somebody then writes into `taken`, `read_conflicts` reads.
    """
    ending = require_ending(path)
    with _draft(path) as draft:
        if ending == ".jsonl":
            return _as_lines(draft, [], conflicts)
        rows = (_texts(conflict) for conflict in conflicts)
        if ending == ".parquet":
            return _texts_as_parquet(rows, draft)
        with draft.open("w", newline="", encoding="utf-8") as file:
            writer, count = csv.writer(file), 0
            writer.writerow(TEXTS)
            for row in rows:
                writer.writerow(row)
                count += 1
        return count


def require_ending(path: Path) -> str:
    """Return in which form a file is written. Raises InvalidInput for an ending nobody knows."""
    ending = path.suffix.lower()
    if ending not in ENDINGS:
        raise InvalidInput(
            f"{path.name}: in which form?", hint=f"End its name in {', '.join(ENDINGS)}."
        )
    return ending


def _as_parquet(diff: TableDiff, path: Path, *, limit: int | None) -> int:
    count = 0
    with pq.ParquetWriter(path, diff.schema, compression="zstd") as writer:
        for batch in diff.batches(limit=limit, batch_rows=1 << 16):
            writer.write_batch(batch)
            count += batch.num_rows
    return count


def _as_csv(diff: TableDiff, path: Path, *, limit: int | None) -> int:
    count, key = 0, diff.key.columns
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["change", *key, "row_before", "row_after", "column", "before", "after"])
        for change in diff.changes(limit=limit):
            row = [change.kind, *change.key.values(), change.row_before, change.row_after]
            writer.writerows([*row, *cell] for cell in cells_of(change))
            count += 1
    return count


def cells_of(change: RowChange) -> list[tuple[str, Any, Any]]:
    """Return the cells of a row that differ, before and after; all, where it is on one side."""
    before, after = change.before or {}, change.after or {}
    names = change.cells or tuple(after or before)
    return [(name, before.get(name), after.get(name)) for name in names]


def _as_lines(path: Path, first: Iterable[Any], rest: Iterable[Any]) -> int:
    encoder, count = msgspec.json.Encoder(), 0
    with path.open("wb") as file:
        file.writelines(encoder.encode(each) + b"\n" for each in first)
        for each in rest:
            file.write(encoder.encode(each) + b"\n")
            count += 1
    return count


def _texts_as_parquet(rows: Iterator[list[str | None]], path: Path) -> int:
    schema, count = pa.schema([pa.field(name, pa.string()) for name in TEXTS]), 0
    with pq.ParquetWriter(path, schema) as writer:
        while some := list(islice(rows, ROWS_AT_ONCE)):
            columns = [pa.array(cells, pa.string()) for cells in zip(*some, strict=True)]
            writer.write_batch(pa.RecordBatch.from_arrays(columns, schema=schema))
            count += len(some)
    return count


def _texts(conflict: Conflict) -> list[str | None]:
    cells: list[str | None] = [conflict.kind, encoded(conflict.key), conflict.column]
    cells += [encoded(side) for side in (conflict.base, conflict.ours, conflict.theirs)]
    return [*cells, conflict.taken, encoded(conflict.value) if conflict.taken == "value" else None]


def encoded(value: Any) -> str:
    """Return a value as JSON."""
    return msgspec.json.encode(value).decode()


@contextmanager
def _draft(path: Path) -> Iterator[Path]:
    """Yield a name beside a file that takes its place when all went well."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.draft")
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        raise Unavailable(f"Cannot write {path}: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)
