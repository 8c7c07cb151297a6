"""A state of an evaluation dataset as a table, to be committed as a dataset version."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pyarrow as pa

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.evaluation.entities import EvaluationRecord

COLUMNS = pa.schema(
    [
        ("record_id", pa.string()),
        ("inputs", pa.string()),
        ("outputs", pa.string()),
        ("expectations", pa.string()),
        ("tags", pa.string()),
        ("source_type", pa.string()),
        ("source_id", pa.string()),
    ]
)


def table_of(pages: Iterable[Sequence[EvaluationRecord]]) -> pa.Table:
    """Return records as a table: a row each, what is nested as JSON with sorted keys.

    Equal records give equal tables, so that a state is committed once however often it is frozen.
    """
    batches = [
        pa.RecordBatch.from_pylist([_row(record) for record in page], schema=COLUMNS)
        for page in pages
    ]
    return pa.Table.from_batches(batches, schema=COLUMNS).combine_chunks()


def _row(record: EvaluationRecord) -> dict[str, str | None]:
    return {
        "record_id": record.id,
        "inputs": _text(record.inputs),
        "outputs": _text(record.outputs),
        "expectations": _text(record.expectations),
        "tags": _text(record.tags),
        "source_type": record.source.type if record.source else None,
        "source_id": record.source.id if record.source else None,
    }


def _text(value: object) -> str | None:
    return None if value is None else json.dumps(value, sort_keys=True)
