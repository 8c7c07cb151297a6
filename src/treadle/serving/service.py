"""Serve models: endpoints and their traffic, predictions logged, labels joined."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.clock import HOUR_US, Clock, SystemClock
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import is_id, new_id, new_ids
from treadle.registry.rules import check_name
from treadle.serving import labels as labelling
from treadle.serving import scoring, store
from treadle.serving.contract_log.service import ContractLog
from treadle.serving.entities import (
    BatchResult,
    Endpoint,
    LabelBatch,
    TrafficChange,
    check_traffic,
)
from treadle.serving.facts import (
    ContractModeSet,
    EndpointCreated,
    LabelsJoined,
    LabelStateChanged,
    TrafficSet,
)
from treadle.serving.kept import KeptModels
from treadle.serving.requestlog import RequestLog
from treadle.serving.tallies import Tallies, Tally
from treadle.serving.traffic import ROUTE
from treadle.serving.training_contracts import TrainingContracts
from treadle.storage.objects import put_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from treadle.kernel.paging import Page
    from treadle.registry.service import Registry
    from treadle.serving.contract_log.entities import BrokenExample, ContractCounts
    from treadle.serving.entities import (
        ContractMode,
        LabelState,
        Prediction,
        PredictionPart,
        Role,
        Variant,
    )
    from treadle.serving.training_contracts import RequestContract
    from treadle.storage.events import Event
    from treadle.storage.ports import MetadataStore, ObjectStore
    from treadle.storage.transaction import Transaction

_MACHINE = SystemClock()
KEPT_MODELS = 8
CONTRACT_MODES = ("off", "warn", "refuse")
BROKEN_OUTCOMES = ("warned", "refused")
_LABEL_JOIN = ("at", "key", "answer_id")
_LABEL_COLUMNS = ("label", "labelled_at")


class Serving:
    """Endpoints, their traffic, their predictions and the labels of those.

    `home` is this machine's folder: the segments of its inference process lie beneath it. `clock`
    is the project's; a replay's tells its own time.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        objects: ObjectStore,
        registry: Registry,
        home: Path,
        clock: Clock = _MACHINE,
    ) -> None:
        self._store = store
        self._objects = objects
        self.registry = registry
        self.clock = clock
        self.contracts = TrainingContracts(store)
        self.contract_log = ContractLog(store)
        self.log = RequestLog(store=store, objects=objects, folder=home / "serving" / "segments")
        self._labels = labelling.LabelReader(objects)
        self._tallies = Tallies(store=store, objects=objects)
        # Versions are immutable: a loaded one stays right. Few are in use at a time.
        self._models = KeptModels(registry, most=KEPT_MODELS)

    # --- endpoints and traffic ---

    def create_endpoint(self, name: str, model: str) -> Endpoint:
        """Make an endpoint for a model; it answers once it has traffic.

        Raises Conflict when there is one of this name.
        """
        check_name(name, what="endpoint")
        with self._store.write() as tx:
            self.registry.hold(model)  # it may come later; but it must not go meanwhile
            if store.find_endpoint(tx, name) is not None:
                raise Conflict(f"There is an endpoint {name!r} already.", name=name)
            endpoint = Endpoint(
                name=name, model=model, variants=(), revision=0, created_at=tx.at, updated_at=tx.at
            )
            store.insert_endpoint(tx, endpoint)
            tx.emit(EndpointCreated(name=name, model=model))
        return endpoint

    def set_traffic(
        self,
        name: str,
        variants: Iterable[Variant],
        *,
        reason: str,
        release_id: str | None = None,
    ) -> Endpoint:
        """Say which versions answer an endpoint, with which shares.

        Versions may be named by alias (`late@champion`) and are kept by number. Raises InvalidInput
        when the shares of live and canary variants do not sum to 1, NotFound for unknown versions.
        """
        with self._store.write() as tx:
            before = self._held(tx, name)
            pinned = tuple(self._pinned(v) for v in variants)
            check_traffic(pinned, model=before.model)
            after = msgspec.structs.replace(
                before, variants=pinned, revision=before.revision + 1, updated_at=tx.at
            )
            store.update_traffic(tx, after)
            tx.emit(
                TrafficSet(
                    name=name,
                    revision=after.revision,
                    variants=pinned,
                    reason=reason,
                    release_id=release_id,
                )
            )
        return after

    def set_contract_mode(self, name: str, mode: ContractMode, *, reason: str) -> Endpoint:
        """Say what becomes of requests that break the contract of the model's training data.

        `off` looks at none, `warn` notes it with the answer and counts it, `refuse` answers with
        the broken claims. A claim that tolerates a share of rows only ever warns.
        """
        if mode not in CONTRACT_MODES:
            raise InvalidInput(
                f"There is no contract mode {mode!r}.", hint=f"One of {', '.join(CONTRACT_MODES)}."
            )
        with self._store.write() as tx:
            before = self._held(tx, name)
            if before.contract == mode:
                return before
            after = msgspec.structs.replace(
                before, contract=mode, revision=before.revision + 1, updated_at=tx.at
            )
            store.update_traffic(tx, after)
            tx.emit(ContractModeSet(name=name, revision=after.revision, mode=mode, reason=reason))
        return after

    def request_contract(self, name: str) -> RequestContract | None:
        """Return what requests to an endpoint must keep: claims about its live model's inputs."""
        live = next((v for v in self.endpoint(name).answering if v.role == "live"), None)
        return self.contracts.of(self.registry.version(live.version)) if live else None

    def contract_counts(self, name: str, *, hours: float = 24) -> ContractCounts:
        """Return how many requests and rows broke the contract lately, by claim.

        Counted by five minutes, from two days ago back by day: `since` says from when on. What
        an inference process has not written yet (at most 30 s) is not in it.
        """
        now = self.clock.now()
        if not 0 < hours * HOUR_US <= now:
            raise InvalidInput(f"{hours:g} hours cannot be looked back.", hint="Try hours=24.")
        self.endpoint(name)
        return self.contract_log.counts(name, since=now - int(hours * HOUR_US))

    def broken_examples(
        self,
        name: str,
        *,
        claim: str = "",
        outcome: str = "",
        limit: int = 100,
        offset: int = 0,
    ) -> Page[BrokenExample]:
        """Return rows that broke the contract, the newest first: of a claim, of an outcome, or all.

        Of each claim, outcome and day the newest five are kept, for 30 days, without the values of
        sensitive columns.
        """
        if outcome and outcome not in BROKEN_OUTCOMES:
            raise InvalidInput(
                f"There is no outcome {outcome!r}.", hint=f"One of {', '.join(BROKEN_OUTCOMES)}."
            )
        self.endpoint(name)
        return self.contract_log.examples(
            name, claim=claim, outcome=outcome, limit=limit, offset=offset
        )

    def endpoint(self, name: str) -> Endpoint:
        """Return an endpoint with its traffic."""
        with self._store.read() as tx:
            return self._find(tx, name)

    def endpoints(self) -> tuple[Endpoint, ...]:
        """Return every endpoint by name."""
        with self._store.read() as tx:
            return store.all_endpoints(tx)

    def revisions(self) -> dict[str, int]:
        """Return the revision of every endpoint; cheap enough to ask several times a second."""
        with self._store.read() as tx:
            return store.revisions(tx)

    def history(self, name: str) -> tuple[TrafficChange, ...]:
        """Return every change of an endpoint's traffic, oldest first, from the event log."""
        with self._store.read() as tx:
            endpoint = self._find(tx, name)
            subject = EndpointCreated(name=name, model=endpoint.model).subject()
            found = store.traffic_events(tx, subject=subject, kind=TrafficSet.kind)
        return tuple(_change(event) for event in found)

    def rebuild(self, events: Iterable[Event]) -> None:
        """Write the endpoints anew from the log's events; what the tables held before is gone."""
        with self._store.write() as tx:
            store.clear_endpoints(tx)
            for event in events:
                if event.kind == EndpointCreated.kind:
                    store.insert_endpoint(tx, _created(event))
                elif event.kind == TrafficSet.kind:
                    store.update_traffic(tx, self._changed(tx, event))
                elif event.kind == ContractModeSet.kind:
                    store.update_traffic(tx, self._with_mode(tx, event))

    # --- predictions ---

    def score_batch(
        self,
        endpoint: str,
        table: pa.Table,
        *,
        keys: Any,
        times: Any,
        source_ref: str | None = None,
    ) -> BatchResult:
        """Score a table with every variant and log it: answers by sticky share, shadows beside.

        `keys` and `times` hold one item per row. A `source_ref` that was scored before is not
        scored again: its result is returned. When a variant that answers fails, nothing is logged;
        a shadow's failure is logged as predictions without a value.
        """
        source = f"{endpoint}/{source_ref or new_id()}"
        logged = self.log.logged(endpoint, source=source) if source_ref else None
        if logged is not None:
            return logged
        served = self.endpoint(endpoint)
        if not served.variants:
            raise Conflict(
                f"Endpoint {endpoint!r} has no traffic yet.", hint="Call set_traffic first."
            )
        rows = table.num_rows
        if not rows:
            return BatchResult(endpoint=endpoint, source=source, rows=0, parts=())
        texts = scoring.keys_of(keys, rows=rows)
        scored = scoring.score(
            served,
            table,
            models={v.version: self._models.load(v.version) for v in served.variants},
            assignment=ROUTE.assign(texts, variants=served.variants),
            ids=new_ids(rows * (1 + len(served.shadows))),
            keys=texts,
            at=scoring.times_of(times, rows=rows),
            logged_at=_MACHINE.now(),
        )
        return self.log.log_table(scored, endpoint=endpoint, source=source)

    def compact(self) -> tuple[PredictionPart, ...]:
        """Move finished segments of this home into Parquet; any process may, at any time."""
        return self.log.compact()

    def prediction(self, identifier: str) -> Prediction:
        """Find one prediction by its id."""
        if not is_id(identifier):
            raise InvalidInput(f"{identifier!r} is no id.", hint="An id has 32 hex digits.")
        return self.log.prediction(identifier)

    def predictions(
        self,
        endpoint: str,
        *,
        start: int | None = None,
        end: int | None = None,
        version: str | None = None,
        role: Role | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return predictions about what happened in `start <= at < end` (µs), ordered by id.

        Columns: see `records.FIELDS`, then `x_NAME` per model input.
        """
        return self.log.read(
            endpoint, start=start, end=end, version=version, role=role, columns=columns
        )

    def first_prediction_at(self, endpoint: str) -> int | None:
        """Return the earliest instant a prediction is about; None before the first."""
        return self.log.first_at(endpoint)

    def tally(self, endpoint: str) -> Tally:
        """Count what each version answered, by day, with errors and latencies, as compacted."""
        with self._store.read() as tx:
            self._find(tx, endpoint)
        return self._tallies.of(endpoint)

    # --- labels ---

    def log_labels(
        self,
        endpoint: str,
        table: pa.Table,
        *,
        at: int,
        source_ref: str,
        state: LabelState = "accepted",
        reason: str = "",
    ) -> LabelBatch:
        """Store labels that arrived at an instant: columns `key`, `label`, perhaps `prediction_id`.

        A `reason` says why they are in quarantine. The same labels from the same source are stored
        once. Null labels are left out: a label that is not there yet is no label.
        """
        tidied = labelling.tidy(table)
        joined, first_at, last_at = self.log.reach(endpoint, tidied, until=at)
        digest = put_bytes(self._objects, labelling.parquet(tidied)).digest
        with self._store.write() as tx:
            self._find(tx, endpoint)
            known = store.same_labels(tx, endpoint, source_ref=source_ref, digest=digest)
            if known is not None:
                return known
            batch = LabelBatch(
                id=new_id(),
                endpoint=endpoint,
                source_ref=source_ref,
                state=state,
                rows=tidied.num_rows,
                joined=joined,
                at=at,
                first_at=first_at,
                last_at=last_at,
                digest=digest,
            )
            store.insert_labels(tx, batch)
            tx.emit(_joined(batch, reason=reason))
        return batch

    def labelled(
        self,
        endpoint: str,
        *,
        start: int | None = None,
        end: int | None = None,
        version: str | None = None,
        role: Role | None = None,
        columns: Sequence[str] | None = None,
    ) -> pa.Table:
        """Return predictions with the columns `label` and `labelled_at`, null while there is none.

        Only accepted labels count, the newest per key; a label holds for predictions about things
        that had happened when it arrived.
        """
        asked = None if columns is None else [n for n in columns if n not in _LABEL_COLUMNS]
        wanted = None if asked is None else [*dict.fromkeys([*asked, *_LABEL_JOIN])]
        found = self.predictions(
            endpoint, start=start, end=end, version=version, role=role, columns=wanted
        )
        with self._store.read() as tx:
            batches = store.label_batches(tx, endpoint, state="accepted", since=start)
        joined = self._labels.joined(found, batches=((b.digest, b.at) for b in batches))
        return joined if asked is None else joined.select([*asked, *_LABEL_COLUMNS])

    def label_batches(
        self, endpoint: str, *, since: int | None = None, limit: int | None = None
    ) -> tuple[LabelBatch, ...]:
        """Return an endpoint's batches of labels, newest first: arrived since, at most so many."""
        with self._store.read() as tx:
            self._find(tx, endpoint)
            return tuple(store.label_batches(tx, endpoint, since=since, limit=limit))

    def label_batch(self, batch: str) -> LabelBatch:
        """Return one batch of labels by its id."""
        with self._store.read() as tx:
            return _found(store.find_labels(tx, batch), batch)

    def labels(self, batch: str) -> pa.Table:
        """Return the labels of a batch: `key`, `prediction_id`, `label`."""
        return self._labels.table(self.label_batch(batch).digest)

    def set_label_state(self, batch: str, state: LabelState, *, reason: str) -> LabelBatch:
        """Accept a batch of labels, or set it aside so that nothing learns or judges by it."""
        with self._store.write() as tx:
            before = _found(store.find_labels(tx, batch), batch)
            if before.state == state:
                return before
            store.set_label_state(tx, batch, state=state)
            tx.emit(
                LabelStateChanged(endpoint=before.endpoint, batch=batch, state=state, reason=reason)
            )
        return msgspec.structs.replace(before, state=state)

    # --- inside ---

    def _find(self, tx: Transaction, name: str) -> Endpoint:
        endpoint = store.find_endpoint(tx, name)
        if endpoint is None:
            raise NotFound("endpoint", name, known=store.revisions(tx))
        return endpoint

    def _held(self, tx: Transaction, name: str) -> Endpoint:
        """Return an endpoint; till the end nobody deletes a version of its model or sets traffic.

        Who deletes a version holds the model too, before it looks for endpoints that need it.
        """
        self.registry.hold(self._find(tx, name).model)
        return self._find(tx, name)

    def _pinned(self, variant: Variant) -> Variant:
        version = self.registry.version(variant.version)
        return msgspec.structs.replace(variant, version=version.ref)

    def _changed(self, tx: Transaction, event: Event) -> Endpoint:
        fact = event.as_fact(TrafficSet)
        return msgspec.structs.replace(
            self._find(tx, fact.name),
            variants=fact.variants,
            revision=fact.revision,
            updated_at=event.at,
        )

    def _with_mode(self, tx: Transaction, event: Event) -> Endpoint:
        fact = event.as_fact(ContractModeSet)
        return msgspec.structs.replace(
            self._find(tx, fact.name),
            contract=fact.mode,
            revision=fact.revision,
            updated_at=event.at,
        )


def _created(event: Event) -> Endpoint:
    fact = event.as_fact(EndpointCreated)
    return Endpoint(
        name=fact.name,
        model=fact.model,
        variants=(),
        revision=0,
        created_at=event.at,
        updated_at=event.at,
    )


def _change(event: Event) -> TrafficChange:
    fact = event.as_fact(TrafficSet)
    return TrafficChange(
        revision=fact.revision,
        variants=fact.variants,
        reason=fact.reason,
        release_id=fact.release_id,
        at=event.at,
        actor=event.actor,
        seq=event.seq,
    )


def _found(batch: LabelBatch | None, identifier: str) -> LabelBatch:
    if batch is None:
        raise NotFound("label batch", identifier)
    return batch


def _joined(batch: LabelBatch, *, reason: str) -> LabelsJoined:
    return LabelsJoined(
        reason=reason,
        endpoint=batch.endpoint,
        batch=batch.id,
        source_ref=batch.source_ref,
        state=batch.state,
        rows=batch.rows,
        joined=batch.joined,
        arrived_at=batch.at,
        first_at=batch.first_at,
        last_at=batch.last_at,
        digest=batch.digest,
    )
