"""What changes of models and versions once they are there, each change with its fact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.registry import rules, store
from treadle.registry.facts import (
    AliasRemoved,
    AliasSet,
    ModelCreated,
    ModelDescribed,
    ModelRenamed,
    ModelTagRemoved,
    ModelTagSet,
    StageMoved,
    VersionDescribed,
    VersionTagRemoved,
    VersionTagSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.registry.entities import Model, ModelVersion, Seal
    from treadle.storage.transaction import Transaction

ACTIVE = ("staging", "production")


def model_of(tx: Transaction, name: str) -> Model:
    """Return a model. Raises NotFound with the near miss."""
    found = store.find_model(tx, name)
    if found is None:
        raise NotFound("model", name, known=store.model_names(tx))
    return found


def held(tx: Transaction, name: str) -> Model:
    """Return a model and keep it from changing until the transaction ends. Raises NotFound."""
    store.lock_model(tx, name)
    return model_of(tx, name)


def version_of(tx: Transaction, asked: rules.Ref) -> ModelVersion:
    """Return the version that was asked for. Raises NotFound with the near miss."""
    latest = store.latest_number(tx, asked.name)
    if latest is None:
        raise NotFound("model", asked.name, known=store.model_names(tx))
    number = latest if asked.number is None else asked.number
    if asked.alias is not None:
        known = store.list_aliases(tx, asked.name)
        if asked.alias not in known:
            raise NotFound("alias", asked.alias, known=known)
        number = known[asked.alias]
    found = store.find_version(tx, asked.name, number)
    if found is None:
        hint = f"The newest is {asked.name}@{latest}." if latest else "It has no version yet."
        raise NotFound("model version", f"{asked.name}@{number}", hint=hint)
    return found


def numbered(tx: Transaction, name: str, number: int) -> ModelVersion:
    """Return a version by its number. Raises NotFound."""
    return version_of(tx, rules.Ref(name=name, number=number))


def must_be_free(tx: Transaction, name: str, number: int | None) -> None:
    """Raise Conflict when a version has a number that another is to get."""
    if number is not None and store.find_version(tx, name, number) is not None:
        raise Conflict(f"{name}@{number} is there already.", model=name, number=number)


def create(tx: Transaction, name: str, *, description: str, tags: Mapping[str, str]) -> Model:
    """Register a name. Raises Conflict when it is taken."""
    if not store.add_model(tx, name, at=tx.at, description=description):
        raise taken(tx, name)
    store.put_model_tags(tx, name, tags)
    tx.emit(ModelCreated(name=name, description=description, tags=dict(tags)))
    return model_of(tx, name)


def taken(tx: Transaction, name: str) -> Conflict:
    """Say that a name is taken, and by what."""
    there = store.find_model(tx, name)
    what = "prompt" if there is not None and there.is_prompt else "model"
    return Conflict(f"There is a {what} {name!r} already.", kind="model", name=name, there=what)


def describe(tx: Transaction, name: str, description: str) -> Model:
    """Write the description of a model."""
    held(tx, name)
    store.describe_model(tx, name, description=description, at=tx.at)
    tx.emit(ModelDescribed(name=name, description=description))
    return model_of(tx, name)


def rename(
    tx: Transaction, name: str, new_name: str, *, reseal: Callable[[ModelVersion, str], Seal]
) -> Model:
    """Give a model another name; its versions are signed again under it."""
    there = held(tx, name)
    if new_name == name:
        return there
    seals = tuple(reseal(v, new_name) for v in store.list_versions(tx, name))
    if not store.rename_model(tx, name, new_name=new_name, at=tx.at):
        raise Conflict(f"There is a model {new_name!r} already.", kind="rename", name=new_name)
    write_seals(tx, new_name, seals)
    tx.emit(ModelRenamed(name=name, new_name=new_name, seals=seals))
    return model_of(tx, new_name)


def write_seals(tx: Transaction, name: str, seals: tuple[Seal, ...]) -> None:
    """Write what versions are signed with."""
    for seal in seals:
        store.set_version(
            tx,
            name,
            seal.number,
            digest=seal.digest,
            key_id=seal.key_id,
            signed=seal.signed,
            sealing=seal.sealing,
        )


def tag_model(tx: Transaction, name: str, tags: Mapping[str, str]) -> None:
    """Write tags of a model; one that is so already is left alone."""
    there = held(tx, name)
    for key, value in tags.items():
        if there.tags.get(key) != value:
            store.put_model_tags(tx, name, {key: value})
            tx.emit(ModelTagSet(name=name, key=key, value=value, prompt=there.is_prompt))


def untag_model(tx: Transaction, name: str, key: str) -> None:
    """Take a tag off a model. Raises NotFound with the near miss."""
    there = held(tx, name)
    if key not in there.tags:
        raise NotFound("tag", key, known=there.tags)
    store.remove_model_tag(tx, name, key=key)
    tx.emit(ModelTagRemoved(name=name, key=key, prompt=there.is_prompt))


def describe_version(
    tx: Transaction, version: ModelVersion, description: str, *, seal: Seal | None
) -> ModelVersion:
    """Write the description of a version, signed again if that was signed with it."""
    name, number = version.model, version.number
    store.set_version(tx, name, number, description=description, updated_at=tx.at)
    if seal is not None:
        write_seals(tx, name, (seal,))
    tx.emit(VersionDescribed(name=name, number=number, description=description, seal=seal))
    return numbered(tx, name, number)


def tag_version(tx: Transaction, name: str, number: int, tags: Mapping[str, str]) -> None:
    """Write tags of a version; one that is so already is left alone."""
    model, there = held(tx, name), numbered(tx, name, number).tags
    for key, value in tags.items():
        if there.get(key) != value:
            store.put_version_tags(tx, name, number, {key: value})
            tx.emit(
                VersionTagSet(
                    name=name, number=number, key=key, value=value, prompt=model.is_prompt
                )
            )


def untag_version(tx: Transaction, name: str, number: int, key: str) -> None:
    """Take a tag off a version. Raises NotFound with the near miss."""
    model, there = held(tx, name), numbered(tx, name, number).tags
    if key not in there:
        raise NotFound("tag", key, known=there)
    store.remove_version_tag(tx, name, number, key=key)
    tx.emit(VersionTagRemoved(name=name, number=number, key=key, prompt=model.is_prompt))


def move_stage(
    tx: Transaction, name: str, number: int, stage: str, *, archive_existing: bool
) -> ModelVersion:
    """Move a version to a stage; the others may have to leave it for the archive."""
    wanted = rules.check_stage(stage)
    if archive_existing and wanted not in ACTIVE:
        raise InvalidInput(
            f"Versions can be archived when another takes {' or '.join(ACTIVE)}, not {wanted}.",
            kind="archiving",
            name=stage,
        )
    held(tx, name)
    there = numbered(tx, name, number)
    others = store.list_versions(tx, name, stages=[wanted]) if archive_existing else ()
    archived = tuple(sorted(v.number for v in others if v.number != number))
    write_stage(tx, name, number, stage=wanted, archived=archived, at=tx.at)
    tx.emit(
        StageMoved(name=name, number=number, stage=wanted, previous=there.stage, archived=archived)
    )
    return numbered(tx, name, number)


def write_stage(
    tx: Transaction, name: str, number: int, *, stage: str, archived: tuple[int, ...], at: int
) -> None:
    """Write the stage of a version and of those that left it."""
    for other in archived:
        store.set_version(tx, name, other, stage="archived", updated_at=at)
    store.set_version(tx, name, number, stage=stage, updated_at=at)
    store.touch_model(tx, name, at=at)


def set_alias(tx: Transaction, name: str, alias: str, number: int) -> None:
    """Point an alias to a version; does nothing when it points there already."""
    # Two who move an alias at once: the second must see where the first has put it.
    model = held(tx, name)
    numbered(tx, name, number)
    previous = model.aliases.get(alias)
    if previous == number:
        return
    store.put_alias(tx, name, alias=alias, number=number, at=tx.at)
    tx.emit(
        AliasSet(name=name, alias=alias, number=number, previous=previous, prompt=model.is_prompt)
    )


def remove_alias(tx: Transaction, name: str, alias: str) -> None:
    """Take an alias away. Raises NotFound with the near miss."""
    model = held(tx, name)
    if alias not in model.aliases:
        raise NotFound("alias", alias, known=model.aliases)
    store.remove_alias(tx, name, alias=alias)
    previous = model.aliases[alias]
    tx.emit(AliasRemoved(name=name, alias=alias, previous=previous, prompt=model.is_prompt))
