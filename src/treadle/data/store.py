"""The SQL of datasets: tables, and functions that take a transaction first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    and_,
    bindparam,
    func,
    insert,
    select,
    text,
    update,
)

from treadle.data.branches.entities import GRACE_US, MAIN
from treadle.data.branches.store import dataset_refs
from treadle.data.contracts import Contract
from treadle.data.entities import DatasetSummary, DatasetVersion, Quarantine, Validation
from treadle.storage.schema import (
    MENTIONS,
    Instant,
    Json,
    may_need_objects,
    metadata,
    needs_objects,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import Row

    from treadle.data.entities import QuarantineKind, QuarantineState, Verdict
    from treadle.storage.transaction import Transaction

S = TypeVar("S", bound=msgspec.Struct)

datasets = Table(
    "datasets",
    metadata,
    Column("name", Text, primary_key=True),
    Column("created_at", Instant, nullable=False),
    Column("last_number", Integer, nullable=False, server_default="0"),
)

dataset_versions = Table(
    "dataset_versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dataset", Text, ForeignKey("datasets.name"), nullable=False),
    Column("number", Integer, nullable=False),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("files", Json, nullable=False, info=may_need_objects("{dataset}@{number}")),
    Column("table", Text, nullable=False, info=may_need_objects("{dataset}@{number}")),
    Column("columns", Json, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("message", Text, nullable=False),
    Column("actor", Text, nullable=False),
    Column("code_commit", Text),
    Column("created_at", Instant, nullable=False),
    Column("tree", Text, nullable=False, server_default="", info=MENTIONS),
    Column("file_count", Integer, nullable=False, server_default="1"),
    Column("stored_bytes", BigInteger),
    Column("branch", Text, nullable=False, server_default="main"),
    Column("parents", Json, nullable=False, server_default="[]"),
    Column("removed_at", Instant),
    Column("removed_by", Text, nullable=False, server_default=""),
    Column("source", Json),
    Column("identity", Text, nullable=False, server_default="", info=MENTIONS),
    Column("same_as", Integer),
    UniqueConstraint("dataset", "number"),
    UniqueConstraint("dataset", "identity"),
    Index("ix_dataset_versions_dataset_digest", "dataset", "digest"),
)

contracts = Table(
    "contracts",
    metadata,
    Column("dataset", Text, ForeignKey("datasets.name"), primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("body", Json, nullable=False),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("created_at", Instant, nullable=False),
)

validations = Table(
    "validations",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dataset", Text, ForeignKey("datasets.name"), nullable=False),
    Column("version_number", Integer, nullable=False),
    Column("contract_number", Integer, nullable=False),
    Column("verdict", Text, nullable=False),
    Column("checks", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_validations_dataset_version", "dataset", "version_number"),
)

quarantines = Table(
    "quarantines",
    metadata,
    Column("id", Text, primary_key=True),
    Column("dataset", Text, ForeignKey("datasets.name"), nullable=False),
    Column("version_number", Integer, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("state", Text, nullable=False),
    Column("evidence", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Column("kind", Text, nullable=False, server_default="version"),
    Column("table", Text, nullable=False, server_default="", info=needs_objects("quarantine {id}")),
    Column("checks", Json, nullable=False, server_default="{}"),
    Column("clean_number", Integer),
    Column("released_number", Integer),
    Column("part_of", Text, nullable=False, server_default=""),
    Index("ix_quarantines_dataset_version", "dataset", "version_number"),
)

profiles = Table(
    "dataset_profiles",
    metadata,
    Column("table", Text, primary_key=True, info=MENTIONS),
    Column("profile", Text, nullable=False, info=may_need_objects("profile of {table}")),
)


_IS_THERE = dataset_versions.c.removed_at.is_(None)


def lock_dataset(tx: Transaction, name: str) -> None:
    """Make the dataset if it is new, and hold it so that its numbers have no gap."""
    known = select(datasets.c.name).where(datasets.c.name == name)
    if tx.execute(known).first() is None:
        _insert_dataset(tx, name)
    tx.execute(known.with_for_update())


def insert_version(tx: Transaction, version: DatasetVersion) -> None:
    """Store a dataset version."""
    tx.execute(insert(dataset_versions), msgspec.to_builtins(version))


def next_number(tx: Transaction, name: str) -> int:
    """Take the next number of a dataset that is locked; none is ever given twice."""
    mine = datasets.c.name == name
    last = int(tx.execute(select(datasets.c.last_number).where(mine)).scalar_one())
    number = 1 + max(last, _highest(tx, dataset_versions.c.dataset == name))
    tx.execute(update(datasets).where(mine).values(last_number=number))
    return number


def version_by_number(tx: Transaction, name: str, number: int) -> DatasetVersion | None:
    """Return a version by its number, removed or not."""
    return _one_version(tx, dataset_versions.c.dataset == name, dataset_versions.c.number == number)


def version_by_identity(tx: Transaction, name: str, identity: str) -> DatasetVersion | None:
    """Return the version that has a content on a history, removed or not."""
    return _one_version(
        tx, dataset_versions.c.dataset == name, dataset_versions.c.identity == identity
    )


def versions_with(tx: Transaction, name: str, digest: str) -> tuple[DatasetVersion, ...]:
    """Return the versions with a content, removed ones too, oldest first."""
    query = (
        select(dataset_versions)
        .where(dataset_versions.c.dataset == name, dataset_versions.c.digest == digest)
        .order_by(dataset_versions.c.number)
    )
    return tuple(_as(DatasetVersion, row) for row in tx.execute(query))


def versions_by_prefix(tx: Transaction, name: str, prefix: str) -> list[DatasetVersion]:
    """Return a version for up to two digests that begin with a prefix: one means it is certain.

    Of several versions with one content it is the oldest that was not removed.
    """
    query = (
        select(dataset_versions.c.digest)
        .where(dataset_versions.c.dataset == name)
        .where(dataset_versions.c.digest.startswith(prefix, autoescape=True))
        .distinct()
        .order_by(dataset_versions.c.digest)
        .limit(2)
    )
    found = [versions_with(tx, name, digest) for digest in list(tx.execute(query).scalars())]
    return [next((v for v in each if v.removed_at is None), each[0]) for each in found]


def identities(tx: Transaction, name: str, numbers: Iterable[int]) -> list[str]:
    """Return the identities of versions by their numbers, in the order of these."""
    query = select(dataset_versions.c.number, dataset_versions.c.identity).where(
        dataset_versions.c.dataset == name, dataset_versions.c.number.in_(wanted := list(numbers))
    )
    found = {row.number: row.identity for row in tx.execute(query)}
    return [found[number] for number in wanted if number in found]


def numbers_until(tx: Transaction, name: str, instant: int) -> list[int]:
    """Return the numbers of versions committed up to an instant, the last one first."""
    query = (
        select(dataset_versions.c.number)
        .where(dataset_versions.c.dataset == name, dataset_versions.c.created_at <= instant)
        .where(_IS_THERE)
        .order_by(dataset_versions.c.created_at.desc(), dataset_versions.c.number.desc())
    )
    return list(tx.execute(query).scalars())


def latest_number(tx: Transaction, name: str) -> int:
    """Return the highest number of a dataset on any branch, 0 when it has no version."""
    return _highest(tx, dataset_versions.c.dataset == name, _IS_THERE)


def is_known(tx: Transaction, name: str) -> bool:
    """Say whether a dataset has a version, removed or not."""
    query = select(dataset_versions.c.number).where(dataset_versions.c.dataset == name).limit(1)
    return tx.execute(query).first() is not None


def links(tx: Transaction, name: str) -> dict[int, tuple[int, ...]]:
    """Return the parents of every version of a dataset, removed ones too, by its number."""
    query = select(dataset_versions.c.number, dataset_versions.c.parents).where(
        dataset_versions.c.dataset == name
    )
    return {row.number: tuple(row.parents) for row in tx.execute(query)}


def mark_removed(tx: Transaction, name: str, numbers: Iterable[int], *, actor: str) -> None:
    """Have versions removed from now on."""
    _mark(tx, name, numbers, {"removed_at": tx.at, "removed_by": actor})


def mark_restored(tx: Transaction, name: str, numbers: Iterable[int]) -> None:
    """Have removed versions be there again."""
    _mark(tx, name, numbers, {"removed_at": None, "removed_by": ""})


def count_versions(tx: Transaction, name: str) -> int:
    """Return how many versions a dataset has."""
    query = select(func.count()).where(dataset_versions.c.dataset == name, _IS_THERE)
    return int(tx.execute(query).scalar_one())


def page_of_versions(
    tx: Transaction, name: str, *, limit: int, offset: int
) -> tuple[DatasetVersion, ...]:
    """Return versions of a dataset on any branch, newest first."""
    query = (
        select(dataset_versions)
        .where(dataset_versions.c.dataset == name, _IS_THERE)
        .order_by(dataset_versions.c.number.desc())
        .limit(limit)
        .offset(offset)
    )
    return tuple(_as(DatasetVersion, row) for row in tx.execute(query))


def all_versions(tx: Transaction) -> tuple[DatasetVersion, ...]:
    """Return every version of every dataset that is needed: a removed one in its grace time too."""
    is_needed = _IS_THERE | (dataset_versions.c.removed_at > tx.at - GRACE_US)
    query = select(dataset_versions).where(is_needed).order_by(dataset_versions.c.id)
    return tuple(_as(DatasetVersion, row) for row in tx.execute(query))


def names(tx: Transaction) -> list[str]:
    """Return the name of every dataset that has a version."""
    query = select(dataset_versions.c.dataset).where(_IS_THERE).distinct()
    return list(tx.execute(query.order_by(dataset_versions.c.dataset)).scalars())


def count_datasets(tx: Transaction) -> int:
    """Return how many datasets have a version."""
    query = select(func.count(dataset_versions.c.dataset.distinct())).where(_IS_THERE)
    return int(tx.execute(query).scalar_one())


def page_of_datasets(tx: Transaction, *, limit: int, offset: int) -> tuple[DatasetSummary, ...]:
    """Return datasets by name, each with the head of `main` and what is known of that."""
    is_main = (dataset_refs.c.dataset == dataset_versions.c.dataset) & (dataset_refs.c.name == MAIN)
    newest = (
        select(
            dataset_versions.c.dataset,
            func.max(dataset_refs.c.number).label("number"),
            func.count().label("versions"),
        )
        .join(dataset_refs, is_main)
        .where(_IS_THERE)
        .group_by(dataset_versions.c.dataset)
        .order_by(dataset_versions.c.dataset)
        .limit(limit)
        .offset(offset)
        .subquery()
    )
    query = (
        select(dataset_versions, newest.c.versions, _contract_number(), _held(), _verdict())
        .join(
            newest,
            (newest.c.dataset == dataset_versions.c.dataset)
            & (newest.c.number == dataset_versions.c.number),
        )
        .order_by(dataset_versions.c.dataset)
    )
    return tuple(_summary(row) for row in tx.execute(query))


def insert_contract(tx: Transaction, contract: Contract) -> None:
    """Store a contract."""
    tx.execute(insert(contracts), msgspec.to_builtins(contract))


def latest_contract(tx: Transaction, name: str) -> Contract | None:
    """Return the contract of a dataset that holds now."""
    query = (
        select(contracts)
        .where(contracts.c.dataset == name)
        .order_by(contracts.c.number.desc())
        .limit(1)
    )
    row = tx.execute(query).first()
    return _as(Contract, row) if row else None


def insert_validation(tx: Transaction, validation: Validation, *, name: str, number: int) -> None:
    """Store a validation of a version."""
    fields = msgspec.to_builtins(validation)
    del fields["dataset_ref"]
    tx.execute(insert(validations), {**fields, "dataset": name, "version_number": number})


def validations_of(tx: Transaction, name: str, number: int) -> tuple[Validation, ...]:
    """Return every validation of a version, newest first."""
    query = (
        select(validations)
        .where(validations.c.dataset == name, validations.c.version_number == number)
        .order_by(validations.c.id.desc())
    )
    return tuple(_validation(row) for row in tx.execute(query))


def newest_verdicts(tx: Transaction, name: str) -> dict[int, Verdict]:
    """Return the newest verdict of each version of a dataset, by its number."""
    query = (
        select(validations.c.version_number, validations.c.verdict)
        .where(validations.c.dataset == name)
        .order_by(validations.c.id)
    )
    return {row.version_number: row.verdict for row in tx.execute(query)}


def insert_quarantine(tx: Transaction, quarantine: Quarantine) -> None:
    """Store a quarantine."""
    tx.execute(insert(quarantines), msgspec.to_builtins(quarantine))


def quarantine_by_id(tx: Transaction, identifier: str) -> Quarantine | None:
    """Return a quarantine by its id."""
    return next(iter(_quarantines(tx, quarantines.c.id == identifier)), None)


def quarantines_of(
    tx: Transaction,
    name: str | None = None,
    *,
    number: int | None = None,
    kind: QuarantineKind = "version",
) -> tuple[Quarantine, ...]:
    """Return quarantines of a kind, newest first: all, of a dataset, or of one version."""
    narrowed = [quarantines.c.kind == kind]
    if name is not None:
        narrowed.append(quarantines.c.dataset == name)
    if number is not None:
        narrowed.append(quarantines.c.version_number == number)
    return _quarantines(tx, *narrowed)


def set_quarantine_state(tx: Transaction, identifier: str, state: QuarantineState) -> None:
    """Move a quarantine to another state."""
    tx.execute(update(quarantines).where(quarantines.c.id == identifier).values(state=state))


def kept_out(tx: Transaction, name: str) -> dict[int, int]:
    """Return how many rows of each version are kept out, for it as a whole or its content is."""
    decided = dataset_versions.alias()
    same = (decided.c.dataset == name, decided.c.digest == dataset_versions.c.digest)
    about = (
        quarantines.c.dataset == name,
        quarantines.c.version_number == decided.c.number,
        quarantines.c.kind == "version",
        quarantines.c.state != "released",
    )
    query = (
        select(dataset_versions.c.number, func.max(quarantines.c.rows).label("rows"))
        .join(decided, and_(*same))
        .join(quarantines, and_(*about))
        .where(dataset_versions.c.dataset == name)
        .group_by(dataset_versions.c.number)
    )
    return {row.number: row.rows for row in tx.execute(query)}


def move_quarantines(tx: Transaction, name: str, number: int, *, to: int) -> None:
    """Have what was decided on a version as a whole stand at another one."""
    mine = (quarantines.c.dataset == name, quarantines.c.version_number == number)
    whole = (*mine, quarantines.c.kind == "version")
    tx.execute(update(quarantines).where(*whole).values(version_number=to))


def update_quarantine(tx: Transaction, quarantine: Quarantine) -> None:
    """Store what a quarantine is now."""
    values = msgspec.to_builtins(quarantine)
    tx.execute(update(quarantines).where(quarantines.c.id == quarantine.id).values(values))


def version_by_message(tx: Transaction, name: str, message: str) -> DatasetVersion | None:
    """Return the version of a dataset that was committed with a message."""
    return _one_version(
        tx, dataset_versions.c.dataset == name, dataset_versions.c.message == message
    )


def contract_numbers(tx: Transaction) -> dict[str, int]:
    """Return the number of the contract that holds now of each dataset that has one."""
    query = select(contracts.c.dataset, func.max(contracts.c.number).label("number"))
    return {row.dataset: row.number for row in tx.execute(query.group_by(contracts.c.dataset))}


def contract_by_number(tx: Transaction, name: str, number: int) -> Contract | None:
    """Return a contract of a dataset by its number."""
    query = select(contracts).where(contracts.c.dataset == name, contracts.c.number == number)
    row = tx.execute(query).first()
    return _as(Contract, row) if row else None


def contracts_of(tx: Transaction, name: str) -> tuple[Contract, ...]:
    """Return every contract of a dataset, newest first."""
    query = select(contracts).where(contracts.c.dataset == name)
    found = tx.execute(query.order_by(contracts.c.number.desc()))
    return tuple(_as(Contract, row) for row in found)


def profile_digest(tx: Transaction, table: str) -> str | None:
    """Return the object that holds the profile of a table's object."""
    query = select(profiles.c.profile).where(profiles.c.table == table)
    return tx.execute(query).scalar_one_or_none()


def save_profile(tx: Transaction, table: str, digest: str) -> None:
    """Remember where the profile of a table's object is, in place of an older one."""
    if profile_digest(tx, table) is None:
        tx.execute(insert(profiles), {"table": table, "profile": digest})
    else:
        tx.execute(update(profiles).where(profiles.c.table == table).values(profile=digest))


def _insert_dataset(tx: Transaction, name: str) -> None:
    # Both dialects know this clause, each by an import of its own; as text it is one statement.
    statement = "INSERT INTO datasets (name, created_at) VALUES (:name, :at) ON CONFLICT DO NOTHING"
    tx.execute(text(statement), {"name": name, "at": tx.at})


def _mark(tx: Transaction, name: str, numbers: Iterable[int], values: dict[str, object]) -> None:
    one = update(dataset_versions).where(
        dataset_versions.c.dataset == name, dataset_versions.c.number == bindparam("wanted")
    )
    rows = [{"wanted": number} for number in numbers]
    if rows:
        tx.execute(one.values(values), rows)


def _highest(tx: Transaction, *narrowed: Any) -> int:
    query = select(func.max(dataset_versions.c.number)).where(*narrowed)
    return int(tx.execute(query).scalar_one() or 0)


def _one_version(tx: Transaction, *narrowed: Any) -> DatasetVersion | None:
    row = tx.execute(select(dataset_versions).where(*narrowed)).first()
    return _as(DatasetVersion, row) if row else None


def _as(kind: type[S], row: Row[Any], **given: object) -> S:
    """Return a row as the entity whose fields its columns are."""
    fields = {n: getattr(row, n) for n in kind.__struct_fields__ if n not in given}
    return msgspec.convert({**fields, **given}, kind)


def _summary(row: Row[Any]) -> DatasetSummary:
    return DatasetSummary(
        name=row.dataset,
        versions=row.versions,
        latest=_as(DatasetVersion, row),
        contract_number=row.contract_number,
        verdict=row.verdict,
        held=row.held,
    )


def _contract_number() -> Any:
    query = select(func.max(contracts.c.number)).where(
        contracts.c.dataset == dataset_versions.c.dataset
    )
    return query.scalar_subquery().label("contract_number")


def _held() -> Any:
    query = select(func.count()).where(
        quarantines.c.dataset == dataset_versions.c.dataset,
        quarantines.c.state == "held",
        quarantines.c.kind == "version",
    )
    return query.scalar_subquery().label("held")


def _verdict() -> Any:
    query = (
        select(validations.c.verdict)
        .where(
            validations.c.dataset == dataset_versions.c.dataset,
            validations.c.version_number == dataset_versions.c.number,
        )
        .order_by(validations.c.id.desc())
        .limit(1)
    )
    return query.scalar_subquery().label("verdict")


def _validation(row: Row[Any]) -> Validation:
    return _as(Validation, row, dataset_ref=f"{row.dataset}@{row.version_number}")


def _quarantines(tx: Transaction, *narrowed: Any) -> tuple[Quarantine, ...]:
    query = select(quarantines).where(*narrowed).order_by(quarantines.c.id.desc())
    return tuple(_as(Quarantine, row) for row in tx.execute(query))
