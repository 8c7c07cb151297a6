"""SQL of models, their versions, tags and aliases."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    bindparam,
    case,
    delete,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.registry.entities import PROMPT, Model, ModelVersion
from treadle.storage.schema import (
    MENTIONS,
    Instant,
    Json,
    may_need_objects,
    metadata,
    needs_objects,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.storage.transaction import Transaction

models = Table(
    "models",
    metadata,
    Column("name", Text, primary_key=True),
    # The greatest number ever given, so that none is given twice.
    Column("latest", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("description", Text, nullable=False, server_default=""),
)

model_tags = Table(
    "model_tags",
    metadata,
    Column("model", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

model_versions = Table(
    "model_versions",
    metadata,
    Column("id", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("number", Integer, nullable=False),
    Column("run_id", Text, index=True),
    Column("flavor", Text, nullable=False),
    Column("files", Json, nullable=False, info=needs_objects("model {model}@{number}")),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("signature", Json, nullable=False),
    Column("key_id", Text, nullable=False),
    Column("signed", Text, nullable=False),
    Column("description", Text, nullable=False),
    Column("metadata", Json, nullable=False, info=may_need_objects("model {model}@{number}")),
    Column("created_at", Instant, nullable=False),
    Column("actor", Text, nullable=False),
    Column("sealing", Integer, nullable=False, server_default="1"),
    Column("source", Text, nullable=False, server_default=""),
    Column("run_link", Text, nullable=False, server_default=""),
    Column("logged_model_id", Text, index=True),
    Column("status", Text, nullable=False, server_default="ready"),
    Column("status_message", Text, nullable=False, server_default=""),
    Column("stage", Text, nullable=False, server_default="none"),
    Column("updated_at", Instant, nullable=False, server_default="0"),
    UniqueConstraint("model", "number"),
    Index("ix_model_versions_updated", "updated_at", "model", "number"),
)

model_version_tags = Table(
    "model_version_tags",
    metadata,
    Column("model", Text, primary_key=True),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
)

model_aliases = Table(
    "model_aliases",
    metadata,
    Column("model", Text, primary_key=True),
    Column("alias", Text, primary_key=True),
    Column("number", Integer, nullable=False),
    Column("set_at", Instant, nullable=False),
)


_CHILDREN = (model_tags, model_aliases, model_version_tags, model_versions)


def add_model(tx: Transaction, name: str, *, at: int, description: str = "") -> bool:
    """Insert a model without versions unless it is there; say whether it was inserted."""
    row = {"name": name, "latest": 0, "created_at": at, "updated_at": at}
    return _added(tx, {**row, "description": description})


def take_number(tx: Transaction, name: str, *, at: int, wanted: int | None = None) -> int | None:
    """Return the next number of a model, or the one that is wanted; None when the model is gone.

    Until the transaction ends nobody else gets one.
    """
    latest = models.c.latest
    newest = latest + 1 if wanted is None else case((latest < wanted, wanted), else_=latest)
    statement = update(models).where(models.c.name == name)
    taken = statement.values(latest=newest, updated_at=at).returning(latest)
    number: int | None = tx.execute(taken).scalar_one_or_none()
    return number if wanted is None or number is None else wanted


def lock_model(tx: Transaction, name: str) -> bool:
    """Hold a model until the transaction ends; say whether it is there."""
    query = select(models.c.name).where(models.c.name == name).with_for_update()
    return tx.execute(query).first() is not None


def touch_model(tx: Transaction, name: str, *, at: int) -> None:
    """Write when a model last changed."""
    tx.execute(update(models).where(models.c.name == name).values(updated_at=at))


def describe_model(tx: Transaction, name: str, *, description: str, at: int) -> None:
    """Write the description of a model."""
    written = update(models).where(models.c.name == name)
    tx.execute(written.values(description=description, updated_at=at))


def rename_model(tx: Transaction, name: str, *, new_name: str, at: int) -> bool:
    """Give a model and all that hangs on it another name; say whether that name was free."""
    row = tx.execute(select(models).where(models.c.name == name)).mappings().one()
    if not _added(tx, {**plain(row), "name": new_name, "updated_at": at}):
        return False
    for table in _CHILDREN:
        tx.execute(update(table).where(table.c.model == name).values(model=new_name))
    moved = update(model_versions).where(model_versions.c.model == new_name)
    tx.execute(moved.values(updated_at=at))
    tx.execute(delete(models).where(models.c.name == name))
    return True


def delete_model(tx: Transaction, name: str) -> None:
    """Delete a model with its versions, tags and aliases."""
    for table in _CHILDREN:
        tx.execute(delete(table).where(table.c.model == name))
    tx.execute(delete(models).where(models.c.name == name))


def put_model_tags(tx: Transaction, name: str, tags: Mapping[str, str]) -> None:
    """Write tags of a model over what they were."""
    _put_tags(tx, model_tags, {"model": name}, tags)


def remove_model_tag(tx: Transaction, name: str, *, key: str) -> None:
    """Delete a tag of a model."""
    c = model_tags.c
    tx.execute(delete(model_tags).where(c.model == name, c.key == key))


def model_tags_of(tx: Transaction, name: str) -> dict[str, str]:
    """Return the tags of a model."""
    return _tags_of_models(tx, [name])[name]


def find_model(tx: Transaction, name: str) -> Model | None:
    """Return a model by its name."""
    return next(iter(_models(tx, select(models).where(models.c.name == name))), None)


def list_models(tx: Transaction) -> tuple[Model, ...]:
    """Return every model that is no prompt, by name, with its aliases."""
    return _models(tx, select(models).where(is_no_prompt(models.c.name)).order_by(models.c.name))


def models_named(tx: Transaction, names: Sequence[str]) -> tuple[Model, ...]:
    """Return models in the order of their names as given."""
    found = {m.name: m for m in _models(tx, select(models).where(models.c.name.in_(names)))}
    return tuple(found[name] for name in names if name in found)


def is_no_prompt(name: Any) -> Any:
    """Return the condition that a model is no prompt."""
    c = model_tags.c
    prompt = select(c.model).where(c.key == PROMPT, func.lower(c.value) == "true")
    return name.not_in(prompt)


def model_names(tx: Transaction) -> list[str]:
    """Return the name of every model."""
    return list(tx.execute(select(models.c.name).order_by(models.c.name)).scalars())


def latest_number(tx: Transaction, name: str) -> int | None:
    """Return the newest number of a model, 0 when it has no version, None for no such model."""
    newest = select(func.max(model_versions.c.number)).where(model_versions.c.model == name)
    query = select(func.coalesce(newest.scalar_subquery(), 0)).where(models.c.name == name)
    found: int | None = tx.execute(query).scalar()
    return found


def add_version(tx: Transaction, version: ModelVersion) -> None:
    """Insert a version with its tags."""
    row = msgspec.to_builtins(version)
    tags = row.pop("tags")
    row["updated_at"] = row["updated_at"] or row["created_at"]
    tx.execute(insert(model_versions), row)
    put_version_tags(tx, version.model, version.number, tags)


def set_version(tx: Transaction, name: str, number: int, **values: object) -> None:
    """Write columns of a version."""
    c = model_versions.c
    written = update(model_versions).where(c.model == name, c.number == number)
    tx.execute(written.values(**values))


def delete_version(tx: Transaction, name: str, number: int) -> None:
    """Delete a version with its tags and the aliases that point to it."""
    for table in (model_version_tags, model_aliases, model_versions):
        tx.execute(delete(table).where(table.c.model == name, table.c.number == number))


def put_version_tags(tx: Transaction, name: str, number: int, tags: Mapping[str, str]) -> None:
    """Write tags of a version over what they were."""
    _put_tags(tx, model_version_tags, {"model": name, "number": number}, tags)


def remove_version_tag(tx: Transaction, name: str, number: int, *, key: str) -> None:
    """Delete a tag of a version."""
    c = model_version_tags.c
    mine = (c.model == name, c.number == number, c.key == key)
    tx.execute(delete(model_version_tags).where(*mine))


def find_version(tx: Transaction, name: str, number: int) -> ModelVersion | None:
    """Return a version by its number."""
    c = model_versions.c
    query = select(model_versions).where(c.model == name, c.number == number)
    return next(iter(_versions(tx, query)), None)


def version_by_id(tx: Transaction, version_id: str) -> ModelVersion | None:
    """Return a version by its id."""
    query = select(model_versions).where(model_versions.c.id == version_id)
    return next(iter(_versions(tx, query)), None)


def list_versions(
    tx: Transaction, name: str, *, stages: Sequence[str] = ()
) -> tuple[ModelVersion, ...]:
    """Return the versions of a model, newest first; of some stages only."""
    query = select(model_versions).where(model_versions.c.model == name)
    if stages:
        query = query.where(model_versions.c.stage.in_(stages))
    return _versions(tx, query.order_by(model_versions.c.number.desc()))


def latest_of_stages(tx: Transaction, names: Sequence[str]) -> tuple[ModelVersion, ...]:
    """Return the newest version of each stage of some models, by the stage's oldest one."""
    c = model_versions.c
    newest = (
        select(c.model, func.max(c.number).label("number"), func.min(c.number).label("first"))
        .where(c.model.in_(names))
        .group_by(c.model, c.stage)
        .subquery()
    )
    mine = (c.model == newest.c.model) & (c.number == newest.c.number)
    query = select(model_versions).join(newest, mine).order_by(c.model, newest.c.first)
    return _versions(tx, query)


def versions_of_run(tx: Transaction, run_id: str) -> tuple[ModelVersion, ...]:
    """Return the versions that were made by a run, oldest first."""
    query = select(model_versions).where(model_versions.c.run_id == run_id)
    return _versions(tx, query.order_by(model_versions.c.id))


def versions_with_ids(tx: Transaction, ids: Sequence[str]) -> tuple[ModelVersion, ...]:
    """Return versions in the order of their ids as given."""
    query = select(model_versions).where(model_versions.c.id.in_(ids))
    found = {version.id: version for version in _versions(tx, query)}
    return tuple(found[version_id] for version_id in ids if version_id in found)


def list_aliases(tx: Transaction, name: str) -> dict[str, int]:
    """Return where the aliases of a model point."""
    return _aliases_of(tx, [name])[name]


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
    for table in (*_CHILDREN, models):
        tx.execute(delete(table))


def _added(tx: Transaction, row: Mapping[str, object]) -> bool:
    dialect = postgresql if tx.connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(models).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(models.c.name)).first() is not None


def _models(tx: Transaction, query: Any) -> tuple[Model, ...]:
    rows = [plain(row) for row in tx.execute(query).mappings()]
    names = [row["name"] for row in rows]
    counts, aliases, tags = (
        _counts_of(tx, names), _aliases_of(tx, names), _tags_of_models(tx, names),
    )  # fmt: skip
    return tuple(
        Model(
            **{**row, "latest": counts[row["name"]][1]},
            versions=counts[row["name"]][0],
            aliases=aliases[row["name"]],
            tags=tags[row["name"]],
        )
        for row in rows
    )


def _counts_of(tx: Transaction, names: Sequence[str]) -> dict[str, tuple[int, int]]:
    c = model_versions.c
    count, latest = func.count().label("versions"), func.max(c.number).label("latest")
    query = select(c.model, count, latest).where(c.model.in_(names)).group_by(c.model)
    found = {row.model: (row.versions, row.latest) for row in tx.execute(query)}
    return {name: found.get(name, (0, 0)) for name in names}


def _aliases_of(tx: Transaction, names: Sequence[str]) -> dict[str, dict[str, int]]:
    c = model_aliases.c
    query = select(c.model, c.alias, c.number).where(c.model.in_(names)).order_by(c.alias)
    found: dict[str, dict[str, int]] = {name: {} for name in names}
    for row in tx.execute(query):
        found[row.model][row.alias] = row.number
    return found


def _put_tags(
    tx: Transaction, table: Table, owner: Mapping[str, str | int], tags: Mapping[str, str]
) -> None:
    if not tags:
        return
    names = (*owner, "key")
    # As many as a request names, in two statements: others wait for this transaction.
    gone = delete(table).where(*(table.c[name] == bindparam(f"the_{name}") for name in names))
    rows = [{**owner, "key": key, "value": value} for key, value in tags.items()]
    tx.execute(gone, [{f"the_{name}": row[name] for name in names} for row in rows])
    tx.execute(insert(table), rows)


def _tags_of_models(tx: Transaction, names: Sequence[str]) -> dict[str, dict[str, str]]:
    c = model_tags.c
    query = select(c.model, c.key, c.value).where(c.model.in_(names)).order_by(c.key)
    found: dict[str, dict[str, str]] = {name: {} for name in names}
    for row in tx.execute(query):
        found[row.model][row.key] = row.value
    return found


def _versions(tx: Transaction, query: Any) -> tuple[ModelVersion, ...]:
    rows = [plain(row) for row in tx.execute(query).mappings()]
    tags = _tags_of_versions(tx, rows)
    return tuple(
        msgspec.convert({**row, "tags": tags[row["model"], row["number"]]}, ModelVersion)
        for row in rows
    )


def _tags_of_versions(
    tx: Transaction, rows: Sequence[Mapping[str, Any]]
) -> dict[tuple[str, int], dict[str, str]]:
    found: dict[tuple[str, int], dict[str, str]] = defaultdict(dict)
    if not rows:
        return found
    c = model_version_tags.c
    query = select(model_version_tags).where(c.model.in_({row["model"] for row in rows}))
    if len(rows) == 1:
        query = query.where(c.number == rows[0]["number"])
    for tag in tx.execute(query.order_by(c.key)):
        found[tag.model, tag.number][tag.key] = tag.value
    return found
