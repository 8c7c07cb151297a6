"""Deliveries of labels: one dataset version each, checked before anything learns by it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from treadle.data.contracts import ContractBody, LabelRule
from treadle.data.labels import check_labels, learn_label
from treadle.kernel.clock import DAY_US
from treadle.kernel.errors import InvalidInput, NotFound
from treadle.monitoring.entities import Delivery, TakenLabels

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.data.contracts import Contract
    from treadle.data.entities import CheckResult, DatasetVersion
    from treadle.data.service import Data
    from treadle.serving.entities import LabelBatch
    from treadle.serving.service import Serving


JUDGED_TOGETHER = 1000
"""Labels that come a few at a time are judged with those before them, up to so many …"""
BATCHES_TOGETHER = 100
"""… in so many batches …"""
JUDGED_US = 7 * DAY_US
"""… of the last week."""


class LabelSource(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset whose versions are deliveries, and its columns with key and label."""

    dataset: str
    key: str
    label: str


class Deliveries:
    """Takes deliveries in for an endpoint: the contract decides what counts."""

    def __init__(self, *, serving: Serving, data: Data) -> None:
        self._serving = serving
        self._data = data

    def waiting(self, endpoint: str, source: LabelSource) -> tuple[str, ...]:
        """Return the versions not taken yet, oldest first, and those a person has released."""
        try:
            delivered = self._data.history(source.dataset)
        except NotFound:  # nothing was delivered yet
            return ()
        taken = {b.source_ref: b for b in self._serving.label_batches(endpoint)}
        refs = (version.ref for version in reversed(delivered))
        return tuple(ref for ref in refs if self._is_due(ref, taken.get(ref), source))

    def take(
        self,
        endpoint: str,
        ref: str,
        *,
        source: LabelSource,
        reference: Callable[[], pa.Table | None],
    ) -> Delivery:
        """Join one version's labels to predictions, or keep them aside with the reason."""
        version = self._data.version(ref)
        problem = self._problem(version, source=source, reference=reference)
        state: Literal["accepted", "quarantined"] = "quarantined" if problem else "accepted"
        if _missing(version, source):
            return Delivery(ref=version.ref, state=state, reason=problem)
        rows = self._data.table(version.ref, columns=[source.key, source.label])
        rows = rows.rename_columns(["key", "label"])
        batch = self._serving.log_labels(
            endpoint,
            rows.filter(pc.is_valid(rows["label"])),
            at=version.created_at,
            source_ref=version.ref,
            state=state,
        )
        why = problem or "its quarantine was released"
        batch = self._serving.set_label_state(batch.id, state, reason=why)
        return Delivery(
            ref=version.ref,
            state=state,
            reason=problem,
            rows=batch.rows,
            joined=batch.joined,
            first_at=batch.first_at,
            last_at=batch.last_at,
        )

    def take_rows(
        self,
        endpoint: str,
        rows: pa.Table,
        *,
        at: int,
        source_ref: str,
        dataset: str,
        reference: Callable[[], pa.Table | None],
    ) -> TakenLabels:
        """Join labels that are no dataset's to predictions, or keep them aside with the reason."""
        checks = self._checks(endpoint, rows, at=at, dataset=dataset, reference=reference)
        problem = "; ".join(f"{c.check}: {c.message}" for c in checks if c.verdict == "fail")
        # Of a batch that is sent again, what a person decided meanwhile stands.
        batch = self._serving.log_labels(
            endpoint,
            rows,
            at=at,
            source_ref=source_ref,
            state="quarantined" if problem else "accepted",
            reason=problem,
        )
        held = batch.state == "quarantined"
        return TakenLabels(
            **msgspec.structs.asdict(batch), problem=problem if held else "", checks=checks
        )

    def _checks(
        self,
        endpoint: str,
        rows: pa.Table,
        *,
        at: int,
        dataset: str,
        reference: Callable[[], pa.Table | None],
    ) -> tuple[CheckResult, ...]:
        rule = self._rule(dataset, reference=reference)
        if rule is None:
            return ()
        # A feed that died says its one word in small batches too: they are judged together, those
        # held as well, so that a feed that is well again is believed again.
        labels = [rows["label"].cast(pa.float64())]
        for earlier in self._serving.label_batches(
            endpoint, since=at - JUDGED_US, limit=BATCHES_TOGETHER
        ):
            if sum(map(len, labels)) >= JUDGED_TOGETHER:
                break
            if not _is_delivery(earlier, dataset):
                labels.append(self._serving.labels(earlier.id)["label"])
        chunks = [chunk for column in labels for chunk in column.chunks]
        return check_labels(pa.chunked_array(chunks, pa.float64()), rule=rule)

    def _rule(self, dataset: str, *, reference: Callable[[], pa.Table | None]) -> LabelRule | None:
        """Return what labels may show: by the contract of their dataset, else as learned."""
        contract = self._data.contract(dataset) if dataset else None
        if contract is not None and contract.body.label is not None:
            return contract.body.label
        rows = reference()
        if rows is None:
            return None
        try:
            return _learned(rows, column="label")
        except InvalidInput:  # held-out labels that are all equal teach nothing
            return None

    def _is_due(self, ref: str, batch: LabelBatch | None, source: LabelSource) -> bool:
        if batch is not None:
            return batch.state == "quarantined" and not self._data.is_quarantined(ref)
        unreadable = _missing(self._data.version(ref), source)
        return not (unreadable and self._data.is_quarantined(ref))

    def _problem(
        self,
        version: DatasetVersion,
        *,
        source: LabelSource,
        reference: Callable[[], pa.Table | None],
    ) -> str:
        """Say why a delivery must not count, or nothing; what fails now is quarantined."""
        missing = _missing(version, source)
        known = [
            q for q in self._data.quarantines(version.dataset) if q.version_number == version.number
        ]
        if known and known[0].state != "released":
            return known[0].reason
        if missing:
            reason = f"it has no column {missing[0]!r}"
            self._data.quarantine(version.ref, reason=reason, evidence={"missing": missing})
            return reason
        if known:  # a person looked at it and decided that it counts
            return ""
        return self._broken(version, source=source, reference=reference)

    def _broken(
        self,
        version: DatasetVersion,
        *,
        source: LabelSource,
        reference: Callable[[], pa.Table | None],
    ) -> str:
        contract = self._contract(source, reference=reference)
        if contract is None:
            return ""
        past = self._data.validations(version.ref)
        number = contract.number
        verdict = next((v for v in past if v.contract_number == number), None)
        verdict = verdict or self._data.validate(version.ref)
        reason = "; ".join(c.message for c in verdict.broken())
        if reason:
            evidence = msgspec.to_builtins(verdict)
            self._data.quarantine(version.ref, reason=reason, evidence=evidence)
        return reason

    def _contract(
        self, source: LabelSource, *, reference: Callable[[], pa.Table | None]
    ) -> Contract | None:
        """Return the labels' contract; when nobody set one, learn it from the held-out labels."""
        held = self._data.contract(source.dataset)
        if held is not None:
            return held
        rows = reference()
        if rows is None:
            return None
        try:
            rule = _learned(rows, column=source.label)
        except InvalidInput:  # held-out labels that are all equal teach nothing
            return None
        return self._data.set_contract(source.dataset, ContractBody(label=rule))


def _is_delivery(batch: LabelBatch, dataset: str) -> bool:
    """Whether labels came as a version of their dataset, where they were judged by themselves."""
    return bool(dataset) and batch.source_ref.startswith(f"{dataset}@")


def _learned(rows: pa.Table, *, column: str) -> LabelRule:
    # Bounds by the odds of all held-out labels (moved by 4), not by the spread between their days:
    # those are few, and a world that changes must come through, only a feed that broke must not.
    wide = learn_label(rows["label"], column=column)
    daily = learn_label(rows["label"], column=column, days=rows["at"].to_numpy() // DAY_US)
    return msgspec.structs.replace(wide, constant_days=daily.constant_days)


def _missing(version: DatasetVersion, source: LabelSource) -> list[str]:
    have = {column.name for column in version.columns}
    return [name for name in (source.key, source.label) if name not in have]
