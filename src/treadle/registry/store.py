"""SQL of models, their versions and aliases."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Column,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.registry.entities import Model, ModelVersion
from treadle.storage.schema import Instant, Json, metadata, plain

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    Column("latest", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("run_id", Text, index=True),
    Column("flavor", Text, nullable=False),
    Column("files", Json, nullable=False),
    Column("digest", Text, nullable=False),
    Column("signature", Json, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signed", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("metadata", Json, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    UniqueConstraint("model", "number"),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("model", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("set_at", Instant, nullable=False),
)


def add_model(tx: Transaction, name: str, *, at: int) -> bool:
    """Insert a model without versions unless it is there; say whether it was inserted."""
    dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    row = {"name": name, "latest": 0, "created_at": at, "updated_at": at}
    statement = dialect.insert(models).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(models.c.name)).first() is not None


def take_number(tx: Transaction, name: str, *, at: int) -> int:
    """Return the next number of a model; until the transaction ends nobody else gets one."""
    statement = update(models).where(models.c.name == name)
    taken = statement.values(latest=models.c.latest + 1, updated_at=at).returning(models.c.latest)
    return int(tx.execute(taken).scalar_one())


def lock_model(tx: Transaction, name: str) -> bool:
    """Hold a model until the transaction ends; say whether it is there."""
    query = select(models.c.name).where(models.c.name == name).with_for_update()
    return tx.execute(query).first() is not None


def touch_model(tx: Transaction, name: str, *, at: int) -> None:
    """Write when a model last changed."""
    tx.execute(update(models).where(models.c.name == name).values(updated_at=at))


def add_version(tx: Transaction, version: ModelVersion) -> None:
    """Insert a version."""
    tx.execute(insert(model_versions), msgspec.to_builtins(version))


def find_version(tx: Transaction, name: str, number: int) -> ModelVersion | None:
    """Return a version by its number."""
    c = model_versions.c
    query = select(model_versions).where(c.model == name, c.number == number)
    row = tx.execute(query).mappings().first()
    return None if row is None else _version(row)


def list_versions(tx: Transaction, name: str) -> tuple[ModelVersion, ...]:
    """Return the versions of a model, newest first."""
    query = select(model_versions).where(model_versions.c.model == name)
    rows = tx.execute(query.order_by(model_versions.c.number.desc())).mappings()
    return tuple(_version(row) for row in rows)


def versions_of_run(tx: Transaction, run_id: str) -> tuple[ModelVersion, ...]:
    """Return the versions that were made by a run, oldest first."""
    query = select(model_versions).where(model_versions.c.run_id == run_id)
    return tuple(
        _version(row) for row in tx.execute(query.order_by(model_versions.c.id)).mappings()
    )


def list_models(tx: Transaction) -> tuple[Model, ...]:
    """Return every model by name, with its aliases."""
    aliases: dict[str, dict[str, int]] = defaultdict(dict)
    for row in tx.execute(select(model_aliases).order_by(model_aliases.c.alias)):
        aliases[row.model][row.alias] = row.number
    rows = tx.execute(select(models).order_by(models.c.name)).mappings()
    return tuple(Model(**row, aliases=aliases[row["name"]]) for row in rows)


def model_names(tx: Transaction) -> list[str]:
    """Return the name of every model."""
    return list(tx.execute(select(models.c.name).order_by(models.c.name)).scalars())


def latest_number(tx: Transaction, name: str) -> int | None:
    """Return the newest number of a model, or None when there is no such model."""
    found: int | None = tx.execute(select(models.c.latest).where(models.c.name == name)).scalar()
    return found


def list_aliases(tx: Transaction, name: str) -> dict[str, int]:
    """Return where the aliases of a model point."""
    c = model_aliases.c
    query = select(c.alias, c.number).where(c.model == name).order_by(c.alias)
    return {row.alias: row.number for row in tx.execute(query)}


def put_alias(tx: Transaction, name: str, *, alias: str, number: int, at: int) -> None:
    """Point an alias to a version, wherever it pointed before."""
    remove_alias(tx, name, alias=alias)
    row = {"model": name, "alias": alias, "number": number, "set_at": at}
    tx.execute(insert(model_aliases), row)


def remove_alias(tx: Transaction, name: str, *, alias: str) -> None:
    """Delete an alias."""
    c = model_aliases.c
    tx.execute(delete(model_aliases).where(c.model == name, c.alias == alias))


def clear(tx: Transaction) -> None:
    """Delete every row of the registry."""
    for table in (model_aliases, model_versions, models):
        tx.execute(delete(table))


def _version(row: Any) -> ModelVersion:
    return msgspec.convert(plain(row), ModelVersion)
