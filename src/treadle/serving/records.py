"""The record of one answered request, and its shape as a table.

A record is what a segment keeps: self-describing msgpack, one per request. The table is what a part
keeps: one row per prediction, one column `x_NAME` per model input.
"""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.serving.entities import Prediction, Role, Status

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

INPUT_PREFIX = "x_"

FIELDS = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("answer_id", pa.string(), nullable=False),
        pa.field("endpoint", pa.string(), nullable=False),
        pa.field("at", pa.int64(), nullable=False),
        pa.field("logged_at", pa.int64(), nullable=False),
        pa.field("key", pa.string(), nullable=False),
        pa.field("variant", pa.string(), nullable=False),
        pa.field("version", pa.string(), nullable=False),
        pa.field("role", pa.string(), nullable=False),
        pa.field("value", pa.float64()),
        pa.field("latency_us", pa.int64(), nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("broken", pa.string()),
    ]
)
"""The columns every prediction has; its inputs follow."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Predictions made together by one variant; lists hold one item per row.

    `values` is empty when the model failed. `dropped` counts shadows that had no room to answer.
    `broken` says what each row breaks of the contract; it is empty when all keep it, or none was
    looked at.
    """

    endpoint: str
    variant: str
    version: str
    role: Role
    ids: list[str]
    answer_ids: list[str] = []
    keys: list[str]
    at: list[int]
    logged_at: int
    values: list[float | None] = []
    latency_us: int
    status: Status
    inputs: dict[str, list[float | int | bool | str | None]]
    dropped: int = 0
    broken: list[str] = []


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(list[Record])


def without_shadows(record: Record, *, dropped: int) -> Record:
    """Return the record of an answer behind which this many shadows had no room."""
    return msgspec.structs.replace(record, dropped=dropped)


def encode(records: Sequence[Record]) -> bytes:
    """Return the records of one request as one payload: all of them are kept, or none."""
    return _ENCODER.encode(records)


def decode(payloads: Iterable[bytes]) -> list[Record]:
    """Return every record of some payloads, in order."""
    return [record for payload in payloads for record in _DECODER.decode(payload)]


def tables_of(records: Iterable[Record]) -> dict[str, pa.Table]:
    """Return the predictions of each endpoint as a table sorted by id."""
    by_endpoint: dict[str, list[Record]] = defaultdict(list)
    for record in records:
        by_endpoint[record.endpoint].append(record)
    return {name: _table_of(found).sort_by("id") for name, found in by_endpoint.items()}


def predictions_table(
    *,
    endpoint: str,
    ids: Sequence[str],
    answer_ids: Sequence[str],
    keys: Sequence[str],
    at: Any,
    logged_at: int,
    variant: str,
    version: str,
    role: Role,
    values: Any,
    latency_us: int,
    inputs: pa.Table,
) -> pa.Table:
    """Return predictions one variant made of a table, as rows of the request log.

    `at` and `values` are arrays or lists of one item per row; without `values` the model failed.
    """
    rows = len(ids)

    def same(value: str | int, kind: pa.DataType) -> pa.Array:
        return pa.repeat(pa.scalar(value, kind), rows)

    columns = [
        pa.array(ids, pa.string()),
        pa.array(answer_ids, pa.string()),
        same(endpoint, pa.string()),
        pa.array(at, pa.int64()),
        same(logged_at, pa.int64()),
        pa.array(keys, pa.string()),
        same(variant, pa.string()),
        same(version, pa.string()),
        same(role, pa.string()),
        pa.nulls(rows, pa.float64()) if values is None else _doubles(values),
        same(latency_us, pa.int64()),
        same("error" if values is None else "ok", pa.string()),
        pa.nulls(rows, pa.string()),  # a table is judged as one, by monitors
    ]
    table = pa.Table.from_arrays(columns, schema=FIELDS)
    for name in inputs.column_names:
        table = table.append_column(INPUT_PREFIX + name, inputs[name])
    return table


def stacked(tables: Sequence[pa.Table]) -> pa.Table:
    """Return the rows of all tables; an input that one of them lacks is null there."""
    if not tables:
        return FIELDS.empty_table()
    return pa.concat_tables(tables, promote_options="permissive")


def narrowed(
    table: pa.Table,
    *,
    start: int | None = None,
    end: int | None = None,
    version: str | None = None,
    role: Role | None = None,
) -> pa.Table:
    """Return the rows with `start <= at < end`, of a version and a role."""
    keep = np.ones(table.num_rows, dtype=bool)
    if start is not None or end is not None:
        at = table["at"].to_numpy()
        keep &= (at >= start) if start is not None else True
        keep &= (at < end) if end is not None else True
    for name, wanted in (("version", version), ("role", role)):
        if wanted is not None:
            keep &= pc.equal(table[name], wanted).to_numpy()
    return table if keep.all() else table.filter(pa.array(keep))


def prediction_of(table: pa.Table, *, row: int) -> Prediction:
    """Return one row of the request log as a prediction."""
    cells = table.slice(row, 1).to_pylist()[0]
    inputs = {
        name.removeprefix(INPUT_PREFIX): cells.pop(name)
        for name in table.column_names
        if name.startswith(INPUT_PREFIX)
    }
    return Prediction(**cells, inputs=inputs)


def _table_of(records: list[Record]) -> pa.Table:
    columns: dict[str, list[Any]] = {name: [] for name in FIELDS.names}
    for record in records:
        _extend(columns, record)
    fields = pa.Table.from_pydict(columns, schema=FIELDS)
    for name in sorted({name for record in records for name in record.inputs}):
        cells = [cell for r in records for cell in r.inputs.get(name) or [None] * len(r.ids)]
        fields = fields.append_column(INPUT_PREFIX + name, _cells(cells))
    return fields


def _extend(columns: dict[str, list[Any]], record: Record) -> None:
    rows = len(record.ids)
    columns["id"] += record.ids
    columns["answer_id"] += record.answer_ids or record.ids
    columns["at"] += record.at
    columns["key"] += record.keys
    columns["broken"] += [text or None for text in record.broken] or [None] * rows
    columns["value"] += _doubles(record.values).to_pylist() or [None] * rows
    for name in ("endpoint", "logged_at", "variant", "version", "role", "latency_us", "status"):
        columns[name] += [getattr(record, name)] * rows


def _doubles(values: Any) -> pa.Array:
    # An answer that is no number is no answer: NaN becomes null.
    return pa.array(np.asarray(values, dtype=np.float64), from_pandas=True)


def _cells(cells: list[Any]) -> pa.Array:
    try:
        return pa.array(cells)
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        # Two versions may take an input of one name as a number and as a text.
        return pa.array([None if cell is None else str(cell) for cell in cells], pa.string())
