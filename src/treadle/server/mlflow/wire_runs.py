"""A run in MLflow's JSON: what it is, what it logged, what went in and came out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.server.mlflow.wire import US, Answer, KeyValue, finite, ms, number, pairs, some

if TYPE_CHECKING:
    from treadle.tracking.entities import LoggedDataset, MetricPoint, Run

UNSET = msgspec.UNSET


class WireMetric(Answer, gc=False):
    key: str
    value: float | str
    timestamp: int
    step: int


class WireDataset(Answer):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str | msgspec.UnsetType
    profile: str | msgspec.UnsetType


class DatasetInput(Answer):
    dataset: WireDataset
    tags: list[KeyValue] | msgspec.UnsetType


class ModelInput(Answer):
    model_id: str


class ModelOutput(Answer):
    model_id: str
    step: int


class RunInputs(Answer):
    dataset_inputs: list[DatasetInput] | msgspec.UnsetType = UNSET
    model_inputs: list[ModelInput] | msgspec.UnsetType = UNSET


class RunOutputs(Answer):
    model_outputs: list[ModelOutput] | msgspec.UnsetType = UNSET


class RunInfo(Answer):
    run_uuid: str
    run_id: str
    run_name: str
    experiment_id: str
    user_id: str
    status: str
    start_time: int
    end_time: int | msgspec.UnsetType
    artifact_uri: str
    lifecycle_stage: str


class RunData(Answer):
    metrics: list[WireMetric] | msgspec.UnsetType
    params: list[KeyValue] | msgspec.UnsetType
    tags: list[KeyValue] | msgspec.UnsetType


class WireRun(Answer):
    info: RunInfo
    data: RunData
    inputs: RunInputs
    outputs: RunOutputs | msgspec.UnsetType = UNSET


class OneRun(Answer):
    run: WireRun


class RunCreated(Answer):
    run: WireRun


class RunUpdated(Answer):
    run_info: RunInfo


class RunPage(Answer):
    runs: list[WireRun] | msgspec.UnsetType
    next_page_token: str | msgspec.UnsetType


def created(run: Run, *, location: str) -> RunCreated:
    """Return a run that has just begun."""
    data = RunData(metrics=UNSET, params=UNSET, tags=pairs(run.tags))
    info = info_of(run, location=location)
    return RunCreated(run=WireRun(info=info, data=data, inputs=RunInputs()))


def whole(run: Run, *, location: str) -> WireRun:
    """Return all of a run; `location` is where the artifacts of its experiment are."""
    return WireRun(
        info=info_of(run, location=location),
        data=RunData(
            metrics=[metric_of(point) for point in run.latest] or UNSET,
            params=pairs(run.params),
            tags=pairs(run.tags),
        ),
        inputs=RunInputs(
            dataset_inputs=some(_dataset_input(each) for each in run.datasets),
            model_inputs=some(ModelInput(model_id=each.model_id) for each in run.model_inputs),
        ),
        outputs=RunOutputs(
            model_outputs=some(
                ModelOutput(model_id=each.model_id, step=each.step) for each in run.model_outputs
            )
        ),
    )


def info_of(run: Run, *, location: str) -> RunInfo:
    """Return what a run is."""
    return RunInfo(
        run_uuid=run.id,
        run_id=run.id,
        run_name=run.name,
        experiment_id=run.experiment_id,
        user_id=run.user_id,
        status=run.status.upper(),
        start_time=run.started_at // US,
        end_time=ms(run.ended_at) or UNSET,
        artifact_uri=f"{location}/{run.id}/artifacts",
        lifecycle_stage=run.lifecycle_stage,
    )


def metric_of(point: MetricPoint) -> WireMetric:
    """Return a point of a metric."""
    return WireMetric(
        key=point.key,
        value=number(finite(point.value)),
        timestamp=point.at // US,
        step=point.step,
    )


def _dataset_input(found: LoggedDataset) -> DatasetInput:
    dataset = WireDataset(
        name=found.name,
        digest=found.digest,
        source_type=found.source_type,
        source=found.source,
        schema=found.schema or UNSET,
        profile=found.profile or UNSET,
    )
    return DatasetInput(dataset=dataset, tags=pairs(found.tags))
