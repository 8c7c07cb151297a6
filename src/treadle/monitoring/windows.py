"""One window judged: its rows are read, measured against their version's reference, and named."""

from __future__ import annotations

import functools
import io
import logging
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from treadle.kernel.errors import NotFound, TreadleError
from treadle.kernel.ids import new_id
from treadle.monitoring import distances, judge, store
from treadle.monitoring.entities import (
    Distance,
    Finding,
    Monitor,
    MonitorRules,
    WindowReport,
    WindowState,
)
from treadle.monitoring.inputs import contract_findings
from treadle.monitoring.segments import segments
from treadle.serving import scoring
from treadle.storage.objects import read_bytes

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from treadle.serving.service import Serving
    from treadle.storage.ports import MetadataStore, ObjectStore

_LOGGER = logging.getLogger(__name__)
# References are large and few are in use: of the version that serves and the one before it.
KEPT_REFERENCES = 2
# What a window without enough labels knows of its quality.
_UNKNOWN = dict.fromkeys(judge.Quality.__struct_fields__)


class WindowJudge:
    """Judges windows; keeps the references and the model in use in memory."""

    def __init__(self, *, store: MetadataStore, objects: ObjectStore, serving: Serving) -> None:
        self._store = store
        self._objects = objects
        self._serving = serving
        # Versions and objects are immutable: what was read once stays right.
        self.reference = functools.lru_cache(maxsize=KEPT_REFERENCES)(self._read_reference)
        self._model = functools.lru_cache(maxsize=1)(serving.registry.load)

    def report(self, monitor: Monitor, *, start: int, end: int) -> WindowReport:
        """Return what is known of a window now."""
        rules = monitor.rules
        rows = self._shown(monitor.endpoint, start=start, end=end)
        version = _most_of(rows["version"])
        reference = self._reference_for(monitor, version=version)
        found = self._distances(rows, reference=reference, version=version, rules=rules)
        known = judge.with_outcome(rows)
        now = judge.outcomes_of(known)
        measured = self._quality(now, reference=reference, rules=rules)
        findings = judge.distance_findings(found, threshold=rules.distance_threshold)
        if measured is not None:
            cut_at = rows if reference is None else reference.rows
            moved = judge.quality_findings(
                measured,
                rules=rules,
                cause=lambda: (*segments(known, cut_at=cut_at), *judge.movers(found)),
            )
            findings = (*moved, *findings)
        findings = (*self._of_contract(monitor, rows, version=version), *findings)
        quarantined = self._quarantined(monitor, start=start, end=end)
        return WindowReport(
            id=new_id(),
            monitor=monitor.name,
            start=start,
            end=end,
            version=version,
            rows=rows.num_rows,
            labelled=len(now.label),
            quarantined=quarantined,
            **(_UNKNOWN if measured is None else msgspec.structs.asdict(measured)),
            distances=found,
            state=_state(findings, judged=measured is not None, quarantined=quarantined),
            findings=findings,
            at=end,
        )

    def _shown(self, endpoint: str, *, start: int, end: int) -> pa.Table:
        """Return what callers were shown: the answers of live variants and canaries."""
        rows = self._serving.labelled(endpoint, start=start, end=end)
        return rows.filter(pc.not_equal(rows["role"], "shadow"))

    def _of_contract(
        self, monitor: Monitor, rows: pa.Table, *, version: str
    ) -> tuple[Finding, ...]:
        serving = self._serving
        if not version or serving.endpoint(monitor.endpoint).contract == "off":
            return ()
        try:
            contract = serving.contracts.of(serving.registry.version(version))
        except NotFound:  # it is deleted; what it answered is judged all the same
            return ()
        return () if contract is None else contract_findings(rows, contract)

    def _quality(
        self,
        now: judge.Outcomes,
        *,
        reference: distances.Reference | None,
        rules: MonitorRules,
    ) -> judge.Quality | None:
        if not now.suffice(rules):
            return None
        past = None if reference is None else judge.outcomes_of(reference.rows)
        return judge.quality(now, reference=past, level=rules.level)

    def _distances(
        self,
        rows: pa.Table,
        *,
        reference: distances.Reference | None,
        version: str,
        rules: MonitorRules,
    ) -> tuple[Distance, ...]:
        answered = rows.filter(pc.is_valid(rows["value"]))
        if reference is None or not answered.num_rows:
            return ()
        found = distances.distances(answered, reference=reference)
        try:
            return distances.with_effects(
                found,
                answered,
                reference=reference,
                predict=lambda table: self._predict(version, table),
                threshold=rules.distance_threshold,
            )
        except TreadleError as error:
            # The window is judged all the same; its distances stand without their effects.
            _LOGGER.warning("%s cannot be asked about effects: %s", version, error)
            return found

    def _predict(self, version: str, table: pa.Table) -> NDArray[np.float64]:
        model = self._model(version)
        values, _ = scoring.predict(model, scoring.inputs_for(model, table))
        return values

    def _quarantined(self, monitor: Monitor, *, start: int, end: int) -> int:
        batches = self._serving.label_batches(monitor.endpoint)
        held = (b for b in batches if b.state == "quarantined" and b.joined)
        return sum(b.rows for b in held if b.first_at < end and b.last_at >= start)

    def _reference_for(self, monitor: Monitor, *, version: str) -> distances.Reference | None:
        with self._store.read() as tx:
            own = store.find_reference(tx, monitor.name, version=version)
        chosen = own or monitor.reference
        return None if chosen is None else self.reference(chosen.digest)

    def _read_reference(self, digest: str) -> distances.Reference:
        rows = pq.read_table(io.BytesIO(read_bytes(self._objects, digest)))
        return distances.reference_of(judge.with_outcome(rows))


def _most_of(versions: pa.ChunkedArray) -> str:
    counted = pc.value_counts(versions).to_pylist()
    return max(counted, key=lambda c: (c["counts"], c["values"]))["values"] if counted else ""


def _state(found: tuple[Finding, ...], *, judged: bool, quarantined: int) -> WindowState:
    if not judged:
        return "quarantined" if quarantined else "waiting"
    return "alert" if any(f.alerts for f in found) else "ok"
