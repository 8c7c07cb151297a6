"""Set monitors, judge windows, take labels in, open and close alerts."""

from __future__ import annotations

import io
import logging
from typing import TYPE_CHECKING

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq

from treadle.kernel.clock import format_day
from treadle.kernel.errors import InvalidInput, NotFound, TreadleError
from treadle.kernel.ids import new_id
from treadle.kernel.paging import Page, page_of
from treadle.monitoring import judge, store
from treadle.monitoring.deliveries import Deliveries, LabelSource
from treadle.monitoring.entities import (
    Alert,
    AlertClosed,
    AlertOpened,
    Delivery,
    Finding,
    Monitor,
    MonitorCreated,
    MonitorRules,
    Reference,
    ReferenceSet,
    TakenLabels,
    WindowEvaluated,
    WindowReport,
    check_window,
)
from treadle.monitoring.windows import WindowJudge
from treadle.storage.objects import put_bytes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.service import Data
    from treadle.monitoring.ports import Notifier
    from treadle.serving.service import Serving
    from treadle.storage.ports import MetadataStore, ObjectStore

_LOGGER = logging.getLogger(__name__)


class Monitoring:
    """Watches what is served."""

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        serving: Serving,
        data: Data,
        notifiers: Sequence[Notifier] = (),
    ) -> None:
        self._store = store
        self._objects = objects
        self._serving = serving
        self._notifiers = notifiers
        self._deliveries = Deliveries(serving=serving, data=data)
        self._windows = WindowJudge(store=store, objects=objects, serving=serving)

    def create_monitor(
        self, name: str, *, endpoint: str, rules: MonitorRules | None = None
    ) -> Monitor:
        """Watch an endpoint; a monitor of that name gets the new rules and keeps its reference."""
        self._serving.endpoint(endpoint)
        with self._store.write() as tx:
            before = store.find_monitor(tx, name)
            monitor = Monitor(
                name=name,
                endpoint=endpoint,
                rules=rules or MonitorRules(),
                reference=before.reference if before else None,
                created_at=before.created_at if before else tx.at,
            )
            if monitor != before:
                store.put_monitor(tx, monitor)
                tx.emit(MonitorCreated(monitor=monitor))
        return monitor

    def monitor(self, name: str) -> Monitor:
        """Return a monitor. Raises NotFound."""
        with self._store.read() as tx:
            found = store.find_monitor(tx, name)
            if found is None:
                raise NotFound("monitor", name, known=[m.name for m in store.list_monitors(tx)])
        return found

    def monitors(self) -> tuple[Monitor, ...]:
        """Return every monitor."""
        with self._store.read() as tx:
            return store.list_monitors(tx)

    def set_reference(self, name: str, *, version: str, rows: pa.Table) -> Monitor:
        """Measure from now on against what a version did on held-out rows.

        `rows` has `at` (µs), `value`, `label` and one `x_NAME` per input; all of them labelled.
        """
        outcomes = _reference_outcomes(rows)
        digest = put_bytes(self._objects, _parquet(rows)).digest
        reference = Reference(
            version=version,
            digest=digest,
            rows=rows.num_rows,
            log_loss=float(outcomes.losses.mean()),
        )
        with self._store.write() as tx:
            monitor = self.monitor(name)
            if monitor.reference == reference:
                return monitor
            monitor = msgspec.structs.replace(monitor, reference=reference)
            store.put_monitor(tx, monitor)
            store.put_reference(tx, name, reference=reference)
            tx.emit(ReferenceSet(monitor=name, reference=reference))
        return monitor

    def evaluate(self, name: str, *, start: int, end: int) -> WindowReport:
        """Judge what an endpoint answered from `start` to `end` (µs) with the labels known now.

        Judging a window again changes nothing unless more is known; its report keeps its id.
        """
        check_window(start, end)
        monitor = self.monitor(name)
        found = self._windows.report(monitor, start=start, end=end)
        with self._store.write() as tx:
            store.lock_monitor(tx, name)
            before = store.find_window(tx, name, start=start, end=end)
            report = msgspec.structs.replace(found, at=tx.at, id=before.id if before else found.id)
            if before == msgspec.structs.replace(report, at=before.at if before else 0):
                return before
            store.put_window(tx, report)
            tx.emit(_evaluated(report))
            opened = self._update_alerts(report, endpoint=monitor.endpoint)
        for alert in opened:
            self._notify(alert)
        return report

    def windows(self, name: str, *, limit: int = 100) -> tuple[WindowReport, ...]:
        """Return a monitor's newest windows, oldest first."""
        self.monitor(name)
        with self._store.read() as tx:
            return store.list_windows(tx, name, limit=limit)

    def alerts(
        self,
        *,
        endpoint: str | None = None,
        state: str | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> Page[Alert]:
        """Return alerts, newest first."""
        with self._store.read() as tx:
            items, total = store.list_alerts(
                tx, endpoint=endpoint, state=state, limit=limit, offset=offset
            )
        return page_of(items, total=total, offset=offset)

    def close_alert(self, alert_id: str, *, reason: str) -> Alert:
        """Close an alert by hand, saying why."""
        with self._store.write() as tx:
            alert = store.find_alert(tx, alert_id)
            if alert is None:
                raise NotFound("alert", alert_id)
            if alert.state == "closed":
                return alert
            store.close_alert(tx, alert_id, at=tx.at)
            tx.emit(AlertClosed(alert_id=alert_id, monitor=alert.monitor, reason=reason))
            return msgspec.structs.replace(alert, state="closed", closed_at=tx.at)

    def take_labels(self, name: str, *, ref: str, key: str, label: str) -> Delivery:
        """Join a delivery of labels to the predictions, unless it breaks its contract.

        `ref` is the dataset version that was delivered, `key` and `label` its columns. A delivery
        that fails its contract is quarantined: kept, named, and counted nowhere, until a person
        releases it and it is taken again. While the dataset has no contract, one is learned from
        the labels of the monitor's reference. Taking a delivery in twice changes nothing.
        """
        source = LabelSource(dataset=ref.partition("@")[0], key=key, label=label)
        return self._take(self.monitor(name), ref, source=source)

    def take_deliveries(
        self, name: str, *, dataset: str, key: str, label: str
    ) -> tuple[Delivery, ...]:
        """Take in every version of a dataset of labels that was not taken yet, oldest first."""
        monitor = self.monitor(name)
        source = LabelSource(dataset=dataset, key=key, label=label)
        waiting = self._deliveries.waiting(monitor.endpoint, source)
        return tuple(self._take(monitor, ref, source=source) for ref in waiting)

    def take_rows(
        self, endpoint: str, rows: pa.Table, *, at: int, source_ref: str, dataset: str = ""
    ) -> TakenLabels:
        """Join labels of an endpoint that came by themselves, unless they break their contract.

        `rows` has `key`, `label` and perhaps `prediction_id`. The contract is that of `dataset`,
        where the endpoint's labels are delivered; without one it is learned from the labels of the
        monitor's reference. Sending the same again changes nothing.
        """
        watching = next((m for m in self.monitors() if m.endpoint == endpoint), None)
        return self._deliveries.take_rows(
            endpoint,
            rows,
            at=at,
            source_ref=source_ref,
            dataset=dataset,
            reference=lambda: self._reference_rows(watching),
        )

    def _reference_rows(self, monitor: Monitor | None) -> pa.Table | None:
        known = monitor.reference if monitor else None
        return self._windows.reference(known.digest).rows if known else None

    def _take(self, monitor: Monitor, ref: str, *, source: LabelSource) -> Delivery:
        return self._deliveries.take(
            monitor.endpoint,
            ref,
            source=source,
            reference=lambda: self._reference_rows(monitor),
        )

    def _update_alerts(self, report: WindowReport, *, endpoint: str) -> list[Alert]:
        # Inputs are judged without labels; what labels say stays as it is until they are there.
        is_judged = report.state not in ("waiting", "quarantined")
        moved = {f.kind: f for f in report.findings if f.alerts}
        if not is_judged and "contract" not in moved:
            return []
        with self._store.write() as tx:
            if store.is_followed(tx, report.monitor, start=report.start):
                return []  # what a later window said is newer than this one's late labels
            open_now, _ = store.list_alerts(tx, monitor=report.monitor, state="open")
            for alert in open_now:
                if is_judged and alert.kind not in moved:
                    store.close_alert(tx, alert.id, at=tx.at)
                    reason = f"well again in the window from {format_day(report.start)}"
                    tx.emit(AlertClosed(alert_id=alert.id, monitor=alert.monitor, reason=reason))
            known = {a.kind for a in open_now}
            opened = [
                _alert(f, report=report, endpoint=endpoint, at=tx.at)
                for kind, f in moved.items()
                if kind not in known
            ]
            for alert in opened:
                store.insert_alert(tx, alert)
                tx.emit(AlertOpened(alert=alert))
        return opened

    def _notify(self, alert: Alert) -> None:
        for notifier in self._notifiers:
            try:
                notifier.send(alert)
            except TreadleError as error:
                # An alert nobody heard is still an alert: it stands in the log and on the pages.
                _LOGGER.warning("notifier %s failed: %s", notifier.name, error)


def _evaluated(report: WindowReport) -> WindowEvaluated:
    return WindowEvaluated(
        monitor=report.monitor,
        start=report.start,
        end=report.end,
        state=report.state,
        rows=report.rows,
        labelled=report.labelled,
        log_loss=report.log_loss,
        calibration=report.calibration.estimate if report.calibration else None,
        distance_max=report.distance_max,
    )


def _alert(finding: Finding, *, report: WindowReport, endpoint: str, at: int) -> Alert:
    return Alert(
        id=new_id(),
        monitor=report.monitor,
        endpoint=endpoint,
        kind=finding.kind,
        title=finding.title,
        cause=finding.cause,
        size=finding.size,
        interval=finding.interval,
        window_start=report.start,
        window_end=report.end,
        state="open",
        opened_at=at,
    )


def _reference_outcomes(rows: pa.Table) -> judge.Outcomes:
    missing = {"at", "value", "label"} - set(rows.column_names)
    if missing:
        raise InvalidInput(
            f"The reference lacks {', '.join(sorted(missing))}.",
            hint="Give the held-out rows with at (µs), value, label and x_NAME per input.",
        )
    outcomes = judge.outcomes_of(judge.with_outcome(rows))
    if not len(outcomes.label):
        raise InvalidInput("The reference has no labelled row.")
    return outcomes


def _parquet(rows: pa.Table) -> bytes:
    sink = io.BytesIO()
    pq.write_table(rows, sink, compression="zstd")
    return sink.getvalue()
