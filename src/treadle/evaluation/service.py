"""The verbs of evaluation datasets."""

from __future__ import annotations

import base64
import binascii
import json
from typing import TYPE_CHECKING, Any

from treadle.evaluation import merging, rules, store
from treadle.evaluation.entities import USER, EvaluationDataset, Freeze, Merged, RecordPage
from treadle.evaluation.facts import (
    EvaluationAssigned,
    EvaluationCreated,
    EvaluationDeleted,
    EvaluationFrozen,
    EvaluationMerged,
    EvaluationRecordsRemoved,
    EvaluationTagged,
)
from treadle.evaluation.filtering import EVALUATIONS
from treadle.evaluation.freezing import table_of
from treadle.kernel.digests import digest_bytes
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.kernel.list_fields import check_filter, check_orders
from treadle.kernel.paging import Page, page_of
from treadle.tracking.rules import shown

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.evaluation.entities import EvaluationRecord
    from treadle.storage.ports import MetadataStore
    from treadle.storage.transaction import Transaction
    from treadle.tracking.service import Tracking

NOTHING: Mapping[str, object] = {}
PAGE_BYTES = 8 << 20
"""A page ends where what is on it has become as large as this, however much was asked for."""
STRIDE = 50
FREEZE_PAGE = 5000
NEAR_MOST = 200


class Evaluation:
    """Evaluation datasets and their records. May be shared by threads; a verb is one transaction.

    A dataset is named by its id or, where only one has it, by its name. `commit` makes a table the
    next version of a dataset of the data noun.
    """

    def __init__(
        self,
        *,
        store: MetadataStore,
        tracking: Tracking,
        commit: Callable[..., DatasetVersion],
    ) -> None:
        self._store = store
        self._tracking = tracking
        self._commit = commit

    # --- datasets ---

    def create(
        self,
        name: str,
        *,
        experiment_ids: Iterable[str] = (),
        tags: Mapping[str, object] = NOTHING,
    ) -> EvaluationDataset:
        """Make an evaluation dataset without records; another of that name may be there."""
        rules.check_name(name)
        listed, checked = rules.check_experiment_ids(experiment_ids), rules.check_tags(tags)
        with self._store.write() as tx:
            made = EvaluationDataset(
                id=f"d-{new_id()}",
                name=name,
                digest=merging.dataset_digest(name, tx.at),
                tags=checked,
                experiment_ids=listed,
                created_at=tx.at,
                updated_at=tx.at,
                created_by=checked.get(USER),
                updated_by=checked.get(USER),
            )
            store.insert_dataset(tx, made)
            tx.emit(EvaluationCreated(id=made.id, name=name, tags=checked, experiment_ids=listed))
        return made

    def dataset(self, ref: str) -> EvaluationDataset:
        """Return an evaluation dataset by id or name.

        Raises NotFound with the near miss, Conflict when several have the name.
        """
        with self._store.read() as tx:
            return _found(tx, ref)

    def search(
        self,
        *,
        experiment_ids: Sequence[str] | None = None,
        where: str = "",
        order_by: str | Sequence[str] = (),
        limit: int = 100,
        offset: int = 0,
    ) -> Page[EvaluationDataset]:
        """Return a page of evaluation datasets, and how many match in all; newest first by default.

        It ends early, with the offset of the next, where it has become some megabytes large.
        `where` may ask for `name`, `id`, `tags.NAME`, `created_at`, `updated_at`, `created_by` and
        `updated_by`; with `experiment_ids` only those of one of them count.
        """
        _check_page(limit, offset=offset)
        node = check_filter(where, EVALUATIONS)
        orders = check_orders(order_by, EVALUATIONS, default="created_at desc")
        listed = None if experiment_ids is None else rules.check_experiment_ids(experiment_ids)
        with self._store.read() as tx:
            ids = store.find_ids(
                tx, experiment_ids=listed, where=node, orders=orders, limit=limit, offset=offset
            )
            total = store.count(tx, experiment_ids=listed, where=node)
            return page_of(_as_many_as_fit(tx, ids), total=total, offset=offset)

    def delete(self, ref: str) -> None:
        """Delete an evaluation dataset with its records for good; frozen states stay."""
        with self._store.write() as tx:
            found = _held(tx, ref)
            store.delete_dataset(tx, found.id)
            tx.emit(EvaluationDeleted(id=found.id, name=found.name, records=found.records or 0))

    def tag(self, ref: str, tags: Mapping[str, object]) -> None:
        """Set tags of an evaluation dataset."""
        checked = rules.check_tags(tags)
        with self._store.write() as tx:
            found = _held(tx, ref)
            if checked.items() <= found.tags.items():
                return
            rules.check_tags({**found.tags, **checked})
            store.put_tags(tx, found.id, checked)
            tx.emit(EvaluationTagged(id=found.id, name=found.name, tags=checked))

    def untag(self, ref: str, key: str) -> None:
        """Take a tag off an evaluation dataset. Raises NotFound when it has none of that key."""
        with self._store.write() as tx:
            found = _held(tx, ref)
            if not store.remove_tag(tx, found.id, key):
                raise NotFound("tag", key, known=found.tags)
            tx.emit(EvaluationTagged(id=found.id, name=found.name, tags={}, removed=(key,)))

    def add_to_experiments(self, ref: str, experiment_ids: Iterable[str]) -> EvaluationDataset:
        """Put an evaluation dataset on the list of experiments. Raises NotFound for one unknown."""
        listed = rules.check_experiment_ids(experiment_ids)
        self.dataset(ref)
        for each in listed:
            self._tracking.experiment_by_id(each)
        with self._store.write() as tx:
            found = _held(tx, ref)
            added = tuple(each for each in listed if each not in found.experiment_ids)
            store.add_experiments(tx, found.id, added)
            store.set_dataset(tx, found.id, updated_at=tx.at)
            if added:
                tx.emit(EvaluationAssigned(id=found.id, name=found.name, added=added))
            return _found(tx, found.id)

    def remove_from_experiments(self, ref: str, experiment_ids: Iterable[str]) -> EvaluationDataset:
        """Take an evaluation dataset off the list of experiments; one it is not in is no error."""
        listed = rules.check_experiment_ids(experiment_ids)
        with self._store.write() as tx:
            found = _held(tx, ref)
            gone = tuple(each for each in listed if each in found.experiment_ids)
            if gone:
                store.remove_experiments(tx, found.id, gone)
                store.set_dataset(tx, found.id, updated_at=tx.at)
                tx.emit(EvaluationAssigned(id=found.id, name=found.name, removed=gone))
            return _found(tx, found.id)

    # --- records ---

    def merge(self, ref: str, records: Iterable[Mapping[str, Any]]) -> Merged:
        """Add records; one whose inputs are there already gives its expectations and tags to it.

        A record is `{"inputs": {…}, "expectations": {…}, "tags": {…}, "source": {"source_type":
        "HUMAN", "source_data": {…}}, "outputs": …}`; all but the inputs may be left out. All are
        merged, or none. Raises InvalidInput naming the record that is wrong.
        """
        given = rules.check_batch(records, what="records")
        drafts = [rules.draft_of(each, at=at) for at, each in enumerate(given)]
        keys = [merging.input_hash(draft.inputs) for draft in drafts]
        with self._store.write() as tx:
            found = _held(tx, ref)
            known = store.records_by_hash(tx, found.id, keys)
            work = merging.Merging(dataset_id=found.id, at=tx.at, known=known)
            for draft, key in zip(drafts, keys, strict=True):
                work.take(draft, key)
            new = [merging.row_of(record, key) for key, record in work.new.items()]
            changed = [merging.row_of(record, key) for key, record in work.changed.items()]
            store.insert_records(tx, new)
            store.update_records(tx, changed)
            total = (found.records or 0) + len(new)
            digest = merging.dataset_digest(found.name, tx.at)
            store.set_dataset(
                tx,
                found.id,
                digest=digest,
                schema=merging.grown_schema(found, drafts),
                records=total or found.records,
                updated_at=tx.at,
                updated_by=work.user,
            )
            tx.emit(
                EvaluationMerged(
                    id=found.id,
                    name=found.name,
                    inserted=len(new),
                    updated=work.updated,
                    records=total,
                    digest=digest,
                    content=_content([*new, *changed]),
                )
            )
        return Merged(inserted=len(new), updated=work.updated)

    def records(
        self, ref: str, *, limit: int = 1000, after: str | None = None, offset: int = 0
    ) -> RecordPage:
        """Return records in the order they came, as many as make a page of some megabytes.

        `after` is that of the page before; `offset` leaves records out, counted from there.
        """
        _check_page(limit, offset=offset)
        place = None if after is None else _place_of(after)
        with self._store.read() as tx:
            return _page(tx, _found(tx, ref).id, after=place, limit=limit, offset=offset)

    def remove_records(self, ref: str, record_ids: Iterable[str]) -> int:
        """Remove records by their ids; return how many were there."""
        ids = rules.check_batch(dict.fromkeys(record_ids), what="records")
        with self._store.write() as tx:
            found = _held(tx, ref)
            gone = store.remove_records(tx, found.id, ids)
            if gone:
                left = store.count_records(tx, found.id)
                store.set_dataset(tx, found.id, records=left)
                tx.emit(
                    EvaluationRecordsRemoved(
                        id=found.id, name=found.name, removed=gone, records=left
                    )
                )
        return gone

    def sources(
        self, ref: str, *, limit: int = 100
    ) -> tuple[tuple[str | None, str | None, int], ...]:
        """Return where records were taken from: kind, id and number of records, the most first."""
        with self._store.read() as tx:
            return tuple(store.sources(tx, _found(tx, ref).id, limit=limit))

    # --- frozen states ---

    def freeze(self, ref: str, *, dataset: str = "", message: str = "") -> Freeze:
        """Commit the records as they are now as a version of a dataset, and remember it as made so.

        `dataset` is that dataset's name, by default the evaluation dataset's own. An unchanged
        state is the version that is there already.
        """
        with self._store.read() as tx:
            found = _found(tx, ref)
            table = table_of(_pages(tx, found.id))
        if not table.num_rows:
            raise InvalidInput(
                f"{found.name} has no records to freeze.", hint="Merge some records first."
            )
        said = message or f"evaluation dataset {found.id} at {found.digest}"
        version = self._commit(dataset or found.name, table, message=said)
        with self._store.write() as tx:
            frozen = Freeze(
                dataset_id=found.id,
                name=found.name,
                version=version.ref,
                digest=found.digest,
                records=table.num_rows,
                at=tx.at,
            )
            if store.put_freeze(tx, frozen):
                tx.emit(
                    EvaluationFrozen(
                        id=found.id,
                        name=found.name,
                        digest=found.digest,
                        version=version.ref,
                        records=table.num_rows,
                    )
                )
        return frozen

    def freezes(self, ref: str) -> tuple[Freeze, ...]:
        """Return the frozen states of an evaluation dataset, newest first."""
        with self._store.read() as tx:
            return store.freezes(tx, dataset_id=_found(tx, ref).id)

    def frozen_as(self, version: str) -> tuple[Freeze, ...]:
        """Return which evaluation datasets a dataset version (`late_qa@3`) is a state of."""
        with self._store.read() as tx:
            return store.freezes(tx, version=version)


def _found(tx: Transaction, ref: str) -> EvaluationDataset:
    ids = [ref] if rules.is_dataset_id(ref) else store.ids_named(tx, ref, limit=4)
    if len(ids) > 1:
        raise Conflict(
            f"Several evaluation datasets are called {shown(ref)}.",
            hint=f"Name one by its id: {', '.join(ids)}.",
        )
    found = store.find(tx, ids[0]) if ids else None
    if found is None:
        raise NotFound("evaluation dataset", ref, known=store.names(tx, limit=NEAR_MOST))
    return found


def _held(tx: Transaction, ref: str) -> EvaluationDataset:
    """Return an evaluation dataset as it is once nobody else can change it any more."""
    found = _found(tx, ref)
    store.lock(tx, found.id)
    return _found(tx, found.id)


def _as_many_as_fit(tx: Transaction, ids: Sequence[str]) -> tuple[EvaluationDataset, ...]:
    found: list[EvaluationDataset] = []
    size = 0
    for at in range(0, len(ids), STRIDE):
        for each in store.of_ids(tx, ids[at : at + STRIDE]):
            size += merging.size_of(each)
            if found and size > PAGE_BYTES:
                return tuple(found)
            found.append(each)
    return tuple(found)


def _page(
    tx: Transaction,
    dataset_id: str,
    *,
    after: tuple[int, str] | None = None,
    limit: int,
    offset: int = 0,
) -> RecordPage:
    listed = store.record_sizes(tx, dataset_id, after=after, limit=limit + 1, offset=offset)
    ids: list[str] = []
    size = 0
    for record_id, size_bytes in listed[:limit]:
        if ids and size + size_bytes > PAGE_BYTES:
            break
        ids.append(record_id)
        size += size_bytes
    records = store.records_of(tx, ids)
    is_last = len(ids) == len(listed)
    return RecordPage(records=records, after=None if is_last else _token_of(records[-1]))


def _pages(tx: Transaction, dataset_id: str) -> Iterator[tuple[EvaluationRecord, ...]]:
    after: str | None = ""
    while after is not None:
        place = _place_of(after) if after else None
        page = _page(tx, dataset_id, after=place, limit=FREEZE_PAGE)
        yield page.records
        after = page.after


def _token_of(record: EvaluationRecord) -> str:
    return base64.b64encode(f"{record.created_at}:{record.id}".encode()).decode()


def _place_of(token: str) -> tuple[int, str]:
    try:
        at, record_id = base64.b64decode(token, validate=True).decode("ascii").split(":", 1)
        place = int(at)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput(f"{shown(token)} is no page of records.") from error
    if not 0 <= place < 1 << 62 or "\x00" in record_id:
        raise InvalidInput(f"{shown(token)} is no page of records.")
    return place, record_id


def _content(rows: Sequence[merging.Row]) -> str:
    parts = [[row[name] for name in _CONTENT] for row in rows]
    return digest_bytes(json.dumps(parts).encode())


_CONTENT = ("id", "inputs", "outputs", "expectations", "tags", "source_type", "source")


def _check_page(limit: int, *, offset: int) -> None:
    if not 1 <= limit <= rules.PAGE_MOST or not 0 <= offset < 1 << 62:
        raise InvalidInput(
            f"A page of {limit} at offset {offset} cannot be.",
            hint=f"Use a limit of 1 to {rules.PAGE_MOST} and an offset of at least 0.",
        )
