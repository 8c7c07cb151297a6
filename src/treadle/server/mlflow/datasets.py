"""What went into runs and came out: datasets and logged models."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.wire import Answer, Ask, Empty, KeyValue, as_dict
from treadle.tracking.entities import LoggedDataset, RunModel

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracking.entities import Direction

NAME_MOST = 500
DIGEST_MOST = 36
SOURCE_MOST = 65_535
SCHEMA_MOST = 1_048_575
PROFILE_MOST = 16_777_215
EXPERIMENTS_MOST = 20
CONTEXT = "mlflow.data.context"


class InputDataset(msgspec.Struct):
    name: str = ""
    digest: str = ""
    source_type: str = ""
    source: str = ""
    schema: str = ""
    profile: str = ""


class InputOfRun(msgspec.Struct):
    dataset: InputDataset = msgspec.field(default_factory=InputDataset)
    tags: tuple[KeyValue, ...] = ()


class ModelOfRun(msgspec.Struct):
    model_id: str = ""
    step: int = 0


class LogInputs(Ask):
    needs = ("run_id",)
    run_id: str = ""
    datasets: tuple[InputOfRun, ...] = ()
    models: tuple[ModelOfRun, ...] = ()


class LogOutputs(Ask):
    needs = ("run_id", "models")
    run_id: str = ""
    models: tuple[ModelOfRun, ...] | None = None


class SearchDatasets(Ask):
    experiment_ids: tuple[str, ...] = ()


class DatasetSummary(Answer):
    experiment_id: str
    name: str
    digest: str
    context: str | msgspec.UnsetType


class DatasetSummaries(Answer):
    dataset_summaries: list[DatasetSummary] | msgspec.UnsetType


def log_inputs(call: Call) -> Empty:
    """Say which datasets and logged models went into a run."""
    asked = call.read(LogInputs)
    limits.check_run_id(asked.run_id)
    for each in asked.datasets:
        _check(each.dataset)
    call.app.tracking.log_datasets(asked.run_id, [_logged(each) for each in asked.datasets])
    if asked.models:
        call.app.tracking.log_models(asked.run_id, inputs=_models(asked.models, direction="input"))
    return Empty()


def log_outputs(call: Call) -> Empty:
    """Say which logged models came out of a run."""
    asked = call.read(LogOutputs)
    outputs = _models(asked.models or (), direction="output")
    call.app.tracking.log_models(asked.run_id, outputs=outputs)
    return Empty()


def search(call: Call) -> DatasetSummaries:
    """List the datasets that went into runs of experiments."""
    asked = call.read(SearchDatasets)
    if not asked.experiment_ids:
        raise WireError(INVALID, "SearchDatasets request must specify at least one experiment_id.")
    if len(asked.experiment_ids) > EXPERIMENTS_MOST:
        raise WireError(
            INVALID,
            f"SearchDatasets request cannot specify more than {EXPERIMENTS_MOST} experiment_ids. "
            f"Received {len(asked.experiment_ids)} experiment_ids.",
        )
    found = call.app.tracking.datasets_of(asked.experiment_ids)
    rows = [
        DatasetSummary(
            experiment_id=experiment_id,
            name=dataset.name,
            digest=dataset.digest,
            context=dataset.tags.get(CONTEXT) or msgspec.UNSET,
        )
        for experiment_id, dataset in found
    ]
    return DatasetSummaries(dataset_summaries=rows or msgspec.UNSET)


def _check(dataset: InputDataset) -> None:
    for what, text, most in (
        ("name", dataset.name, NAME_MOST),
        ("digest", dataset.digest, DIGEST_MOST),
        ("source", dataset.source, SOURCE_MOST),
        ("schema", dataset.schema, SCHEMA_MOST),
        ("profile", dataset.profile, PROFILE_MOST),
    ):
        limits.check_length(what, text, most=most)


def _logged(given: InputOfRun) -> LoggedDataset:
    dataset = given.dataset
    return LoggedDataset(
        id="",
        name=dataset.name,
        digest=dataset.digest,
        source_type=dataset.source_type,
        source=dataset.source,
        schema=dataset.schema,
        profile=dataset.profile,
        tags=as_dict(given.tags),
    )


def _models(models: tuple[ModelOfRun, ...], *, direction: Direction) -> list[RunModel]:
    return [RunModel(model_id=m.model_id, step=m.step, direction=direction) for m in models]


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/runs/log-inputs", log_inputs),
    ("POST", "/mlflow/runs/outputs", log_outputs),
    ("POST", "/mlflow/experiments/search-datasets", search),
)
