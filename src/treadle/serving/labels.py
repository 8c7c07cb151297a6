"""Labels: the truth, arriving later, and its join to predictions."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.serving import parts

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from treadle.storage.ports import ObjectStore

FIELDS = pa.schema(
    [
        pa.field("key", pa.string()),
        pa.field("prediction_id", pa.string()),
        pa.field("label", pa.float64(), nullable=False),
    ]
)

# Windows ask the same batches again and again; 128 of 7,000 labels are some 25 MB.
KEPT_BATCHES = 128


def tidy(table: pa.Table) -> pa.Table:
    """Return labels as they are stored: text keys, numbers, the last row of each key.

    A row with a `prediction_id` labels that prediction, any other all predictions of its key. A
    null label says nothing yet and is left out. Raises InvalidInput when types are wrong, NotFound
    when a column is missing.
    """
    for name in ("key", "label"):
        if name not in table.column_names:
            raise NotFound("column in the labels", name, known=table.column_names)
    label = _numbers(table["label"])
    key = _texts(table["key"])
    named = "prediction_id" in table.column_names
    identifier = _texts(table["prediction_id"]) if named else pa.nulls(len(key), pa.string())
    columns = [key, identifier, label]
    stacked = pa.Table.from_arrays(columns, schema=FIELDS).filter(pc.is_valid(label))
    about = pc.coalesce(stacked["prediction_id"], stacked["key"])
    if about.null_count:
        raise InvalidInput(
            f"{about.null_count} labels have neither a key nor a prediction id.",
            hint="Each label must say what it is about.",
        )
    last = {name: row for row, name in enumerate(about.to_pylist())}
    return stacked.take(pa.array(list(last.values()), pa.int64()))


def parquet(table: pa.Table) -> bytes:
    """Return tidy labels as Parquet; equal labels give equal bytes."""
    return parts.parquet_bytes(table, statistics=())


class LabelReader:
    """Reads batches of labels, and keeps the latest of them in memory."""

    def __init__(self, objects: ObjectStore) -> None:
        self._objects = objects
        self._kept = functools.lru_cache(maxsize=KEPT_BATCHES)(self._read)

    def joined(self, predictions: pa.Table, *, batches: Iterable[tuple[str, int]]) -> pa.Table:
        """Return predictions with the columns `label` and `labelled_at`, null where none is there.

        `batches` are digests with the instants they arrived at, newest first. A label holds for
        predictions about things that had happened by then (`at` no later than its arrival); of
        several the newest counts. The predictions have columns `at`, `key` and `answer_id`.
        """
        rows = predictions.num_rows
        labels = np.full(rows, np.nan)
        since = np.zeros(rows, dtype=np.int64)
        at = predictions["at"].to_numpy()
        missing = np.arange(rows)
        for digest, arrived in batches:
            if not missing.size:
                break
            waiting = predictions.select(["key", "answer_id"]).take(pa.array(missing))
            found = self._look_up(waiting, digest=digest)
            fits = ~np.isnan(found) & (at[missing] <= arrived)
            labels[missing[fits]] = found[fits]
            since[missing[fits]] = arrived
            missing = missing[~fits]
        absent = np.isnan(labels)
        return predictions.append_column("label", pa.array(labels, mask=absent)).append_column(
            "labelled_at", pa.array(since, mask=absent)
        )

    def table(self, digest: str) -> pa.Table:
        """Return one batch: columns `key`, `prediction_id`, `label`."""
        return parts.read_part(self._objects, digest)

    def _look_up(self, waiting: pa.Table, *, digest: str) -> NDArray[np.float64]:
        by_key, by_id = self._kept(digest)
        found = _match(waiting["key"], by_key)
        if by_id.num_rows:
            exact = _match(waiting["answer_id"], by_id)
            found = np.where(np.isnan(exact), found, exact)
        return found

    def _read(self, digest: str) -> tuple[pa.Table, pa.Table]:
        table = self.table(digest)
        named = pc.is_valid(table["prediction_id"])
        by_key = table.filter(pc.invert(named)).select(["key", "label"])
        by_id = table.filter(named).select(["prediction_id", "label"])
        return by_key.combine_chunks(), by_id.combine_chunks()


def _match(wanted: pa.ChunkedArray, labels: pa.Table) -> NDArray[np.float64]:
    if not labels.num_rows:
        return np.full(len(wanted), np.nan)
    where = pc.index_in(wanted, value_set=labels.column(0))
    return labels["label"].take(where).to_numpy()  # type: ignore[no-any-return]  # pyarrow is untyped


def _texts(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if pa.types.is_string(column.type) else column.cast(pa.string())


def _numbers(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_boolean(column.type):
        column = column.cast(pa.int8())
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        raise InvalidInput(
            f"Labels must be numbers or true and false, not {column.type}.",
            hint="Encode classes as 0 and 1.",
        )
    numbers = column.cast(pa.float64())
    # A NaN is how some tables write null.
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
