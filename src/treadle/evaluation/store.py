"""SQL of evaluation datasets, their records, tags, experiments and frozen states."""

from __future__ import annotations

import json
from collections import defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.evaluation.entities import (
    EvaluationDataset,
    EvaluationRecord,
    Freeze,
    RecordSource,
)
from treadle.storage.matching import column_holds, matching, turned, value_holds
from treadle.storage.schema import MENTIONS, Instant, metadata, plain

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from sqlalchemy import ColumnElement, RowMapping

    from treadle.evaluation.merging import Row
    from treadle.kernel.filters import Condition, Node
    from treadle.kernel.list_fields import Order
    from treadle.storage.transaction import Transaction

# As many values as a statement of both dialects takes without a second thought.
CHUNK = 500

evaluation_datasets = Table(
    "evaluation_datasets",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, index=True),
    Column("digest", Text, nullable=False, info=MENTIONS),
    # JSON in the order its fields were first seen.
    Column("schema", Text),
    Column("records", Integer),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("created_by", Text),
    Column("updated_by", Text),
    Index("ix_evaluation_datasets_created", "created_at", "id"),
)

evaluation_tags = Table(
    "evaluation_tags",
    metadata,
    Column("dataset_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

evaluation_experiments = Table(
    "evaluation_experiments",
    metadata,
    Column("dataset_id", Text, primary_key=True),
    Column("experiment_id", Text, primary_key=True, index=True),
)

evaluation_records = Table(
    "evaluation_records",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dataset_id", Text, nullable=False),
    Column("input_hash", Text, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("outputs", Text),
    Column("expectations", Text),
    Column("tags", Text, nullable=False),
    Column("source", Text),
    Column("source_type", Text),
    Column("source_id", Text, index=True),
    Column("size_bytes", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("created_by", Text),
    Column("updated_by", Text),
    UniqueConstraint("dataset_id", "input_hash"),
    Index("ix_evaluation_records_order", "dataset_id", "created_at", "id"),
)

evaluation_freezes = Table(
    "evaluation_freezes",
    metadata,
    Column("version", Text, primary_key=True),
    Column("dataset_id", Text, primary_key=True, index=True),
    Column("name", Text, nullable=False),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("records", Integer, nullable=False),
    Column("at", Instant, nullable=False),
)

_OWNED = (evaluation_records, evaluation_experiments, evaluation_tags)


def insert_dataset(tx: Transaction, made: EvaluationDataset) -> None:
    """Store a new evaluation dataset without records."""
    tx.execute(
        insert(evaluation_datasets).values(
            id=made.id,
            name=made.name,
            digest=made.digest,
            created_at=made.created_at,
            updated_at=made.updated_at,
            created_by=made.created_by,
            updated_by=made.updated_by,
        )
    )
    put_tags(tx, made.id, made.tags)
    add_experiments(tx, made.id, made.experiment_ids)


def find(tx: Transaction, dataset_id: str) -> EvaluationDataset | None:
    """Return the evaluation dataset of an id."""
    return next(iter(of_ids(tx, [dataset_id])), None)


def ids_named(tx: Transaction, name: str, *, limit: int) -> list[str]:
    """Return the ids of evaluation datasets of a name, newest first."""
    c = evaluation_datasets.c
    newest = select(c.id).where(c.name == name).order_by(c.created_at.desc(), c.id.desc())
    return list(tx.execute(newest.limit(limit)).scalars())


def names(tx: Transaction, *, limit: int) -> list[str]:
    """Return names of evaluation datasets, the newest first, for near misses."""
    c = evaluation_datasets.c
    newest = select(c.name).order_by(c.created_at.desc(), c.id.desc())
    return list(tx.execute(newest.limit(limit)).scalars())


def lock(tx: Transaction, dataset_id: str) -> None:
    """Keep an evaluation dataset from changing until the transaction ends."""
    c = evaluation_datasets.c
    tx.execute(select(c.id).where(c.id == dataset_id).with_for_update())


def of_ids(tx: Transaction, ids: Sequence[str]) -> tuple[EvaluationDataset, ...]:
    """Return evaluation datasets in the order of their ids; one that is gone is left out."""
    rows: dict[str, RowMapping] = {}
    tags: dict[str, dict[str, str]] = defaultdict(dict)
    experiments: dict[str, list[str]] = defaultdict(list)
    t, e = evaluation_tags.c, evaluation_experiments.c
    for part in _chunks(ids):
        wanted = select(evaluation_datasets).where(evaluation_datasets.c.id.in_(part))
        rows |= {row["id"]: row for row in tx.execute(wanted).mappings()}
        for row in tx.execute(
            select(evaluation_tags).where(t.dataset_id.in_(part)).order_by(t.key)
        ):
            tags[row.dataset_id][row.key] = row.value
        listed = select(evaluation_experiments).where(e.dataset_id.in_(part))
        for row in tx.execute(listed.order_by(e.experiment_id)):
            experiments[row.dataset_id].append(row.experiment_id)
    return tuple(
        _dataset(rows[each], tags[each], experiments[each]) for each in ids if each in rows
    )


def find_ids(
    tx: Transaction,
    *,
    experiment_ids: Sequence[str] | None,
    where: Node,
    orders: Sequence[Order],
    limit: int,
    offset: int,
) -> list[str]:
    """Return the ids of the evaluation datasets that match, in order, a page of them."""
    c, dialect = evaluation_datasets.c, tx.connection.dialect.name
    keys = [key for order in orders for key in turned(_sorting(order), order, dialect=dialect)]
    query = select(c.id).where(*_claims(tx, experiment_ids=experiment_ids, where=where))
    query = query.order_by(*keys, c.id.desc()).limit(limit).offset(offset)
    return list(tx.execute(query).scalars())


def count(tx: Transaction, *, experiment_ids: Sequence[str] | None, where: Node) -> int:
    """Return how many evaluation datasets match."""
    query = select(func.count()).select_from(evaluation_datasets)
    claims = _claims(tx, experiment_ids=experiment_ids, where=where)
    return int(tx.execute(query.where(*claims)).scalar_one())


def set_dataset(tx: Transaction, dataset_id: str, **values: Any) -> None:
    """Write columns of an evaluation dataset; its schema as JSON."""
    if values.get("schema") is not None:
        values["schema"] = json.dumps(values["schema"])
    c = evaluation_datasets.c
    tx.execute(update(evaluation_datasets).where(c.id == dataset_id).values(**values))


def delete_dataset(tx: Transaction, dataset_id: str) -> None:
    """Delete an evaluation dataset with all it has; what was frozen of it is kept."""
    for table in _OWNED:
        tx.execute(delete(table).where(table.c.dataset_id == dataset_id))
    tx.execute(delete(evaluation_datasets).where(evaluation_datasets.c.id == dataset_id))


def put_tags(tx: Transaction, dataset_id: str, tags: Mapping[str, str]) -> None:
    """Write tags; those that are there get the new value."""
    if not tags:
        return
    rows = [{"dataset_id": dataset_id, "key": k, "value": v} for k, v in tags.items()]
    statement = _insert_for(tx)(evaluation_tags)
    changed = {"value": statement.excluded.value}
    keys = ["dataset_id", "key"]
    tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def remove_tag(tx: Transaction, dataset_id: str, key: str) -> bool:
    """Remove a tag; say whether it was there."""
    c = evaluation_tags.c
    gone = delete(evaluation_tags).where(c.dataset_id == dataset_id, c.key == key)
    return tx.execute(gone).rowcount > 0


def add_experiments(tx: Transaction, dataset_id: str, experiment_ids: Iterable[str]) -> None:
    """Put an evaluation dataset on the list of experiments."""
    rows = [{"dataset_id": dataset_id, "experiment_id": each} for each in experiment_ids]
    if rows:
        statement = _insert_for(tx)(evaluation_experiments)
        tx.execute(statement.on_conflict_do_nothing(), rows)


def remove_experiments(tx: Transaction, dataset_id: str, experiment_ids: Sequence[str]) -> None:
    """Take an evaluation dataset off the list of experiments."""
    c = evaluation_experiments.c
    for part in _chunks(experiment_ids):
        mine = (c.dataset_id == dataset_id, c.experiment_id.in_(part))
        tx.execute(delete(evaluation_experiments).where(*mine))


def in_experiments(tx: Transaction, experiment_ids: Sequence[str]) -> dict[str, list[str]]:
    """Return which evaluation datasets are in some experiments, and in which of them."""
    c, found = evaluation_experiments.c, defaultdict(list)
    for part in _chunks(experiment_ids):
        wanted = select(c.dataset_id, c.experiment_id).where(c.experiment_id.in_(part))
        for row in tx.execute(wanted.order_by(c.dataset_id, c.experiment_id)):
            found[row.dataset_id].append(row.experiment_id)
    return dict(found)


def records_by_hash(
    tx: Transaction, dataset_id: str, hashes: Iterable[str]
) -> dict[str, EvaluationRecord]:
    """Return the records that have some inputs, by the hash of these."""
    c, found = evaluation_records.c, {}
    for part in _chunks(list(dict.fromkeys(hashes))):
        wanted = select(evaluation_records).where(
            c.dataset_id == dataset_id, c.input_hash.in_(part)
        )
        for row in tx.execute(wanted).mappings():
            found[str(row["input_hash"])] = _record(row)
    return found


def insert_records(tx: Transaction, rows: Sequence[Row]) -> None:
    """Store new records."""
    if rows:
        tx.execute(insert(evaluation_records), rows)


def update_records(tx: Transaction, rows: Sequence[Row]) -> None:
    """Write what can change of records that are there."""
    if not rows:
        return
    c = evaluation_records.c
    names = ("outputs", "expectations", "tags", "size_bytes", "updated_at", "updated_by")
    changed = update(evaluation_records).where(c.id == bindparam("of_id"))
    changed = changed.values({name: bindparam(f"new_{name}") for name in names})
    values = [{f"new_{n}": row[n] for n in names} | {"of_id": row["id"]} for row in rows]
    tx.execute(changed, values)


def count_records(tx: Transaction, dataset_id: str) -> int:
    """Return how many records there are."""
    query = select(func.count()).where(evaluation_records.c.dataset_id == dataset_id)
    return int(tx.execute(query).scalar_one())


def record_sizes(
    tx: Transaction, dataset_id: str, *, after: tuple[int, str] | None, limit: int, offset: int
) -> list[tuple[str, int]]:
    """Return ids and sizes of records in the order they came, behind a place."""
    c = evaluation_records.c
    wanted = select(c.id, c.size_bytes).where(c.dataset_id == dataset_id)
    if after is not None:
        wanted = wanted.where(tuple_(c.created_at, c.id) > after)
    ordered = wanted.order_by(c.created_at, c.id).limit(limit).offset(offset)
    return [(row.id, row.size_bytes) for row in tx.execute(ordered)]


def records_of(tx: Transaction, ids: Sequence[str]) -> tuple[EvaluationRecord, ...]:
    """Return records in the order of their ids."""
    rows: dict[str, RowMapping] = {}
    for part in _chunks(ids):
        wanted = select(evaluation_records).where(evaluation_records.c.id.in_(part))
        rows |= {row["id"]: row for row in tx.execute(wanted).mappings()}
    return tuple(_record(rows[each]) for each in ids)


def remove_records(tx: Transaction, dataset_id: str, ids: Sequence[str]) -> int:
    """Remove records; return how many were there."""
    c, gone = evaluation_records.c, 0
    for part in _chunks(ids):
        mine = delete(evaluation_records).where(c.dataset_id == dataset_id, c.id.in_(part))
        gone += tx.execute(mine).rowcount
    return gone


def sources(
    tx: Transaction, dataset_id: str, *, limit: int
) -> list[tuple[str | None, str | None, int]]:
    """Return what records were taken from (kind, id) and how many from each, the most first."""
    c = evaluation_records.c
    many = func.count().label("many")
    query = select(c.source_type, c.source_id, many).where(c.dataset_id == dataset_id)
    query = query.group_by(c.source_type, c.source_id)
    query = query.order_by(many.desc(), c.source_type, c.source_id).limit(limit)
    return [(row.source_type, row.source_id, row.many) for row in tx.execute(query)]


def put_freeze(tx: Transaction, freeze: Freeze) -> bool:
    """Store which state became a version, unless it is known; say whether it is new."""
    statement = _insert_for(tx)(evaluation_freezes).values(
        version=freeze.version,
        dataset_id=freeze.dataset_id,
        name=freeze.name,
        digest=freeze.digest,
        records=freeze.records,
        at=freeze.at,
    )
    return tx.execute(statement.on_conflict_do_nothing()).rowcount > 0


def freezes(tx: Transaction, *, dataset_id: str = "", version: str = "") -> tuple[Freeze, ...]:
    """Return frozen states of an evaluation dataset, or behind a version, newest first."""
    c = evaluation_freezes.c
    mine = c.dataset_id == dataset_id if dataset_id else c.version == version
    wanted = select(evaluation_freezes).where(mine).order_by(c.at.desc(), c.version.desc())
    return tuple(Freeze(**plain(row)) for row in tx.execute(wanted).mappings())


def _sorting(order: Order) -> Any:
    datasets, c = evaluation_datasets.c, evaluation_tags.c
    if not order.key:
        return datasets[order.field]
    mine = (c.dataset_id == datasets.id, c.key == order.key)
    return select(c.value).where(*mine).scalar_subquery()


def _claims(
    tx: Transaction, *, experiment_ids: Sequence[str] | None, where: Node
) -> list[ColumnElement[bool]]:
    datasets, dialect = evaluation_datasets.c, tx.connection.dialect.name

    def holds(condition: Condition) -> ColumnElement[bool]:
        if not condition.key:
            return column_holds(datasets[condition.field], condition, dialect=dialect)
        c = evaluation_tags.c
        tagged = [c.dataset_id == datasets.id, c.key == condition.key]
        if condition.value is not None:
            tagged.append(value_holds(c.value, condition, dialect=dialect))
        found = select(1).where(*tagged).exists()
        return not_(found) if condition.operator == "IS NULL" else found

    claims = [matching(where, holds)]
    if experiment_ids is not None:
        e = evaluation_experiments.c
        listed = (
            select(1).where(e.dataset_id == datasets.id, e.experiment_id.in_(part)).exists()
            for part in _chunks(experiment_ids)
        )
        claims.append(or_(False, *listed))  # noqa: FBT003 - SQL's own false, for no experiments
    return claims


def _dataset(row: RowMapping, tags: dict[str, str], experiments: list[str]) -> EvaluationDataset:
    values = plain(row)
    schema = values.pop("schema")
    return EvaluationDataset(
        **values,
        schema=None if schema is None else json.loads(schema),
        tags=tags,
        experiment_ids=tuple(experiments),
    )


def _record(row: RowMapping) -> EvaluationRecord:
    kind, data = row["source_type"], row["source"]
    return EvaluationRecord(
        id=row["id"],
        dataset_id=row["dataset_id"],
        inputs=json.loads(row["inputs"]),
        outputs=_loaded(row["outputs"]),
        expectations=_loaded(row["expectations"]),
        tags=json.loads(row["tags"]),
        source=RecordSource(type=kind, data=json.loads(data)) if kind else None,
        created_at=row["created_at"],
        updated_at=row["updated_at"],
        created_by=row["created_by"],
        updated_by=row["updated_by"],
    )


def _loaded(text: str | None) -> Any:
    return None if text is None else json.loads(text)


def _insert_for(tx: Transaction) -> Any:
    is_postgres = tx.connection.dialect.name == "postgresql"
    return postgresql.insert if is_postgres else sqlite.insert


def _chunks(items: Sequence[str]) -> Iterator[Sequence[str]]:
    return (items[at : at + CHUNK] for at in range(0, len(items), CHUNK))
