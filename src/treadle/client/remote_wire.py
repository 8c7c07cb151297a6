"""MLflow's JSON as far as runs are concerned, and our runs made of it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from treadle.tracking.entities import MetricPoint, Run, RunInput, RunStatus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.client.ports import Point

US = 1000
"""MLflow counts milliseconds, we count microseconds."""
PARENT, NAME, CONTEXT = "mlflow.parentRunId", "mlflow.runName", "mlflow.data.context"
ERROR = "treadle.error"


class KeyValue(msgspec.Struct):
    key: str
    value: str = ""


class Metric(msgspec.Struct):
    key: str
    value: float | str
    timestamp: int
    step: int = 0

    def point(self) -> MetricPoint:
        """Return it as ours; what is not finite comes as text."""
        return MetricPoint(
            key=self.key, value=float(self.value), step=self.step, at=self.timestamp * US
        )


class RunInfo(msgspec.Struct):
    run_id: str
    experiment_id: str
    status: str
    start_time: int
    artifact_uri: str
    run_name: str = ""
    user_id: str = ""
    end_time: int | None = None


class RunData(msgspec.Struct):
    metrics: list[Metric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


class Dataset(msgspec.Struct, omit_defaults=True):
    name: str
    digest: str
    source_type: str
    source: str
    schema: str = ""
    profile: str = ""


class DatasetInput(msgspec.Struct, omit_defaults=True):
    dataset: Dataset
    tags: list[KeyValue] = []


class RunInputs(msgspec.Struct):
    dataset_inputs: list[DatasetInput] = []


class WireRun(msgspec.Struct):
    info: RunInfo
    data: RunData
    inputs: RunInputs = msgspec.field(default_factory=RunInputs)

    def tags(self) -> dict[str, str]:
        """Return the tags of the run."""
        return {tag.key: tag.value for tag in self.data.tags}

    def run(self, experiment: str) -> Run:
        """Return it as ours."""
        tags = self.tags()
        latest = tuple(metric.point() for metric in self.data.metrics)
        ended_at = self.info.end_time
        return Run(
            id=self.info.run_id,
            experiment=experiment,
            experiment_id=self.info.experiment_id,
            name=self.info.run_name,
            status=msgspec.convert(self.info.status.lower(), RunStatus),
            parent_id=tags.get(PARENT),
            actor=self.info.user_id,
            user_id=self.info.user_id,
            started_at=self.info.start_time * US,
            ended_at=ended_at * US if ended_at else None,
            params={param.key: param.value for param in self.data.params},
            metrics={point.key: point.value for point in latest},
            latest=latest,
            tags=tags,
            inputs=tuple(_input(each) for each in self.inputs.dataset_inputs),
            error=tags.get(ERROR, ""),
        )


class OneRun(msgspec.Struct):
    run: WireRun


class RunPage(msgspec.Struct):
    runs: list[WireRun] = []
    next_page_token: str = ""


class History(msgspec.Struct):
    metrics: list[Metric] = []
    next_page_token: str = ""


class Experiment(msgspec.Struct):
    experiment_id: str
    name: str = ""


class OneExperiment(msgspec.Struct):
    experiment: Experiment


class ExperimentPage(msgspec.Struct):
    experiments: list[Experiment] = []
    next_page_token: str = ""


class MadeExperiment(msgspec.Struct):
    experiment_id: str


class Version(msgspec.Struct):
    version: str


class OneVersion(msgspec.Struct):
    model_version: Version


class Batch(msgspec.Struct, omit_defaults=True):
    run_id: str
    metrics: list[Metric] = []
    params: list[KeyValue] = []
    tags: list[KeyValue] = []


def metrics(points: Sequence[Point]) -> list[Metric]:
    """Return points as MLflow's metrics; JSON has no number that is not finite."""
    finite = math.isfinite
    return [Metric(k, v if finite(v) else _word(v), at // US, step) for k, v, step, at in points]


def pairs(values: Mapping[str, str]) -> list[KeyValue]:
    """Return params or tags as MLflow writes them."""
    return [KeyValue(key, value) for key, value in values.items()]


def _word(value: float) -> str:
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")


def _input(found: DatasetInput) -> RunInput:
    context = next((tag.value for tag in found.tags if tag.key == CONTEXT), "")
    return RunInput(
        kind="dataset", ref=found.dataset.name, digest=found.dataset.digest, context=context
    )
