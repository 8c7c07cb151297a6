"""Scoring a table: whose rows they are, when they happened, and what the models say."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from treadle.kernel.clock import parse_instant
from treadle.kernel.errors import InvalidInput, TreadleError, counted
from treadle.serving.records import predictions_table, stacked

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from treadle.registry.loaded import LoadedModel
    from treadle.serving.entities import Endpoint, Variant
    from treadle.serving.ports import Assignment

_LOG = logging.getLogger(__name__)
_MICROSECOND = pa.timestamp("us", tz="UTC")


class ModelFailed(TreadleError):
    """A model raised an error of its own while it predicted, after `took_us` microseconds."""

    code = "model_failed"

    def __init__(self, ref: str, *, reason: str, rows: int, took_us: int) -> None:
        super().__init__(
            f"{ref} failed on {counted(rows, 'row')}: {reason}.",
            hint="The model's own code raised this; what it was given is in the request log.",
            version=ref,
        )
        self.took_us = took_us


def keys_of(keys: Any, *, rows: int) -> list[str]:
    """Return one key per row as text. Raises InvalidInput when one is missing."""
    found = _items(keys)
    _one_per_row(found, rows=rows, what="keys")
    if any(key is None for key in found):
        raise InvalidInput(f"The key of row {list(found).index(None)} is missing.")
    return [str(key) for key in found]


def times_of(times: Any, *, rows: int) -> NDArray[np.int64]:
    """Return one instant per row in µs UTC: from µs, timestamps (naive means UTC) or ISO texts."""
    if isinstance(times, pa.Array | pa.ChunkedArray) and pa.types.is_timestamp(times.type):
        times = times.cast(_MICROSECOND, safe=False).cast(pa.int64())
    found = times if isinstance(times, np.ndarray) else _items(times)
    _one_per_row(found, rows=rows, what="times")
    if isinstance(found, np.ndarray) and found.dtype.kind in "iu":
        return found.astype(np.int64)
    return np.fromiter((_instant(item) for item in found), dtype=np.int64, count=rows)


def inputs_for(model: LoadedModel, table: pa.Table) -> pa.Table:
    """Return the columns a model takes, in its order; what is missing the model itself reports."""
    given = table.column_names
    wanted = [field.name for field in model.version.signature.inputs]
    if given == wanted:
        return table
    present = set(given)
    return table.select([name for name in wanted if name in present])


def predict(model: LoadedModel, table: pa.Table) -> tuple[NDArray[np.float64], int]:
    """Return a model's values for a table and how long it took (µs).

    Raises ModelFailed when the model's own code raised; what Treadle explains goes through.
    """
    begun = time.perf_counter()
    try:
        values = np.asarray(model.predict(table), dtype=np.float64)
    except TreadleError:
        raise
    except Exception as error:
        raise ModelFailed(
            model.version.ref,
            reason=f"{type(error).__name__}: {error}",
            rows=table.num_rows,
            took_us=_microseconds_since(begun),
        ) from error
    return values, _microseconds_since(begun)


def tried(model: LoadedModel, table: pa.Table) -> tuple[NDArray[np.float64] | None, int]:
    """Return a model's values and how long it took, or None as values when it failed.

    For shadows: also a request that lacks an input only the shadow takes is the shadow's failure.
    """
    begun = time.perf_counter()
    try:
        return predict(model, table)
    except TreadleError as error:
        _LOG.warning("Shadow %s: %s", model.version.ref, error)
        return None, _microseconds_since(begun)


def score(
    endpoint: Endpoint,
    table: pa.Table,
    *,
    models: Mapping[str, LoadedModel],
    assignment: Assignment,
    ids: Sequence[str],
    keys: Sequence[str],
    at: NDArray[np.int64],
    logged_at: int,
) -> pa.Table:
    """Return what every variant says about its rows, as rows of the request log.

    `ids` holds one id per row for the answers, then one per row for each shadow.
    """
    rows, made = table.num_rows, []
    answer_ids = ids[:rows]
    for position, variant in enumerate(endpoint.variants):
        taken = np.flatnonzero(assignment.answers == position)
        own = answer_ids
        if position in assignment.shadows:
            order = assignment.shadows.index(position) + 1
            own = ids[order * rows : (order + 1) * rows]
            taken = np.arange(rows)
        if not taken.size:
            continue
        chosen = taken.tolist()
        made.append(
            _scored(
                endpoint,
                variant,
                table if taken.size == rows else table.take(pa.array(taken)),
                model=models[variant.version],
                ids=[own[i] for i in chosen],
                answer_ids=[answer_ids[i] for i in chosen],
                keys=[keys[i] for i in chosen],
                at=at[taken],
                logged_at=logged_at,
            )
        )
    return stacked(made)


def _scored(
    endpoint: Endpoint, variant: Variant, table: pa.Table, *, model: LoadedModel, **columns: Any
) -> pa.Table:
    inputs = inputs_for(model, table)
    values, took_us = predict(model, inputs) if variant.answers else tried(model, inputs)
    return predictions_table(
        endpoint=endpoint.name,
        variant=variant.name,
        version=variant.version,
        role=variant.role,
        values=values,
        latency_us=took_us // max(1, table.num_rows),
        inputs=inputs,
        **columns,
    )


def _microseconds_since(begun: float) -> int:
    return int((time.perf_counter() - begun) * 1e6)


def _items(values: Any) -> Sequence[Any]:
    if isinstance(values, pa.Array | pa.ChunkedArray):
        return values.to_pylist()  # type: ignore[no-any-return]  # pyarrow is untyped
    if isinstance(values, np.ndarray):
        return values.tolist()  # type: ignore[no-any-return]  # an array of one dimension gives a list
    return list(values)


def _one_per_row(found: Sequence[Any] | NDArray[Any], *, rows: int, what: str) -> None:
    if len(found) != rows:
        raise InvalidInput(
            f"{counted(rows, 'row')} came with {len(found)} {what}.", hint="Give one per row."
        )


def _instant(item: Any) -> int:
    if isinstance(item, str):
        return parse_instant(item)
    if isinstance(item, int) and not isinstance(item, bool):
        return item
    raise InvalidInput(
        f"{item!r} is not a time.", hint="Give microseconds since 1970 or ISO 8601 text."
    )
