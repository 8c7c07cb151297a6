"""A file of a run shown in place: images, text, tables; active things in a frame of their own."""

from __future__ import annotations

import csv
import io
import json
import math
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from treadle.kernel.errors import TreadleError
from treadle.server.ui.contexts import Preview
from treadle.server.ui.formats import size
from treadle.server.ui.places import artifact_place, raw_place
from treadle.server.ui.widgets import Column

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import BinaryIO

    from treadle.app import App
    from treadle.tracking.entities import Artifact

IMAGES = frozenset({"png", "jpg", "jpeg", "gif", "webp", "svg", "bmp"})
FRAMES = frozenset({"html", "htm"})
STILL = "Its scripts do not run here, and it loads nothing: download it to open it whole."
# What readers raise at a file that is not what its name says, or made to harm whoever looks.
UNREADABLE = (
    TreadleError, OSError, ValueError, TypeError, RecursionError, csv.Error, pa.ArrowException,
)  # fmt: skip
TEXT_BYTES = 64 << 10
HEAD_BYTES = 512 << 10
# A page is no place to read more than this for one look.
WHOLE_BYTES = 32 << 20
UNPACKED_BYTES = 256 << 20
ROWS = 100
COLUMNS = 60
CELL = 160


def preview(app: App, run_id: str, file: Artifact) -> Preview:
    """Return how a file is shown, with the reason when it cannot be."""
    ending = file.path.rpartition(".")[2].lower()
    place = raw_place(run_id, file.path)
    if ending in IMAGES:
        return _shown(run_id, file, kind="image", href=place)
    if ending in FRAMES:
        return _shown(run_id, file, kind="frame", href=place, note=STILL)
    try:
        with app.tracking.open_artifact(run_id, file.path) as stream:
            return _READERS.get(ending, _text)(run_id, file, stream)
    except UNREADABLE as error:
        return _shown(run_id, file, kind="none", note=f"It cannot be shown: {error}")


def _shown(run_id: str, file: Artifact, *, kind: str, **given: Any) -> Preview:
    return Preview(
        kind=kind,
        path=file.path,
        size_bytes=file.size_bytes,
        digest=file.digest,
        download=artifact_place(run_id, file.path),
        **given,
    )


def _text(run_id: str, file: Artifact, stream: BinaryIO) -> Preview:
    head = stream.read(TEXT_BYTES)
    if b"\0" in head:
        return _shown(run_id, file, kind="none", note="It is neither text, a table nor an image.")
    # The cut may have gone through a letter.
    text = head.decode("utf-8", "ignore" if len(head) == TEXT_BYTES else "replace")
    return _shown(run_id, file, kind="text", text=text, note=_cut(file, TEXT_BYTES))


def _json(run_id: str, file: Artifact, stream: BinaryIO) -> Preview:
    if file.size_bytes > HEAD_BYTES:
        return _text(run_id, file, stream)
    value = json.loads(stream.read(HEAD_BYTES))
    text = json.dumps(value, indent=2, ensure_ascii=False)
    text.encode()  # half a surrogate pair is no text, which no page could hold
    table = value if isinstance(value, dict) else {}
    # The form in which a client of MLflow logs a table.
    if isinstance(table.get("columns"), list) and isinstance(table.get("data"), list):
        return _table(run_id, file, table["columns"], table["data"], total=len(table["data"]))
    return _shown(run_id, file, kind="text", text=text[:TEXT_BYTES], note=_cut(file, TEXT_BYTES))


def _separated(run_id: str, file: Artifact, stream: BinaryIO) -> Preview:
    head = stream.read(HEAD_BYTES).decode("utf-8-sig", "replace")
    delimiter = "\t" if file.path.lower().endswith(".tsv") else ","
    reader = csv.reader(io.StringIO(head), delimiter=delimiter)
    columns = next(reader, [])
    rows = [row for row, _ in zip(reader, range(ROWS), strict=False)]
    total = head.count("\n") - 1 if file.size_bytes <= HEAD_BYTES else None
    return _table(run_id, file, columns, rows, total=total)


def _parquet(run_id: str, file: Artifact, stream: BinaryIO) -> Preview:
    if file.size_bytes > WHOLE_BYTES:
        note = f"A table of {size(file.size_bytes)} is not read for a look; download it."
        return _shown(run_id, file, kind="none", note=note)
    found = pq.ParquetFile(pa.BufferReader(stream.read(WHOLE_BYTES)))
    groups = range(found.metadata.num_row_groups)
    unpacked = sum(found.metadata.row_group(at).total_byte_size for at in groups)
    if unpacked > UNPACKED_BYTES:
        note = f"It unpacks to {size(unpacked)}, which is not done for a look; download it."
        return _shown(run_id, file, kind="none", note=note)
    names = found.schema_arrow.names[:COLUMNS]
    batch = next(found.iter_batches(batch_size=ROWS, columns=names), None)
    rows = [] if batch is None else zip(*(c.to_pylist() for c in batch.columns), strict=True)
    return _table(run_id, file, names, rows, total=found.metadata.num_rows)


def _table(
    run_id: str, file: Artifact, columns: Iterable[Any], rows: Iterable[Any], *, total: int | None
) -> Preview:
    names = tuple(str(name)[:CELL] for name in columns)[:COLUMNS]
    cut = (tuple(row)[: len(names)] for row, _ in zip(rows, range(ROWS), strict=False))
    shown = tuple(tuple(map(_cell, row)) + (None,) * (len(names) - len(row)) for row in cut)
    more = total is None or total > len(shown)
    of = "more" if total is None else f"{total:,}"
    return _shown(
        run_id,
        file,
        kind="table",
        columns=tuple(
            Column(name, is_numeric=not any(isinstance(row[at], str) for row in shown))
            for at, name in enumerate(names)
        ),
        rows=shown,
        note=f"The first {len(shown)} rows of {of}." if more else "",
    )


def _cell(value: Any) -> float | str | None:
    if value is None or isinstance(value, bool):
        return None if value is None else str(value)
    if isinstance(value, int | float):
        return value if not isinstance(value, float) or math.isfinite(value) else str(value)
    return str(value)[:CELL]


def _cut(file: Artifact, limit: int) -> str:
    return f"The first {size(limit)} of {size(file.size_bytes)}." if file.size_bytes > limit else ""


_READERS: dict[str, Callable[[str, Artifact, BinaryIO], Preview]] = {
    "json": _json,
    "csv": _separated,
    "tsv": _separated,
    "parquet": _parquet,
}
