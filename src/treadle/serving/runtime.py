"""Answer requests: choose the variant, ask its model, log the prediction, let shadows follow."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import pyarrow as pa

from treadle.kernel.clock import SystemClock
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.ids import new_ids
from treadle.serving import records, scoring
from treadle.serving.contract_log.keeper import ContractKeeper
from treadle.serving.entities import Answer
from treadle.serving.segments import SegmentWriter
from treadle.serving.served import POLL_S, ServedModels
from treadle.serving.shadows import ShadowQueue
from treadle.serving.traffic import ROUTE

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from concurrent.futures import Future
    from pathlib import Path

    from numpy.typing import NDArray

    from treadle.registry.loaded import LoadedModel
    from treadle.serving.entities import Endpoint, Variant
    from treadle.serving.records import Record
    from treadle.serving.service import Serving

SHADOW_DRAIN_S = 5.0

_MACHINE = SystemClock()
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False, kw_only=True)
class Begun:
    """An answer that may be shown once `logged` is done, and what its shadows have left to do."""

    answer: Answer
    logged: Future[None]
    shadows: Callable[[], None] | None


class Runtime:
    """Answers requests to every endpoint.

    **Durability**: `infer` returns after its predictions are on disk. **Shadows** answer after the
    caller was answered; when they fall behind they are left out, and the record of the answer says
    so. **Thread safety**: all verbs may be called from any thread.
    """

    def __init__(self, serving: Serving, *, home: Path, poll_s: float = POLL_S) -> None:
        self._clock = serving.clock
        self.contracts = ContractKeeper(serving.contract_log.write, clock=serving.clock)
        desired = home / "serving" / "desired.json"
        self.models = ServedModels(serving, file=desired, keeper=self.contracts, poll_s=poll_s)
        self._writer = SegmentWriter(serving.log.folder)
        self.shadows = ShadowQueue()

    def start(self) -> None:
        """Load the desired state and follow it from now on, in the background."""
        self.models.start()

    def refresh(self) -> None:
        """Look at the desired state now and load what changed."""
        self.models.refresh()

    def infer(
        self, endpoint: str, table: pa.Table, *, keys: Any = None, times: Any = None
    ) -> Answer:
        """Answer a table, one value per row, once the predictions are on disk.

        Rows without a key get their prediction's id as key; without a time, now. Raises ModelFailed
        (logged, too) when the model's own code raised, Unavailable when the log cannot be written.
        """
        begun = self.begin(endpoint, table, keys=keys, times=times)
        try:
            begun.logged.result()
        finally:
            self.follow(begun)
        return begun.answer

    def begin(
        self,
        endpoint: str,
        table: pa.Table,
        *,
        keys: Any = None,
        times: Any = None,
        number: str | None = None,
    ) -> Begun:
        """Compute an answer; the caller waits until it is logged and then calls `follow`.

        With a version's `number` that version answers, if callers may be shown it.
        """
        rows = table.num_rows
        if not rows:
            raise InvalidInput("The request has no rows.")
        served = self.models.find(endpoint)
        ids = new_ids(rows)
        cells = broken = None
        if served.checks is not None:
            cells = table.to_pydict()
            broken = served.checks.broken(cells, rows=rows, ids=ids)
        request = _Request(
            endpoint=served.endpoint,
            models=served.models,
            table=table,
            cells=cells,
            broken=broken,
            ids=ids,
            keys=ids if keys is None else scoring.keys_of(keys, rows=rows),
            at=self._instants(times, rows=rows),
        )
        return self._answer(request, variants=variants_of(served.endpoint, number=number))

    def follow(self, begun: Begun) -> None:
        """Let the shadows of an answer work, now that the caller has it."""
        if begun.shadows is not None:
            self.shadows.submit(begun.shadows)

    def close(self) -> None:
        """Follow the desired state no longer, let shadows finish, write what waits."""
        self.models.stop()
        if not self.shadows.close(timeout_s=SHADOW_DRAIN_S):
            _LOG.warning("Shadows were still answering after %s s; left behind.", SHADOW_DRAIN_S)
        self._writer.close()
        self.contracts.close()

    def _answer(self, request: _Request, *, variants: Sequence[Variant]) -> Begun:
        assigned = ROUTE.assign(request.keys, variants=variants)
        values = np.empty(len(request.ids))
        made: list[Record] = []
        for position in np.unique(assigned.answers):
            rows = np.flatnonzero(assigned.answers == position)
            values[rows], record = self._predicted(request.taken(rows), variants[position])
            made.append(record)
        shadows = [variants[i] for i in assigned.shadows]
        reserved = bool(shadows) and self.shadows.reserve()
        if shadows and not reserved:
            made[0] = records.without_shadows(made[0], dropped=len(shadows) * len(request.ids))
        answering = [variants[i] for i in assigned.answers]
        return Begun(
            answer=Answer(
                ids=tuple(request.ids),
                values=values,
                variants=tuple(v.name for v in answering),
                versions=tuple(v.version for v in answering),
            ),
            logged=self._writer.append(records.encode(made)),
            shadows=(lambda: self._shadow(request, shadows)) if reserved else None,
        )

    def _predicted(self, request: _Request, variant: Variant) -> tuple[NDArray[np.float64], Record]:
        model = request.models[variant.version]
        inputs = scoring.inputs_for(model, request.table)
        try:
            values, took_us = scoring.predict(model, inputs)
        except scoring.ModelFailed as error:
            # A failure is evidence about the version: it is kept as predictions without a value.
            failed = _record(request, variant, inputs=inputs, took_us=error.took_us)
            self._writer.append(records.encode([failed])).result()
            raise
        return values, _record(request, variant, inputs=inputs, took_us=took_us, values=values)

    def _shadow(self, request: _Request, shadows: list[Variant]) -> None:
        for variant in shadows:
            model = request.models[variant.version]
            inputs = scoring.inputs_for(model, request.table)
            values, took_us = scoring.tried(model, inputs)
            ids = new_ids(len(request.ids))
            record = _record(
                request, variant, inputs=inputs, took_us=took_us, values=values, own_ids=ids
            )
            self._writer.append(records.encode([record])).result()

    def _instants(self, times: Any, *, rows: int) -> NDArray[np.int64]:
        if times is None:
            return np.full(rows, self._clock.now(), dtype=np.int64)
        return scoring.times_of(times, rows=rows)


@dataclass(frozen=True, eq=False, kw_only=True)
class _Request:
    """The rows of one request, and the models that were served when it came."""

    endpoint: Endpoint
    models: Mapping[str, LoadedModel]
    table: pa.Table
    cells: dict[str, list[Any]] | None
    broken: list[str] | None
    ids: list[str]
    keys: list[str]
    at: NDArray[np.int64]

    def taken(self, rows: NDArray[np.intp]) -> _Request:
        if rows.size == len(self.ids):
            return self
        return _Request(
            endpoint=self.endpoint,
            models=self.models,
            table=self.table.take(pa.array(rows)),
            cells=None,
            broken=[self.broken[i] for i in rows] if self.broken else None,
            ids=[self.ids[i] for i in rows],
            keys=[self.keys[i] for i in rows],
            at=self.at[rows],
        )


def variants_of(endpoint: Endpoint, *, number: str | None) -> tuple[Variant, ...]:
    """Return an endpoint's variants, or the one of a number if callers may be shown it."""
    if number is None:
        return endpoint.variants
    known = {v.number: v for v in endpoint.answering}
    if number not in known:
        raise NotFound(f"version of model {endpoint.name!r}", number, known=known)
    # Its share does not matter to who names it; the log keeps its role.
    return (msgspec.structs.replace(known[number], share=1.0),)


def _record(
    request: _Request,
    variant: Variant,
    *,
    inputs: pa.Table,
    took_us: int,
    values: NDArray[np.float64] | None = None,
    own_ids: list[str] | None = None,
) -> Record:
    return records.Record(
        endpoint=request.endpoint.name,
        variant=variant.name,
        version=variant.version,
        role=variant.role,
        ids=own_ids or request.ids,
        answer_ids=request.ids if own_ids else [],
        keys=request.keys,
        at=request.at.tolist(),
        logged_at=_MACHINE.now(),
        values=[] if values is None else values.tolist(),
        latency_us=took_us,
        status="error" if values is None else "ok",
        inputs=_cells(request, inputs),
        broken=request.broken or [],
    )


def _cells(request: _Request, inputs: pa.Table) -> dict[str, list[Any]]:
    """Return inputs as what is logged; they were made of the request already if it was checked."""
    if request.cells is None or inputs.num_rows != len(request.ids):
        cells: dict[str, list[Any]] = inputs.to_pydict()
        return cells
    return {name: request.cells[name] for name in inputs.column_names}
