"""What a handler takes and answers where its code does not say it by types."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import msgspec

from treadle.data.branches.entities import Pointer
from treadle.data.entities import DatasetSummary, DatasetVersion
from treadle.data.history.entities import LogEntry
from treadle.governance.entities import EndpointAt, Node
from treadle.kernel.paging import Page
from treadle.monitoring.entities import Alert, Monitor, TakenLabels, WindowReport
from treadle.registry.entities import Model, ModelVersion
from treadle.release.entities import Release
from treadle.server.api import artifacts, data, endpoints, events, models, monitors, runs, status
from treadle.server.asked import LIMIT_MOST, OFFSET_MOST
from treadle.server.mlflow import artifacts as wire_artifacts
from treadle.server.mlflow import metrics as wire_metrics
from treadle.server.mlflow import spans as wire_spans
from treadle.server.mlflow import traces as wire_traces
from treadle.server.mlflow.wire import Empty
from treadle.serving.contract_log.entities import BrokenExample
from treadle.serving.entities import Endpoint
from treadle.storage.events import Event
from treadle.tracking.entities import Run

if TYPE_CHECKING:
    from collections.abc import Callable

FILE = "file"
"""Bytes of any type, as they are."""
NOTHING = "nothing"
"""No body."""
PAGED = {
    "limit": Annotated[int, msgspec.Meta(ge=1, le=LIMIT_MOST)],
    "offset": Annotated[int, msgspec.Meta(ge=0, le=OFFSET_MOST)],
}


class Shape(msgspec.Struct, frozen=True, kw_only=True):
    """What goes in by query and by body, and what comes out."""

    query: dict[str, Any] = {}
    needs: tuple[str, ...] = ()
    body: Any = None
    answer: Any = NOTHING
    status: int = 200


OURS: dict[Callable[..., Any], Shape] = {
    status.health: Shape(answer=status.Health),
    status.status: Shape(answer=status.Status),
    runs.runs: Shape(
        query=dict.fromkeys(("experiment", "status", "parent", "filter", "order", "view"), str)
        | PAGED,
        answer=Page[Run],
    ),
    runs.run: Shape(answer=runs.WholeRun),
    artifacts.of_run: Shape(query={"path": str}, answer=artifacts.Level),
    artifacts.of_model: Shape(query={"path": str}, answer=artifacts.Level),
    artifacts.file_of_run: Shape(query={"download": str}, answer=FILE),
    artifacts.file_of_model: Shape(query={"download": str}, answer=FILE),
    data.datasets: Shape(query=PAGED, answer=Page[DatasetSummary]),
    data.version: Shape(answer=DatasetVersion),
    data.branches: Shape(query=PAGED, answer=Page[Pointer]),
    data.log: Shape(query=PAGED, answer=Page[LogEntry]),
    data.versions: Shape(query=PAGED, answer=Page[DatasetVersion]),
    data.diff: Shape(
        query={"from": str, "to": str, "key": str, "limit": PAGED["limit"]},
        answer=dict[str, Any],  # of tables one thing, of files another
    ),
    models.models: Shape(query=PAGED, answer=Page[Model]),
    models.versions: Shape(query=PAGED, answer=Page[ModelVersion]),
    models.version: Shape(answer=ModelVersion),
    endpoints.endpoints: Shape(query=PAGED, answer=Page[Endpoint]),
    endpoints.endpoint: Shape(answer=Endpoint),
    endpoints.at: Shape(query={"time": str}, answer=EndpointAt),
    runs.beats: Shape(body=runs.Beats, answer=runs.Beaten),
    endpoints.contract_of: Shape(answer=endpoints.EndpointContract),
    endpoints.broken: Shape(
        query={"claim": str, "outcome": str} | PAGED, answer=Page[BrokenExample]
    ),
    endpoints.contract: Shape(body=endpoints.Mode, answer=Endpoint),
    endpoints.labels: Shape(body=endpoints.Labels, answer=TakenLabels, status=201),
    endpoints.rollback: Shape(body=endpoints.Reason, answer=Release),
    endpoints.stop: Shape(body=endpoints.Reason, answer=Release),
    monitors.monitors: Shape(query=PAGED, answer=Page[Monitor]),
    monitors.windows: Shape(query=PAGED, answer=Page[WindowReport]),
    monitors.alerts: Shape(query={"state": str, "endpoint": str} | PAGED, answer=Page[Alert]),
    events.events: Shape(query={"kind": str, "subject": str} | PAGED, answer=Page[Event]),
    events.trace: Shape(answer=Node),
}
"""Every route of our own API; what it knows of a query is compared by a test."""

STREAMED: dict[Callable[..., Any], Shape] = {
    wire_artifacts.download: Shape(answer=FILE),
    wire_artifacts.upload: Shape(body=FILE, answer=Empty),
    wire_artifacts.remove: Shape(answer=Empty),
    wire_artifacts.get_artifact: Shape(
        query={"path": str, "run_id": str, "run_uuid": str}, needs=("path",), answer=FILE
    ),
    wire_artifacts.get_model_file: Shape(
        query={"artifact_file_path": str}, needs=("artifact_file_path",), answer=FILE
    ),
    wire_artifacts.get_version_file: Shape(
        query={"name": str, "version": str, "path": str},
        needs=("name", "version", "path"),
        answer=FILE,
    ),
    wire_artifacts.upload_artifact: Shape(
        query={"run_uuid": str, "path": str}, needs=("run_uuid", "path"), body=FILE
    ),
    wire_artifacts.link: Shape(answer=wire_artifacts.Link),
    wire_artifacts.begin_upload: Shape(
        body=wire_artifacts.BeginUpload, answer=wire_artifacts.UploadBegun
    ),
    wire_artifacts.upload_part: Shape(body=FILE),
    wire_artifacts.complete_upload: Shape(body=wire_artifacts.CompleteUpload, answer=Empty),
    wire_artifacts.abort_upload: Shape(body=wire_artifacts.AbortUpload, answer=Empty),
    wire_spans.export: Shape(body=FILE),
    wire_traces.get_file: Shape(
        query={"request_id": str, "path": str}, needs=("request_id",), answer=FILE
    ),
    wire_metrics.histories: Shape(
        query={"run_id": tuple[str, ...], "metric_key": str, "max_results": int},
        needs=("run_id", "metric_key"),
        answer=wire_metrics.Histories,
    ),
}
"""Handlers behind MLflow's door that read the request themselves, most of them as a stream."""
