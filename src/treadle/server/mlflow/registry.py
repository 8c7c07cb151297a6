"""Registered models and their versions, tags, aliases and stages; prompts are models with a tag."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, ParamSpec

import msgspec

from treadle.kernel.errors import NotFound, TreadleError
from treadle.registry.entities import PROMPT
from treadle.server.mlflow import limits
from treadle.server.mlflow import registry_words as words
from treadle.server.mlflow.errors import ABSENT, WireError
from treadle.server.mlflow.wire import Answer, Ask, Empty, KeyValue, as_dict, ms, pairs, some

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from treadle.registry.entities import Model, ModelVersion, Stage
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Handler, Route

MODELS_MOST = 1000
VERSIONS_MOST = 200_000
VERSION_ORDER = ("last_updated_timestamp DESC", "name ASC", "version_number DESC")
STAGES: dict[Stage, str] = {
    "none": "None",
    "staging": "Staging",
    "production": "Production",
    "archived": "Archived",
}

P = ParamSpec("P")


class CreateModel(Ask):
    needs = ("name",)
    name: str = ""
    tags: tuple[KeyValue, ...] = ()
    description: str = ""


class ModelName(Ask):
    needs = ("name",)
    name: str = ""


class UpdateModel(Ask):
    needs = ("name",)
    name: str = ""
    description: str = ""


class RenameModel(Ask):
    needs = ("name", "new_name")
    name: str = ""
    new_name: str = ""


class SearchModels(Ask):
    filter: str = ""
    max_results: int = 100
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class LatestVersions(Ask):
    needs = ("name",)
    name: str = ""
    stages: tuple[str, ...] = ()


class SetModelTag(Ask):
    needs = ("name", "key")
    name: str = ""
    key: str = ""
    value: str = ""


class DeleteModelTag(Ask):
    needs = ("name", "key")
    name: str = ""
    key: str = ""


class CreateVersion(Ask):
    needs = ("name", "source")
    name: str = ""
    source: str = ""
    run_id: str | None = None
    tags: tuple[KeyValue, ...] = ()
    run_link: str = ""
    description: str = ""
    model_id: str | None = None


class VersionOf(Ask):
    needs = ("name", "version")
    name: str = ""
    version: str = ""


class UpdateVersion(Ask):
    needs = ("name", "version")
    name: str = ""
    version: str = ""
    description: str = ""


class MoveStage(Ask):
    needs = ("name", "version", "stage")
    name: str = ""
    version: str = ""
    stage: str = ""
    archive_existing_versions: bool = False


class SearchVersions(Ask):
    filter: str = ""
    max_results: int = VERSIONS_MOST
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class SetVersionTag(Ask):
    needs = ("name", "version", "key")
    name: str = ""
    version: str = ""
    key: str = ""
    value: str = ""


class DeleteVersionTag(Ask):
    needs = ("name", "version", "key")
    name: str = ""
    version: str = ""
    key: str = ""


class SetAlias(Ask):
    needs = ("name", "alias", "version")
    name: str = ""
    alias: str = ""
    version: str = ""


class AliasOf(Ask):
    needs = ("name", "alias")
    name: str = ""
    alias: str = ""


class WireAlias(Answer):
    alias: str
    version: str


class WireVersion(Answer):
    name: str
    version: str
    creation_timestamp: int | msgspec.UnsetType
    last_updated_timestamp: int | msgspec.UnsetType
    description: str
    current_stage: str
    source: str
    run_id: str
    status: str
    status_message: str | msgspec.UnsetType
    run_link: str
    tags: list[KeyValue] | msgspec.UnsetType
    aliases: list[str] | msgspec.UnsetType


class WireModel(Answer):
    name: str
    creation_timestamp: int | msgspec.UnsetType
    last_updated_timestamp: int | msgspec.UnsetType
    description: str | msgspec.UnsetType
    latest_versions: list[WireVersion] | msgspec.UnsetType
    tags: list[KeyValue] | msgspec.UnsetType
    aliases: list[WireAlias] | msgspec.UnsetType


class OneModel(Answer):
    registered_model: WireModel


class ModelPage(Answer):
    registered_models: list[WireModel] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class OneVersion(Answer):
    model_version: WireVersion


class Versions(Answer):
    model_versions: list[WireVersion] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class DownloadUri(Answer):
    artifact_uri: str


def create_model(call: Call) -> OneModel:
    """Register a name."""
    asked = call.read(CreateModel)
    tags = as_dict(asked.tags)
    words.check_name(asked.name)
    words.check_tags(tags)
    try:
        made = call.app.registry.create_model(asked.name, description=asked.description, tags=tags)
    except TreadleError as error:
        raise words.taken(error, asked.name, as_prompt=PROMPT in tags) from error
    return OneModel(registered_model=model_on_wire(made, ()))


def get_model(call: Call) -> OneModel:
    """Return a model."""
    name = call.read(ModelName).name
    words.check_name(name)
    return OneModel(registered_model=_with_latest(call, [call.app.registry.model(name)])[0])


def update_model(call: Call) -> OneModel:
    """Write the description of a model."""
    asked = call.read(UpdateModel)
    words.check_name(asked.name)
    found = call.app.registry.describe_model(asked.name, asked.description)
    return OneModel(registered_model=_with_latest(call, [found])[0])


def rename_model(call: Call) -> OneModel:
    """Give a model another name."""
    asked = call.read(RenameModel)
    words.check_name(asked.new_name)
    words.check_name(asked.name)
    found = call.app.registry.rename_model(asked.name, asked.new_name)
    return OneModel(registered_model=_with_latest(call, [found])[0])


def delete_model(call: Call) -> Empty:
    """Delete a model with its versions."""
    name = call.read(ModelName).name
    words.check_name(name)
    call.app.registry.delete_model(name)
    return Empty()


def search_models(call: Call) -> ModelPage:
    """Return a page of models."""
    asked = call.read(SearchModels)
    words.check_page(asked.max_results, most=MODELS_MOST)
    offset = limits.offset_of(asked.page_token)
    page = call.app.registry.search_models(
        where=asked.filter,
        order_by=asked.order_by,
        limit=max(1, asked.max_results),
        offset=offset,
    )
    return ModelPage(
        registered_models=some(_with_latest(call, page.items)),
        next_page_token=_token(page.next_offset),
    )


def latest_versions(call: Call) -> Versions:
    """Return the newest version in each stage, or in some."""
    asked = call.read(LatestVersions)
    words.check_name(asked.name)
    model = call.app.registry.model(asked.name)
    stages = {words.stage_of(stage) for stage in asked.stages or STAGES}
    found = call.app.registry.newest_of_stages([model.name])[model.name]
    return Versions(
        model_versions=some(
            version_on_wire(version, model) for version in found if version.stage in stages
        )
    )


def set_model_tag(call: Call) -> Empty:
    """Tag a model."""
    asked = call.read(SetModelTag)
    words.check_name(asked.name)
    words.check_tags({asked.key: asked.value})
    call.app.registry.tag_model(asked.name, {asked.key: asked.value})
    return Empty()


def delete_model_tag(call: Call) -> Empty:
    """Take a tag off a model; it need not be there."""
    asked = call.read(DeleteModelTag)
    words.check_name(asked.name)
    limits.check_key(asked.key, path="key")
    return _unless_gone("tag", call.app.registry.untag_model, asked.name, asked.key)


def create_version(call: Call) -> OneVersion:
    """Make a version of files that are there."""
    asked = call.read(CreateVersion)
    tags = as_dict(asked.tags)
    try:
        made = call.app.registry.create_version(
            asked.name,
            source=asked.source,
            run_id=asked.run_id,
            logged_model_id=asked.model_id,
            run_link=asked.run_link,
            description=asked.description,
            tags=tags,
        )
    except TreadleError as error:
        words.check_name(asked.name)
        words.check_tags(tags)
        raise words.unfit_source(error) from error
    return OneVersion(model_version=version_on_wire(made, None))


def get_version(call: Call) -> OneVersion:
    """Return a version."""
    asked = call.read(VersionOf)
    return OneVersion(model_version=_full(call, _numbered(call, asked.name, asked.version)))


def update_version(call: Call) -> OneVersion:
    """Write the description of a version."""
    asked = call.read(UpdateVersion)
    number = words.number_of(asked.name, asked.version)
    describe = call.app.registry.describe_version
    with words.of_version(asked.name, number):
        found = describe(asked.name, number, asked.description)
    return OneVersion(model_version=_full(call, found))


def move_stage(call: Call) -> OneVersion:
    """Move a version to a stage."""
    asked = call.read(MoveStage)
    stage = words.stage_of(asked.stage)
    number = words.number_of(asked.name, asked.version)
    archives = asked.archive_existing_versions
    with words.of_version(asked.name, number):
        found = call.app.registry.move_stage(asked.name, number, stage, archive_existing=archives)
    return OneVersion(model_version=_full(call, found))


def delete_version(call: Call) -> Empty:
    """Delete a version."""
    asked = call.read(VersionOf)
    number = words.number_of(asked.name, asked.version)
    with words.of_version(asked.name, number):
        call.app.registry.delete_version(asked.name, number)
    return Empty()


def search_versions(call: Call) -> Versions:
    """Return a page of versions."""
    asked = call.read(SearchVersions)
    words.check_page(asked.max_results, most=VERSIONS_MOST)
    words.check_some(asked.max_results)
    page = call.app.registry.search_versions(
        where=asked.filter,
        order_by=asked.order_by or VERSION_ORDER,
        limit=asked.max_results,
        offset=limits.offset_of(asked.page_token),
    )
    # As on the genuine server a list of versions says nothing of aliases: who needs them asks for
    # the model.
    return Versions(
        model_versions=some(version_on_wire(version, None) for version in page.items),
        next_page_token=_token(page.next_offset),
    )


def download_uri(call: Call) -> DownloadUri:
    """Say where the files of a version are read."""
    asked = call.read(VersionOf)
    return DownloadUri(artifact_uri=files_of(_numbered(call, asked.name, asked.version)))


def set_version_tag(call: Call) -> Empty:
    """Tag a version."""
    asked = call.read(SetVersionTag)
    number = words.number_of(asked.name, asked.version)
    words.check_tags({asked.key: asked.value})
    with words.of_version(asked.name, number):
        call.app.registry.tag_version(asked.name, number, {asked.key: asked.value})
    return Empty()


def delete_version_tag(call: Call) -> Empty:
    """Take a tag off a version; it need not be there."""
    asked = call.read(DeleteVersionTag)
    number = words.number_of(asked.name, asked.version)
    limits.check_key(asked.key, path="key")
    with words.of_version(asked.name, number):
        return _unless_gone("tag", call.app.registry.untag_version, asked.name, number, asked.key)


def set_alias(call: Call) -> Empty:
    """Point an alias to a version."""
    asked = call.read(SetAlias)
    words.check_name(asked.name)
    words.check_alias(asked.alias)
    words.check_alias_free(asked.alias)
    number = words.number_of(asked.name, asked.version)
    with words.of_version(asked.name, number):
        call.app.registry.set_alias(asked.name, asked.alias, number)
    return Empty()


def delete_alias(call: Call) -> Empty:
    """Take an alias away; it need not be there."""
    asked = call.read(AliasOf)
    words.check_name(asked.name)
    words.check_alias(asked.alias)
    return _unless_gone("alias", call.app.registry.remove_alias, asked.name, asked.alias)


def get_by_alias(call: Call) -> OneVersion:
    """Return the version an alias points to, or the newest for `latest`."""
    asked = call.read(AliasOf)
    words.check_name(asked.name)
    words.check_alias(asked.alias)
    registry = call.app.registry
    if asked.alias.lower() != "latest":
        return OneVersion(model_version=_full(call, registry.aliased(asked.name, asked.alias)))
    newest = registry.model(asked.name).latest
    if not newest:
        raise WireError(ABSENT, f"Latest version not found for model {asked.name}.")
    return OneVersion(model_version=_full(call, registry.numbered(asked.name, newest)))


def files_of(version: ModelVersion) -> str:
    """Return the URI under which the files of a version are read."""
    if version.files or not version.source:
        return f"mlflow-artifacts:/versions/{version.id}"
    return version.source


def model_on_wire(model: Model, latest: Sequence[ModelVersion]) -> WireModel:
    """Return a model as MLflow's client reads it."""
    return WireModel(
        name=model.name,
        creation_timestamp=ms(model.created_at),
        last_updated_timestamp=ms(model.updated_at),
        description=model.description or msgspec.UNSET,
        latest_versions=some(version_on_wire(version, None) for version in latest),
        tags=pairs(model.tags),
        aliases=some(
            WireAlias(alias=alias, version=str(number)) for alias, number in model.aliases.items()
        ),
    )


def version_on_wire(version: ModelVersion, model: Model | None) -> WireVersion:
    """Return a version as MLflow's client reads it; with its aliases when its model is given."""
    aliases = model.aliases if model is not None else {}
    return WireVersion(
        name=version.model,
        version=str(version.number),
        creation_timestamp=ms(version.created_at),
        last_updated_timestamp=ms(version.updated_at),
        description=version.description,
        current_stage=STAGES[version.stage],
        source=version.source or files_of(version),
        run_id=version.run_id or "",
        status="PENDING_REGISTRATION" if version.status == "pending" else version.status.upper(),
        status_message=version.status_message or msgspec.UNSET,
        run_link=version.run_link,
        tags=pairs(version.tags),
        aliases=some(alias for alias, number in aliases.items() if number == version.number),
    )


def _with_latest(call: Call, models: Sequence[Model]) -> list[WireModel]:
    latest = call.app.registry.newest_of_stages([model.name for model in models])
    return [model_on_wire(model, latest[model.name]) for model in models]


def _numbered(call: Call, name: str, version: str) -> ModelVersion:
    number = words.number_of(name, version)
    with words.of_version(name, number):
        return call.app.registry.numbered(name, number)


def _full(call: Call, version: ModelVersion) -> WireVersion:
    return version_on_wire(version, call.app.registry.model(version.model))


def _token(offset: int | None) -> str | msgspec.UnsetType:
    return msgspec.UNSET if offset is None else limits.token_of(offset)


def _unless_gone(kind: str, verb: Callable[P, None], *args: P.args, **kwargs: P.kwargs) -> Empty:
    try:
        verb(*args, **kwargs)
    except NotFound as error:
        if error.data["kind"] != kind:
            raise
    return Empty()


def _worded(handler: Handler) -> Handler:
    @wraps(handler)
    def asked(call: Call) -> object:
        try:
            return handler(call)
        except TreadleError as error:
            raise words.worded(error) from error

    return asked


ROUTES: tuple[Route, ...] = tuple(
    (method, f"/mlflow/{path}", _worded(handler))
    for method, path, handler in (
        ("POST", "registered-models/create", create_model),
        ("POST", "registered-models/rename", rename_model),
        ("PATCH", "registered-models/update", update_model),
        ("DELETE", "registered-models/delete", delete_model),
        ("GET", "registered-models/get", get_model),
        ("GET", "registered-models/search", search_models),
        ("POST", "registered-models/get-latest-versions", latest_versions),
        ("GET", "registered-models/get-latest-versions", latest_versions),
        ("POST", "registered-models/set-tag", set_model_tag),
        ("DELETE", "registered-models/delete-tag", delete_model_tag),
        ("POST", "registered-models/alias", set_alias),
        ("DELETE", "registered-models/alias", delete_alias),
        ("GET", "registered-models/alias", get_by_alias),
        ("POST", "model-versions/create", create_version),
        ("PATCH", "model-versions/update", update_version),
        ("POST", "model-versions/transition-stage", move_stage),
        ("DELETE", "model-versions/delete", delete_version),
        ("GET", "model-versions/get", get_version),
        ("GET", "model-versions/search", search_versions),
        ("GET", "model-versions/get-download-uri", download_uri),
        ("POST", "model-versions/set-tag", set_version_tag),
        ("DELETE", "model-versions/delete-tag", delete_version_tag),
    )
)
