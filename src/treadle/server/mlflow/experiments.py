"""Experiments: create, get, search, rename, delete, restore, tag."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import msgspec

from treadle.kernel.errors import NotFound
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.wire import (
    Answer,
    Ask,
    Empty,
    KeyValue,
    as_dict,
    ms,
    pairs,
    some,
)

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracking.entities import Experiment

    View = Literal["active", "deleted", "all"]

STORE = "mlflow-artifacts:/"
VIEWS: dict[str | int, View] = {
    "ACTIVE_ONLY": "active", "DELETED_ONLY": "deleted", "ALL": "all",
    1: "active", 2: "deleted", 3: "all",
    "1": "active", "2": "deleted", "3": "all",
}  # fmt: skip


class CreateExperiment(Ask):
    needs = ("name",)
    name: str | None = None
    artifact_location: str = ""
    tags: tuple[KeyValue, ...] = ()


class ExperimentId(Ask):
    needs = ("experiment_id",)
    experiment_id: str = ""


class ExperimentName(Ask):
    needs = ("experiment_name",)
    experiment_name: str = ""


class UpdateExperiment(Ask):
    needs = ("experiment_id", "new_name")
    experiment_id: str = ""
    new_name: str = ""


class SearchExperiments(Ask):
    view_type: str | int = 1
    max_results: int | None = None
    order_by: tuple[str, ...] = ()
    filter: str = ""
    page_token: str = ""


class SetExperimentTag(Ask):
    needs = ("experiment_id", "key")
    experiment_id: str = ""
    key: str = ""
    value: str = ""


class DeleteExperimentTag(Ask):
    needs = ("experiment_id", "key")
    experiment_id: str = ""
    key: str = ""


class ExperimentCreated(Answer):
    experiment_id: str


class WireExperiment(Answer):
    experiment_id: str
    name: str
    artifact_location: str
    lifecycle_stage: str
    last_update_time: int | msgspec.UnsetType
    creation_time: int | msgspec.UnsetType
    tags: list[KeyValue] | msgspec.UnsetType
    workspace: str = "default"


class OneExperiment(Answer):
    experiment: WireExperiment


class ExperimentPage(Answer):
    experiments: list[WireExperiment] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


def create(call: Call) -> ExperimentCreated:
    """Create an experiment."""
    asked = call.read(CreateExperiment)
    name = asked.name or ""
    limits.check_length("name", name, most=limits.EXPERIMENT_NAME_MOST)
    for tag in asked.tags:
        _check_tag(tag.key, tag.value)
    made = call.app.tracking.create_experiment(
        name, artifact_location=asked.artifact_location, tags=as_dict(asked.tags)
    )
    return ExperimentCreated(experiment_id=made.id)


def get(call: Call) -> OneExperiment:
    """Return an experiment, also a deleted one."""
    asked = call.read(ExperimentId)
    return OneExperiment(experiment=on_wire(experiment_of(call, asked.experiment_id)))


def get_by_name(call: Call) -> OneExperiment:
    """Return the experiment of a name, also a deleted one."""
    name = call.read(ExperimentName).experiment_name
    if name == "Default":
        call.app.tracking.default_experiment()
    found = call.app.tracking.experiment_by_name(name)
    if found is None:
        raise WireError(ABSENT, f"Could not find experiment with name '{name}'")
    return OneExperiment(experiment=on_wire(found))


def search(call: Call) -> ExperimentPage:
    """Return a page of experiments."""
    asked = call.read(SearchExperiments)
    size = limits.page_size(asked.max_results, default=None)
    offset = limits.offset_of(asked.page_token)
    call.app.tracking.default_experiment()
    page = call.app.tracking.search_experiments(
        where=asked.filter,
        order_by=asked.order_by,
        view=view_of(asked.view_type),
        limit=size,
        offset=offset,
    )
    more = page.next_offset
    return ExperimentPage(
        experiments=some(on_wire(found) for found in page.items),
        next_page_token=msgspec.UNSET if more is None else limits.token_of(more),
    )


def update(call: Call) -> Empty:
    """Rename an experiment."""
    asked = call.read(UpdateExperiment)
    limits.check_length("name", asked.new_name, most=limits.EXPERIMENT_NAME_MOST)
    call.app.tracking.rename_experiment(asked.experiment_id, asked.new_name)
    return Empty()


def delete(call: Call) -> Empty:
    """Delete an experiment and its runs, until they are restored."""
    call.app.tracking.delete_experiment(call.read(ExperimentId).experiment_id)
    return Empty()


def restore(call: Call) -> Empty:
    """Bring a deleted experiment back."""
    call.app.tracking.restore_experiment(call.read(ExperimentId).experiment_id)
    return Empty()


def set_tag(call: Call) -> Empty:
    """Tag an experiment."""
    asked = call.read(SetExperimentTag)
    _check_tag(asked.key, asked.value)
    call.app.tracking.tag_experiment(asked.experiment_id, {asked.key: asked.value})
    return Empty()


def delete_tag(call: Call) -> Empty:
    """Take a tag off an experiment."""
    asked = call.read(DeleteExperimentTag)
    try:
        call.app.tracking.untag_experiment(asked.experiment_id, asked.key)
    except NotFound as error:
        raise without_tag(error, asked.key, f"experiment with id {asked.experiment_id}") from error
    return Empty()


def experiment_of(call: Call, experiment_id: str) -> Experiment:
    """Return an experiment; the default one is made when it is first asked for."""
    if experiment_id in {"", "0"}:
        return call.app.tracking.default_experiment()
    return call.app.tracking.experiment_by_id(experiment_id)


def location_of(found: Experiment) -> str:
    """Return where the artifacts of an experiment are."""
    return found.artifact_location or STORE + found.id


def on_wire(found: Experiment) -> WireExperiment:
    """Return an experiment as MLflow's client reads it."""
    return WireExperiment(
        experiment_id=found.id,
        name=found.name,
        artifact_location=location_of(found),
        lifecycle_stage=found.lifecycle_stage,
        last_update_time=ms(found.updated_at),
        creation_time=ms(found.created_at),
        tags=pairs(found.tags),
    )


def view_of(view: str | int) -> View:
    """Return which stages of life are asked for."""
    if view not in VIEWS:
        raise WireError(INVALID, f"Invalid view type {view!r}: it is one of {list(VIEWS)[:3]}.")
    return VIEWS[view]


def without_tag(error: NotFound, key: str, owner: str) -> Exception:
    """Say that an owner has no such tag, if that is what is not there."""
    if error.data["kind"] != "tag":
        return error
    return WireError(ABSENT, f"No tag with name: {key} in {owner}")


def _check_tag(key: str, value: str) -> None:
    limits.check_key(key, path="key", what="key")
    limits.check_length("value", value, most=limits.EXPERIMENT_TAG_MOST)


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/experiments/create", create),
    ("GET", "/mlflow/experiments/get", get),
    ("GET", "/mlflow/experiments/get-by-name", get_by_name),
    ("POST", "/mlflow/experiments/search", search),
    ("GET", "/mlflow/experiments/search", search),
    ("POST", "/mlflow/experiments/update", update),
    ("POST", "/mlflow/experiments/delete", delete),
    ("POST", "/mlflow/experiments/restore", restore),
    ("POST", "/mlflow/experiments/set-experiment-tag", set_tag),
    ("POST", "/mlflow/experiments/delete-experiment-tag", delete_tag),
)
