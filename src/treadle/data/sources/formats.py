"""Files as rows: CSV, Parquet, JSON lines and Arrow, told by the ending or by name."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

from treadle.data.tables.intake.origins import Reconsidered
from treadle.data.tables.sources import (
    ARROW_ENDINGS,
    CSV_ENDINGS,
    JSON_ENDINGS,
    PARQUET_ENDINGS,
    origin_of,
)
from treadle.kernel.errors import InvalidInput
from treadle.kernel.late import pa

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from treadle.data.tables.intake.origins import Origin

_ENDINGS = {
    "csv": CSV_ENDINGS,
    "parquet": PARQUET_ENDINGS,
    "jsonl": JSON_ENDINGS,
    "arrow": ARROW_ENDINGS,
}
FORMATS = ("csv", "parquet", "jsonl", "arrow")
MEDIA = {
    "text/csv": "csv",
    "application/vnd.apache.parquet": "parquet",
    "application/x-parquet": "parquet",
    "application/x-ndjson": "jsonl",
    "application/jsonl": "jsonl",
    "application/vnd.apache.arrow.file": "arrow",
    "application/vnd.apache.arrow.stream": "arrow",
}


def format_of(name: str) -> str:
    """Return the format that a file's name tells, empty when it tells none."""
    lowered = name.lower()
    return next((kind for kind, known in _ENDINGS.items() if lowered.endswith(known)), "")


def named_for(name: str, kind: str) -> str:
    """Return a name that tells the format, too."""
    return name if not kind or format_of(name) == kind else f"{name}.{kind}"


@contextmanager
def rows_of(paths: Sequence[Path]) -> Iterator[pa.RecordBatchReader]:
    """Read files of one kind one after the other as one table."""
    origin = origin_of(list(paths))
    if origin.keeps_text:
        _settle(origin)
    opened = origin.open()
    yield pa.RecordBatchReader.from_batches(opened.schema, opened.batches)


def _settle(origin: Origin) -> None:
    """Have a text file know the types of its columns: who reads on cannot begin anew."""
    while True:
        with suppress(Reconsidered):
            for _ in origin.open().batches:
                pass
            return


def require_same(found: pa.Schema, wanted: pa.Schema, *, where: str, first: str) -> None:
    """Raise InvalidInput naming the columns that one file has and the other has not."""
    more = [name for name in found.names if name not in wanted.names]
    less = [name for name in wanted.names if name not in found.names]
    if not more and not less:
        return
    told = [f"lacks {', '.join(less)}"] if less else []
    told += [f"has {', '.join(more)} more"] if more else []
    raise InvalidInput(
        f"{where} is no part of one table with {first}: it {' and '.join(told)}.",
        hint="Commit them as files (--as files), or as two datasets.",
    )


def conformed(batch: pa.RecordBatch, schema: pa.Schema, *, where: str) -> pa.RecordBatch:
    """Return a batch with a schema's columns. Raises InvalidInput when one does not fit."""
    columns = []
    for field in schema:
        column = batch.column(field.name)
        try:
            columns.append(column if column.type == field.type else column.cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise InvalidInput(
                f"{where}: column {field.name!r} is {column.type}, and was {field.type} before: "
                f"{str(error).partition(chr(10))[0]}.",
                hint="Cast it to one type at the source.",
            ) from error
    return pa.RecordBatch.from_arrays(columns, schema=schema)
