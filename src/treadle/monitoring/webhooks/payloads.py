"""What receivers are told of each event of the registry, in the form MLflow's receivers know."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.monitoring.webhooks.entities import News, Topic
from treadle.registry.entities import PROMPT
from treadle.registry.facts import (
    AliasRemoved,
    AliasSet,
    ModelCreated,
    ModelTagRemoved,
    ModelTagSet,
    VersionRegistered,
    VersionTagRemoved,
    VersionTagSet,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from treadle.storage.events import Event

PROMPT_TEXT = "mlflow.prompt.text"
PROMPT_TYPE = "_mlflow_prompt_type"

Told = tuple[Topic, dict[str, Any]]


def news_of(event: Event) -> News | None:
    """Return what an event tells receivers, or None when it tells them nothing."""
    told = _TOLD[event.kind](event) if event.kind in _TOLD else None
    if told is None:
        return None
    return News(seq=event.seq, at=event.recorded_at, topic=told[0], data=told[1])


def example_of(topic: Topic) -> dict[str, Any]:
    """Return what a test of a webhook sends."""
    noun, _, happened = topic.partition(".")
    prompt = noun.startswith("prompt")
    data: dict[str, Any] = {"name": "example_prompt" if prompt else "example_model"}
    if noun == "budget_policy":
        return {"budget_policy_id": "example"}
    if noun.endswith("_alias"):
        data["alias"] = "example_alias"
    if "version" in noun and not (noun.endswith("_alias") and happened == "deleted"):
        data["version"] = "1"
    if noun == "prompt_alias" and happened == "created":
        data["version"] = "1"
    if noun.endswith("_tag"):
        data["key"] = "example_key"
        return data | ({"value": "example_value"} if happened == "set" else {})
    if noun == "model_version":
        data |= {"source": "models:/123", "run_id": "abcd1234abcd5678"}
    if noun == "prompt_version":
        data["template"] = "Hello {{name}}!"
    if not noun.endswith("_alias"):
        said = f"An example {noun.replace('_', ' ')}"
        data |= {"tags": {"example_key": "example_value"}, "description": said}
    return data


def _model_created(event: Event) -> Told:
    fact = event.as_fact(ModelCreated)
    prompt = _is_prompt(fact.tags)
    data = {
        "name": fact.name,
        "tags": _shown(fact.tags, prompt=prompt),
        "description": fact.description,
    }
    return ("prompt.created" if prompt else "registered_model.created"), data


def _version_registered(event: Event) -> Told:
    version = event.as_fact(VersionRegistered).version
    prompt = _is_prompt(version.tags)
    data: dict[str, Any] = {"name": version.model, "version": str(version.number)}
    if prompt:
        data["template"] = version.tags.get(PROMPT_TEXT)
    else:
        data |= {"source": version.source, "run_id": version.run_id}
    data["tags"] = _shown(version.tags, prompt=prompt)
    data["description"] = version.description or None
    return ("prompt_version.created" if prompt else "model_version.created"), data


def _model_tag_set(event: Event) -> Told | None:
    fact = event.as_fact(ModelTagSet)
    data = {"name": fact.name, "key": fact.key, "value": fact.value}
    return ("prompt_tag.set", data) if fact.prompt else None


def _model_tag_removed(event: Event) -> Told | None:
    fact = event.as_fact(ModelTagRemoved)
    return ("prompt_tag.deleted", {"name": fact.name, "key": fact.key}) if fact.prompt else None


def _version_tag_set(event: Event) -> Told:
    fact = event.as_fact(VersionTagSet)
    data = {
        "name": fact.name,
        "version": str(fact.number),
        "key": fact.key,
        "value": fact.value,
    }
    return ("prompt_version_tag.set" if fact.prompt else "model_version_tag.set"), data


def _version_tag_removed(event: Event) -> Told:
    fact = event.as_fact(VersionTagRemoved)
    data = {"name": fact.name, "version": str(fact.number), "key": fact.key}
    return ("prompt_version_tag.deleted" if fact.prompt else "model_version_tag.deleted"), data


def _alias_set(event: Event) -> Told:
    fact = event.as_fact(AliasSet)
    data = {"name": fact.name, "alias": fact.alias, "version": str(fact.number)}
    return ("prompt_alias.created" if fact.prompt else "model_version_alias.created"), data


def _alias_removed(event: Event) -> Told:
    fact = event.as_fact(AliasRemoved)
    data = {"name": fact.name, "alias": fact.alias}
    return ("prompt_alias.deleted" if fact.prompt else "model_version_alias.deleted"), data


def _is_prompt(tags: Mapping[str, str]) -> bool:
    return tags.get(PROMPT, "").lower() == "true"


def _shown(tags: Mapping[str, str], *, prompt: bool) -> dict[str, str]:
    hidden = {PROMPT, PROMPT_TYPE, PROMPT_TEXT} if prompt else set()
    return {key: value for key, value in tags.items() if key not in hidden}


_TOLD: dict[str, Callable[[Event], Told | None]] = {
    ModelCreated.kind: _model_created,
    ModelTagSet.kind: _model_tag_set,
    ModelTagRemoved.kind: _model_tag_removed,
    VersionRegistered.kind: _version_registered,
    VersionTagSet.kind: _version_tag_set,
    VersionTagRemoved.kind: _version_tag_removed,
    AliasSet.kind: _alias_set,
    AliasRemoved.kind: _alias_removed,
}
KINDS = tuple(_TOLD)
"""The kinds of events that tell receivers something."""
