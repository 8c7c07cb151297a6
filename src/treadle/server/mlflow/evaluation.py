"""Evaluation datasets: create, find, tag, assign to experiments, and their records.

What nests in them (tags, records) goes over this wire as text that is JSON once more.
"""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.evaluation.rules import PAGE_MOST, is_dataset_id
from treadle.kernel.errors import NotFound
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import ABSENT, INVALID, WireError
from treadle.server.mlflow.wire import US, Answer, Ask, Empty, some
from treadle.tracking.rules import check_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.evaluation.entities import EvaluationDataset, EvaluationRecord, RecordSource
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route

RECORDS = 1000
ORDER = ("created_time DESC",)
GET = "Evaluation dataset with id '{}' not found"
TAG = "Could not find evaluation dataset with ID {}"
ASSIGN = "Dataset '{}' not found"


class CreateDataset(Ask):
    needs = ("name",)
    name: str = ""
    experiment_ids: tuple[str, ...] = ()
    tags: str = ""


class SearchDatasets(Ask):
    experiment_ids: tuple[str, ...] = ()
    filter_string: str = ""
    max_results: int = 1000
    order_by: tuple[str, ...] = ()
    page_token: str = ""


class SetTags(Ask):
    needs = ("tags",)
    tags: str = ""


class Upsert(Ask):
    needs = ("records",)
    records: str = ""


class GetRecords(Ask):
    max_results: int = RECORDS
    page_token: str = ""


class DeleteRecords(Ask):
    dataset_record_ids: tuple[str, ...] = ()


class Experiments(Ask):
    experiment_ids: tuple[str, ...] = ()


class WireDataset(Answer):
    dataset_id: str
    name: str
    tags: str
    schema: str | msgspec.UnsetType
    profile: str | msgspec.UnsetType
    digest: str
    created_time: int
    last_update_time: int
    created_by: str | msgspec.UnsetType
    last_updated_by: str | msgspec.UnsetType
    experiment_ids: list[str] | msgspec.UnsetType = msgspec.UNSET


class OneDataset(Answer):
    dataset: WireDataset


class DatasetPage(Answer):
    datasets: list[WireDataset] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class Upserted(Answer):
    inserted_count: int
    updated_count: int


class Records(Answer):
    records: str
    next_page_token: str | msgspec.UnsetType = msgspec.UNSET


class Deleted(Answer):
    deleted_count: int


class ExperimentIds(Answer):
    experiment_ids: list[str] | msgspec.UnsetType


def create(call: Call) -> OneDataset:
    """Make an evaluation dataset."""
    asked = call.read(CreateDataset)
    tags = _object(asked.tags, "tags") if asked.tags else {}
    made = call.app.evaluation.create(asked.name, experiment_ids=asked.experiment_ids, tags=tags)
    found = on_wire(made)
    found.experiment_ids = some(made.experiment_ids)
    return OneDataset(dataset=found)


def get(call: Call) -> OneDataset:
    """Return an evaluation dataset."""
    with _worded(GET):
        return OneDataset(dataset=on_wire(call.app.evaluation.dataset(_id_of(call))))


def delete(call: Call) -> Empty:
    """Delete an evaluation dataset with its records; one that is not there is no error."""
    with suppress(NotFound):
        call.app.evaluation.delete(_id_of(call))
    return Empty()


def search(call: Call) -> DatasetPage:
    """Return a page of evaluation datasets."""
    asked = call.read(SearchDatasets)
    size = limits.page_size(asked.max_results, default=None)
    offset = limits.offset_of(asked.page_token)
    page = call.app.evaluation.search(
        experiment_ids=asked.experiment_ids or None,
        where=asked.filter_string,
        order_by=asked.order_by or ORDER,
        limit=size,
        offset=offset,
    )
    more = page.next_offset
    return DatasetPage(
        datasets=some(on_wire(found) for found in page.items),
        next_page_token=msgspec.UNSET if more is None else limits.token_of(more),
    )


def set_tags(call: Call) -> Empty:
    """Set tags of an evaluation dataset."""
    tags = _object(call.read(SetTags).tags, "tags")
    with _worded(TAG):
        call.app.evaluation.tag(_id_of(call), tags)
    return Empty()


def delete_tag(call: Call) -> Empty:
    """Take a tag off an evaluation dataset; neither needs to be there."""
    key = check_text(call.path["key"], what="The key of a tag")
    with suppress(NotFound):
        call.app.evaluation.untag(_id_of(call), key)
    return Empty()


def upsert(call: Call) -> Upserted:
    """Add records, or put them to those of the same inputs."""
    records = _json(call.read(Upsert).records, "records")
    if not isinstance(records, list):
        raise WireError(INVALID, "Invalid value for parameter 'records' supplied: no JSON list.")
    with _worded(GET):
        done = call.app.evaluation.merge(_id_of(call), records)
    return Upserted(inserted_count=done.inserted, updated_count=done.updated)


def get_records(call: Call) -> Records:
    """Return a page of records; of a dataset that is not there, none."""
    asked = call.read(GetRecords)
    size = asked.max_results or RECORDS
    if size < 0:
        raise WireError(INVALID, f"Invalid value {size} for parameter 'max_results' supplied.")
    after = asked.page_token or None
    try:
        page = call.app.evaluation.records(_id_of(call), limit=min(size, PAGE_MOST), after=after)
    except NotFound:
        return Records(records="[]")
    return Records(
        records=json.dumps([record_on_wire(record) for record in page.records]),
        next_page_token=msgspec.UNSET if page.after is None else page.after,
    )


def delete_records(call: Call) -> Deleted:
    """Remove records by their ids."""
    ids = call.read(DeleteRecords).dataset_record_ids
    try:
        gone = call.app.evaluation.remove_records(_id_of(call), ids)
    except NotFound:
        gone = 0
    return Deleted(deleted_count=gone)


def experiment_ids(call: Call) -> ExperimentIds:
    """Return the experiments an evaluation dataset belongs to."""
    try:
        found = call.app.evaluation.dataset(_id_of(call)).experiment_ids
    except NotFound:
        found = ()
    return ExperimentIds(experiment_ids=some(found))


def add_experiments(call: Call) -> OneDataset:
    """Put an evaluation dataset on the list of experiments."""
    listed = call.read(Experiments).experiment_ids
    if "0" in listed:
        call.app.tracking.default_experiment()
    with _worded(ASSIGN):
        found = call.app.evaluation.add_to_experiments(_id_of(call), listed)
    return OneDataset(dataset=on_wire(found))


def remove_experiments(call: Call) -> OneDataset:
    """Take an evaluation dataset off the list of experiments."""
    listed = call.read(Experiments).experiment_ids
    with _worded(ASSIGN):
        found = call.app.evaluation.remove_from_experiments(_id_of(call), listed)
    return OneDataset(dataset=on_wire(found))


def on_wire(found: EvaluationDataset) -> WireDataset:
    """Return an evaluation dataset as MLflow's client reads it."""
    # Once emptied, it says that it has no profile; before its first record it says nothing.
    profile = {"num_records": found.records} if found.records else None
    return WireDataset(
        dataset_id=found.id,
        name=found.name,
        tags=json.dumps(found.tags),
        schema=msgspec.UNSET if found.schema is None else json.dumps(found.schema),
        profile=msgspec.UNSET if found.records is None else json.dumps(profile),
        digest=found.digest,
        created_time=found.created_at // US,
        last_update_time=found.updated_at // US,
        created_by=msgspec.UNSET if found.created_by is None else found.created_by,
        last_updated_by=msgspec.UNSET if found.updated_by is None else found.updated_by,
    )


def record_on_wire(record: EvaluationRecord) -> dict[str, Any]:
    """Return a record as MLflow's client reads it; what it does not have is left out."""
    source = record.source
    values = {
        "dataset_record_id": record.id,
        "dataset_id": record.dataset_id,
        "inputs": record.inputs,
        "expectations": record.expectations,
        "tags": record.tags,
        "source": source and _source_on_wire(source),
        "source_id": source and source.id,
        "source_type": source and source.type.upper(),
        "created_time": record.created_at // US,
        "last_update_time": record.updated_at // US,
        "created_by": record.created_by,
        "last_updated_by": record.updated_by,
        "outputs": record.outputs,
    }
    return {name: value for name, value in values.items() if value is not None}


def _source_on_wire(source: RecordSource) -> dict[str, Any]:
    return {"source_type": source.type.upper(), "source_data": source.data}


def _id_of(call: Call) -> str:
    """Return the id in the path. Raises NotFound: a name is none, whatever our verbs would take."""
    dataset_id: str = call.path["dataset_id"]
    if not is_dataset_id(dataset_id):
        raise NotFound("evaluation dataset", dataset_id)
    return dataset_id


@contextmanager
def _worded(wording: str) -> Iterator[None]:
    """Say that a dataset is not there as the genuine server does for this route."""
    try:
        yield
    except NotFound as error:
        absent = {
            "evaluation dataset": wording,
            "experiment": "No Experiment with id={}",
        }.get(str(error.data["kind"]))
        if absent is None:
            raise
        raise WireError(ABSENT, absent.format(error.data["name"])) from error


def _object(text: str, what: str) -> dict[str, Any]:
    found = _json(text, what)
    if not isinstance(found, dict):
        raise WireError(INVALID, f"Invalid value for parameter '{what}' supplied: no JSON object.")
    return found


def _json(text: str, what: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError(
            INVALID, f"Invalid value for parameter '{what}' supplied: no JSON ({error})."
        ) from error


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/datasets/create", create),
    ("POST", "/mlflow/datasets/search", search),
    ("GET", "/mlflow/datasets/search", search),
    ("GET", "/mlflow/datasets/{dataset_id}", get),
    ("DELETE", "/mlflow/datasets/{dataset_id}", delete),
    ("PATCH", "/mlflow/datasets/{dataset_id}/tags", set_tags),
    ("DELETE", "/mlflow/datasets/{dataset_id}/tags/{key}", delete_tag),
    ("POST", "/mlflow/datasets/{dataset_id}/records", upsert),
    ("GET", "/mlflow/datasets/{dataset_id}/records", get_records),
    ("DELETE", "/mlflow/datasets/{dataset_id}/records", delete_records),
    ("GET", "/mlflow/datasets/{dataset_id}/experiment-ids", experiment_ids),
    ("POST", "/mlflow/datasets/{dataset_id}/add-experiments", add_experiments),
    ("POST", "/mlflow/datasets/{dataset_id}/remove-experiments", remove_experiments),
)
