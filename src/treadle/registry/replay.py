"""The registry's tables anew from the event log."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.registry import changes, store
from treadle.registry.facts import (
    AliasRemoved,
    AliasSet,
    ModelCreated,
    ModelDeleted,
    ModelDescribed,
    ModelRenamed,
    ModelTagRemoved,
    ModelTagSet,
    StageMoved,
    VersionDeleted,
    VersionDescribed,
    VersionRegistered,
    VersionTagRemoved,
    VersionTagSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from treadle.storage.events import Event
    from treadle.storage.transaction import Transaction


def replay(tx: Transaction, event: Event) -> None:
    """Do what an event says was done; skips those of other nouns."""
    again = _REPLAYED.get(event.kind)
    if again is not None:
        again(tx, event)


def _created(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(ModelCreated)
    store.add_model(tx, fact.name, at=event.at, description=fact.description)
    store.put_model_tags(tx, fact.name, fact.tags)


def _described(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(ModelDescribed)
    store.describe_model(tx, fact.name, description=fact.description, at=event.at)


def _renamed(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(ModelRenamed)
    store.rename_model(tx, fact.name, new_name=fact.new_name, at=event.at)
    changes.write_seals(tx, fact.new_name, fact.seals)


def _deleted(tx: Transaction, event: Event) -> None:
    store.delete_model(tx, event.as_fact(ModelDeleted).name)


def _tag_set(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(ModelTagSet)
    store.put_model_tags(tx, fact.name, {fact.key: fact.value})


def _tag_removed(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(ModelTagRemoved)
    store.remove_model_tag(tx, fact.name, key=fact.key)


def _registered(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(VersionRegistered)
    store.take_number(tx, fact.name, at=event.at)
    store.add_version(tx, fact.version)


def _version_described(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(VersionDescribed)
    written = {"description": fact.description, "updated_at": event.at}
    store.set_version(tx, fact.name, fact.number, **written)
    changes.write_seals(tx, fact.name, (fact.seal,) if fact.seal else ())


def _version_tag_set(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(VersionTagSet)
    store.put_version_tags(tx, fact.name, fact.number, {fact.key: fact.value})


def _version_tag_removed(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(VersionTagRemoved)
    store.remove_version_tag(tx, fact.name, fact.number, key=fact.key)


def _stage_moved(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(StageMoved)
    changes.write_stage(
        tx, fact.name, fact.number, stage=fact.stage, archived=fact.archived, at=event.at
    )


def _version_deleted(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(VersionDeleted)
    store.delete_version(tx, fact.name, fact.number)
    store.touch_model(tx, fact.name, at=event.at)


def _alias_set(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(AliasSet)
    store.put_alias(tx, fact.name, alias=fact.alias, number=fact.number, at=event.at)


def _alias_removed(tx: Transaction, event: Event) -> None:
    fact = event.as_fact(AliasRemoved)
    store.remove_alias(tx, fact.name, alias=fact.alias)


_REPLAYED: dict[str, Callable[[Transaction, Event], None]] = {
    ModelCreated.kind: _created,
    ModelDescribed.kind: _described,
    ModelRenamed.kind: _renamed,
    ModelDeleted.kind: _deleted,
    ModelTagSet.kind: _tag_set,
    ModelTagRemoved.kind: _tag_removed,
    VersionRegistered.kind: _registered,
    VersionDescribed.kind: _version_described,
    VersionTagSet.kind: _version_tag_set,
    VersionTagRemoved.kind: _version_tag_removed,
    StageMoved.kind: _stage_moved,
    VersionDeleted.kind: _version_deleted,
    AliasSet.kind: _alias_set,
    AliasRemoved.kind: _alias_removed,
}
