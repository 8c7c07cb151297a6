"""Logged models: what a run trained, before anybody registers it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.kernel.errors import NotFound
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.experiments import experiment_of, location_of
from treadle.server.mlflow.names import friendly_name
from treadle.server.mlflow.wire import (
    US,
    Answer,
    Ask,
    Empty,
    KeyValue,
    as_dict,
    finite,
    number,
    pairs,
)

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracking.entities import LoggedModel, ModelMetric, ModelStatus

PAGE = 50
HISTORY = "mlflow.log-model.history"
RECORDED = ("artifact_path", "flavors", "utc_time_created", "run_id")
BAD_CHARACTERS = ("/", ":", ".", "%", '"', "'")
STATUSES: dict[str | int, ModelStatus] = {
    "LOGGED_MODEL_PENDING": "pending", "LOGGED_MODEL_READY": "ready",
    "LOGGED_MODEL_UPLOAD_FAILED": "failed",
    1: "pending", 2: "ready", 3: "failed",
}  # fmt: skip
SAID = {
    "pending": "LOGGED_MODEL_PENDING",
    "ready": "LOGGED_MODEL_READY",
    "failed": "LOGGED_MODEL_UPLOAD_FAILED",
}


class CreateModel(Ask):
    needs = ("experiment_id",)
    experiment_id: str = ""
    name: str | None = None
    model_type: str = ""
    source_run_id: str = ""
    params: tuple[KeyValue, ...] = ()
    tags: tuple[KeyValue, ...] = ()


class GetModel(Ask):
    allow_deleted: bool = False


class FinalizeModel(Ask):
    needs = ("model_id", "status")
    model_id: str = ""
    status: str | int | None = None


class SetTags(Ask):
    tags: tuple[KeyValue, ...] = ()


class LogParams(Ask):
    needs = ("model_id",)
    model_id: str = ""
    params: tuple[KeyValue, ...] = ()


class RecordModel(Ask):
    needs = ("run_id", "model_json")
    run_id: str = ""
    model_json: str = ""


class DatasetWanted(msgspec.Struct):
    dataset_name: str = ""
    dataset_digest: str = ""


class OrderBy(msgspec.Struct):
    field_name: str = ""
    ascending: bool = True
    dataset_name: str = ""
    dataset_digest: str = ""


class SearchModels(Ask):
    needs = ("experiment_ids",)
    experiment_ids: tuple[str, ...] | None = None
    filter: str = ""
    datasets: tuple[DatasetWanted, ...] = ()
    max_results: int = PAGE
    order_by: tuple[OrderBy, ...] = ()
    page_token: str = ""


class WireModelMetric(Answer):
    key: str
    value: float | str
    timestamp: int
    step: int
    dataset_name: str | msgspec.UnsetType
    dataset_digest: str | msgspec.UnsetType
    model_id: str
    run_id: str


class ModelInfo(Answer):
    model_id: str
    experiment_id: str
    name: str
    creation_timestamp_ms: int
    last_updated_timestamp_ms: int
    artifact_uri: str
    status: str
    model_type: str
    source_run_id: str
    status_message: str | msgspec.UnsetType
    tags: list[KeyValue] | msgspec.UnsetType


class ModelData(Answer):
    params: list[KeyValue] | msgspec.UnsetType
    metrics: list[WireModelMetric] | msgspec.UnsetType


class WireModel(Answer):
    info: ModelInfo
    data: ModelData


class OneModel(Answer):
    model: WireModel


class ModelPage(Answer):
    models: list[WireModel] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType


def create(call: Call) -> OneModel:
    """Begin a logged model; one without a name is given a friendly one."""
    asked = call.read(CreateModel)
    name = asked.name or ""
    if any(bad in name for bad in BAD_CHARACTERS):
        raise WireError(
            INVALID,
            f"Invalid model name ({name!r}) provided. Model name must be a non-empty string "
            f"and cannot contain the following characters: {BAD_CHARACTERS}",
        )
    made = call.app.tracking.create_logged_model(
        experiment_of(call, asked.experiment_id).id,
        name=name or friendly_name(),
        model_type=asked.model_type,
        source_run_id=asked.source_run_id,
        params=as_dict(asked.params),
        tags=as_dict(asked.tags),
    )
    return OneModel(model=on_wire(made, place=_place(call, made.experiment_id)))


def get(call: Call) -> OneModel:
    """Return a logged model with its params, tags and metrics."""
    asked = call.read(GetModel)
    found = call.app.tracking.logged_model(
        call.path["model_id"], include_deleted=asked.allow_deleted
    )
    return OneModel(model=on_wire(found, place=_place(call, found.experiment_id)))


def finalize(call: Call) -> OneModel:
    """Say that a logged model is whole, or that its upload failed."""
    asked = call.read(FinalizeModel)
    if asked.status not in STATUSES:
        known = ", ".join(str(name) for name in list(STATUSES)[:3])
        raise WireError(INVALID, f"Invalid status {asked.status!r}: it is one of {known}.")
    found = call.app.tracking.finalize_logged_model(asked.model_id, STATUSES[asked.status])
    return OneModel(model=on_wire(found, place=_place(call, found.experiment_id)))


def delete(call: Call) -> Empty:
    """Delete a logged model."""
    call.app.tracking.delete_logged_model(call.path["model_id"])
    return Empty()


def set_tags(call: Call) -> Empty:
    """Tag a logged model."""
    tags = as_dict(call.read(SetTags).tags)
    call.app.tracking.tag_logged_model(call.path["model_id"], tags)
    return Empty()


def delete_tag(call: Call) -> Empty:
    """Take a tag off a logged model."""
    model_id, key = call.path["model_id"], call.path["tag_key"]
    try:
        call.app.tracking.untag_logged_model(model_id, key)
    except NotFound as error:
        if error.data["kind"] != "tag":
            raise
        raise WireError(
            ABSENT, f"No tag with key {key!r} found for model with ID {model_id!r}."
        ) from error
    return Empty()


def log_params(call: Call) -> Empty:
    """Give a logged model params."""
    params = as_dict(call.read(LogParams).params)
    call.app.tracking.log_logged_model_params(call.path["model_id"], params)
    return Empty()


def search(call: Call) -> ModelPage:
    """Return a page of logged models, newest first unless an order is asked for."""
    asked = call.read(SearchModels)
    size = limits.page_size(asked.max_results or PAGE, default=PAGE)
    offset = limits.offset_of(asked.page_token)
    if any(not each.dataset_name for each in asked.datasets):
        raise WireError(INVALID, "`dataset_name` in the `datasets` clause must be specified.")
    page = call.app.tracking.search_logged_models(
        experiment_ids=asked.experiment_ids or (),
        where=asked.filter,
        datasets=[(each.dataset_name, each.dataset_digest) for each in asked.datasets],
        order_by=[
            f"{each.field_name} {'asc' if each.ascending else 'desc'}" for each in asked.order_by
        ],
        limit=size,
        offset=offset,
    )
    more = page.next_offset
    places = {each: _place(call, each) for each in {found.experiment_id for found in page.items}}
    return ModelPage(
        models=[on_wire(found, place=places[found.experiment_id]) for found in page.items]
        or msgspec.UNSET,
        next_page_token=msgspec.UNSET if more is None else limits.token_of(more),
    )


def record(call: Call) -> Empty:
    """Note in a run's tag which model an old client saved into its artifacts."""
    asked = call.read(RecordModel)
    try:
        model = json.loads(asked.model_json)
    except (ValueError, RecursionError) as error:
        raise WireError(
            INVALID, f"Malformed model info. \n {asked.model_json} \n is not a valid JSON."
        ) from error
    missing = [name for name in RECORDED if not isinstance(model, dict) or name not in model]
    if missing:
        raise WireError(INVALID, f"Model json is missing mandatory fields: {missing}")
    if not isinstance(model["flavors"], dict):
        raise WireError(INVALID, "The flavors of a model are an object.")
    known = call.app.tracking.run(asked.run_id).tags.get(HISTORY)
    models = [*_recorded_before(known), _recorded(model)]
    # What is longest ago gives way, so that the text stays whole.
    while len(json.dumps(models)) > limits.TAG_MOST and len(models) > 1:
        del models[0]
    call.app.tracking.tag_run(asked.run_id, {HISTORY: json.dumps(models)[: limits.TAG_MOST]})
    return Empty()


def on_wire(found: LoggedModel, *, place: str) -> WireModel:
    """Return a logged model as MLflow's client reads it; its experiment's files are at `place`."""
    info = ModelInfo(
        model_id=found.id,
        experiment_id=found.experiment_id,
        name=found.name,
        creation_timestamp_ms=found.created_at // US,
        last_updated_timestamp_ms=found.updated_at // US,
        artifact_uri=found.artifact_location or f"{place}/models/{found.id}/artifacts",
        status=SAID[found.status],
        model_type=found.model_type,
        source_run_id=found.source_run_id or "",
        status_message=found.status_message or msgspec.UNSET,
        tags=pairs(found.tags),
    )
    metrics = [_metric(found, each) for each in found.metrics]
    data = ModelData(params=pairs(found.params), metrics=metrics or msgspec.UNSET)
    return WireModel(info=info, data=data)


def _recorded_before(known: str | None) -> list[Any]:
    try:
        found = json.loads(known or "[]")
    except (ValueError, RecursionError):  # anybody may write a tag
        return []
    return found if isinstance(found, list) else []


def _recorded(model: dict[str, Any]) -> dict[str, Any]:
    kept = {name: model[name] for name in (*RECORDED, "model_uuid") if name in model}
    flavors = {
        flavor: {k: v for k, v in config.items() if k != "config"}
        if isinstance(config, dict)
        else config
        for flavor, config in dict(model["flavors"]).items()
    }
    return {**kept, "flavors": flavors}


def _place(call: Call, experiment_id: str) -> str:
    return location_of(call.app.tracking.experiment_by_id(experiment_id))


def _metric(model: LoggedModel, found: ModelMetric) -> WireModelMetric:
    return WireModelMetric(
        key=found.key,
        value=number(finite(found.value)),
        timestamp=found.at // US,
        step=found.step,
        dataset_name=found.dataset_name or msgspec.UNSET,
        dataset_digest=found.dataset_digest or msgspec.UNSET,
        model_id=model.id,
        run_id=found.run_id,
    )


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/runs/log-model", record),
    ("POST", "/mlflow/logged-models", create),
    ("POST", "/mlflow/logged-models/search", search),
    ("GET", "/mlflow/logged-models/{model_id}", get),
    ("PATCH", "/mlflow/logged-models/{model_id}", finalize),
    ("DELETE", "/mlflow/logged-models/{model_id}", delete),
    ("PATCH", "/mlflow/logged-models/{model_id}/tags", set_tags),
    ("DELETE", "/mlflow/logged-models/{model_id}/tags/{tag_key}", delete_tag),
    ("POST", "/mlflow/logged-models/{model_id}/params", log_params),
)
