"""Judge candidates, trace predictions, ask the past, check the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.governance import gates, lineage, store, verify_log
from treadle.governance.entities import (
    Candidate,
    EndpointAt,
    GateReport,
    GateRules,
    GatesEvaluated,
    GateTotals,
    Node,
)
from treadle.kernel.clock import format_instant
from treadle.kernel.errors import NotFound, Unavailable
from treadle.kernel.ids import new_id
from treadle.serving.facts import TrafficSet

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from treadle.data.service import Data
    from treadle.evaluation.service import Evaluation
    from treadle.governance.verify_log import LogVerdict
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.serving.service import Serving
    from treadle.storage.keys import Signer
    from treadle.storage.log import EventLog
    from treadle.storage.ports import MetadataStore
    from treadle.tracking.service import Tracking

SHOWN = 3


class Governance:
    """Says no, and proves what happened."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        log: EventLog,
        signer: Signer,
        data: Data,
        tracking: Tracking,
        registry: Registry,
        pipelines: Pipelines,
        serving: Serving,
        evaluation: Evaluation,
    ) -> None:
        self._store = store
        self._log = log
        self._signer = signer
        self._data = data
        self._serving = serving
        self._lineage = lineage.Lineage(
            data=data,
            tracking=tracking,
            registry=registry,
            pipelines=pipelines,
            serving=serving,
            evaluation=evaluation,
        )

    def judge(self, candidate: Candidate, rules: GateRules) -> GateReport:
        """Run every gate on a candidate and store the verdict with its evidence."""
        results = gates.judge(candidate, rules, data_problem=self._data_problem)
        with self._store.write() as tx:
            report = GateReport(
                id=new_id(),
                run_id=candidate.run_id,
                model=candidate.model,
                passed=all(r.passed for r in results),
                results=results,
                at=tx.at,
            )
            store.insert_report(tx, report)
            tx.emit(GatesEvaluated(report=report))
        return report

    def gate_reports(self, run_id: str) -> tuple[GateReport, ...]:
        """Return every gate report about a run, newest first."""
        with self._store.read() as tx:
            return store.reports_of(tx, run_id)

    def gate_totals(self) -> GateTotals:
        """Count the gate reports, and those that passed."""
        with self._store.read() as tx:
            return store.totals(tx)

    def gate_verdicts(self, run_ids: Iterable[str]) -> dict[str, bool]:
        """Say of several runs whether they passed their gates; one never judged is left out."""
        with self._store.read() as tx:
            return store.newest_verdicts(tx, list(run_ids))

    def trace(self, prediction_id: str) -> Node:
        """Follow a prediction back to the files it was made from."""
        return self._lineage.of_prediction(prediction_id)

    def trace_version(self, ref: str) -> Node:
        """Follow a model version back to the files it was made from."""
        return self._lineage.of_model_version(ref)

    def trace_dataset(self, ref: str) -> Node:
        """Follow a dataset version back to its files, and to the records it was frozen from."""
        return self._lineage.of_dataset(ref)

    def trace_evaluation(self, ref: str) -> Node:
        """Follow an evaluation dataset back to what its records were taken from."""
        return self._lineage.of_evaluation(ref)

    def at(self, instant: int, endpoint: str) -> EndpointAt:
        """Say who served what at an instant (µs), since when, why, and who had it so."""
        subject = f"endpoint/{self._serving.endpoint(endpoint).name}"
        found = self._log.read(until=instant, kinds=[TrafficSet.kind], subject=subject)
        if not found:
            raise NotFound(
                "traffic",
                f"{endpoint} at {format_instant(instant)}",
                hint=f"See when it began to serve: treadle endpoints show {endpoint}.",
            )
        event, traffic = found[-1], found[-1].as_fact(TrafficSet)
        live = max(traffic.variants, key=lambda v: (v.role == "live", v.share), default=None)
        return EndpointAt(
            endpoint=endpoint,
            at=instant,
            since=event.at,
            version=live.version if live else "",
            variants=traffic.variants,
            reason=traffic.reason,
            actor=event.actor,
            release_id=traffic.release_id,
            event=event.seq,
        )

    def verify(self) -> LogVerdict:
        """Check the whole event log: chain, numbers, checkpoints, signatures."""
        events = (msgspec.structs.asdict(e) for e in self._log.read())
        seals = [msgspec.structs.asdict(c) for c in self._log.checkpoints()]
        return verify_log.verify(events, seals, self._signer.known())

    def export_log(self, path: Path) -> int:
        """Write the log as JSON lines for `verify_log.py`; return the number of events."""
        encode = msgspec.json.Encoder().encode
        count = 0
        try:
            with path.open("wb") as file:
                for key_id, public in self._signer.known().items():
                    file.write(encode({"key": {"id": key_id, "public": public}}) + b"\n")
                for seal in self._log.checkpoints():
                    file.write(encode({"checkpoint": seal}) + b"\n")
                for event in self._log.read():
                    file.write(encode({"event": event}) + b"\n")
                    count += 1
        except OSError as error:
            raise Unavailable(f"Cannot write {path}: {error.strerror or error}.") from error
        return count

    def _data_problem(self, ref: str) -> str:
        version = self._data.version(ref)
        held = [
            q for q in self._data.quarantines(version.dataset) if q.version_number == version.number
        ]
        if held:  # a person's release outweighs the contract
            return "" if held[0].state == "released" else f"quarantined: {held[0].reason}"
        contract = self._data.contract(version.dataset)
        if contract is None:
            return ""
        past = self._data.validations(version.ref)
        found = next((v for v in past if v.contract_number == contract.number), None)
        broken = (found or self._data.validate(version.ref)).broken()
        reasons = "; ".join(c.message for c in broken[:SHOWN])
        return f"breaks contract {contract.number}: {reasons}" if broken else ""
