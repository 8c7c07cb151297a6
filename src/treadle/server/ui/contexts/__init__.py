"""What each page is given: one frozen dataclass per page, of plain values only.

The routes turn entities into these; ``render`` turns these into HTML. PAGES at the end says which
template takes which context. Instants are UTC microseconds (``_us``), durations microseconds,
shares 0..1, sizes bytes. ``None`` is shown as a dash: not known, or not there yet; never a zero.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.ui.contexts.compare import (
    CompareContext,
    ComparedCell,
    ComparedGroup,
    ComparedRow,
    ComparedRun,
    CurveLook,
    CurveSet,
    Dimension,
    RunsPlot,
)
from treadle.server.ui.contexts.data import (
    ColumnProfile,
    DatasetContext,
    DatasetRow,
    DatasetsContext,
    DatasetVersionContext,
    DatasetVersionRow,
    ExpectationRow,
    FileRow,
    QuarantineRow,
    RemovedVersionRow,
)
from treadle.server.ui.contexts.diffs import (
    CellChange,
    ChangedRow,
    ChangedRows,
    ColumnChange,
    DatasetDiffContext,
    FileChange,
    WholeRows,
)
from treadle.server.ui.contexts.endpoints import (
    EndpointContext,
    EndpointsContext,
    ReleaseEntry,
    StageEntry,
    VariantRow,
)
from treadle.server.ui.contexts.error import ErrorContext
from treadle.server.ui.contexts.evaluation import (
    EvaluationContext,
    EvaluationRow,
    EvaluationsContext,
    FreezeRow,
    RecordRow,
    SchemaRow,
)
from treadle.server.ui.contexts.events import Chain, EventRow, EventsContext
from treadle.server.ui.contexts.home import HomeContext
from treadle.server.ui.contexts.models import (
    FieldRow,
    GateRow,
    ModelCompareContext,
    ModelContext,
    ModelRow,
    ModelsContext,
    ModelVersionContext,
    ModelVersionRow,
    Seal,
    VersionFile,
)
from treadle.server.ui.contexts.monitors import (
    FindingRow,
    MonitorContext,
    MonitorRow,
    MonitorsContext,
    WindowRow,
)
from treadle.server.ui.contexts.patterns import PatternsContext
from treadle.server.ui.contexts.profile import (
    DatasetProfileContext,
    HeatCell,
    HeatRow,
    HintRow,
    ProfiledColumn,
    TieRow,
)
from treadle.server.ui.contexts.rows import AlertRow, CheckRow, DatasetUse, EndpointRow
from treadle.server.ui.contexts.runs import (
    ColumnChoice,
    ExperimentRow,
    ExperimentsContext,
    Facet,
    FacetsContext,
    FacetValue,
    LoggedDatasetRow,
    MetricRow,
    Preview,
    RunContext,
    RunRow,
    RunsContext,
    TreeNode,
    ViewRow,
)
from treadle.server.ui.contexts.traces import (
    AssessmentRow,
    SpanEventRow,
    SpanRow,
    TraceContext,
    TraceRow,
    TracesContext,
)

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = [
    "PAGES",
    "PARTS",
    "AlertRow",
    "AssessmentRow",
    "CellChange",
    "Chain",
    "ChangedRow",
    "ChangedRows",
    "CheckRow",
    "ColumnChange",
    "ColumnChoice",
    "ColumnProfile",
    "CompareContext",
    "ComparedCell",
    "ComparedGroup",
    "ComparedRow",
    "ComparedRun",
    "CurveLook",
    "CurveSet",
    "DatasetContext",
    "DatasetDiffContext",
    "DatasetProfileContext",
    "DatasetRow",
    "DatasetUse",
    "DatasetVersionContext",
    "DatasetVersionRow",
    "DatasetsContext",
    "Dimension",
    "EndpointContext",
    "EndpointRow",
    "EndpointsContext",
    "ErrorContext",
    "EvaluationContext",
    "EvaluationRow",
    "EvaluationsContext",
    "EventRow",
    "EventsContext",
    "ExpectationRow",
    "ExperimentRow",
    "ExperimentsContext",
    "Facet",
    "FacetValue",
    "FacetsContext",
    "FieldRow",
    "FileChange",
    "FileRow",
    "FindingRow",
    "FreezeRow",
    "GateRow",
    "HeatCell",
    "HeatRow",
    "HintRow",
    "HomeContext",
    "LoggedDatasetRow",
    "MetricRow",
    "ModelCompareContext",
    "ModelContext",
    "ModelRow",
    "ModelVersionContext",
    "ModelVersionRow",
    "ModelsContext",
    "MonitorContext",
    "MonitorRow",
    "MonitorsContext",
    "PatternsContext",
    "Preview",
    "ProfiledColumn",
    "QuarantineRow",
    "RecordRow",
    "ReleaseEntry",
    "RemovedVersionRow",
    "RunContext",
    "RunRow",
    "RunsContext",
    "RunsPlot",
    "SchemaRow",
    "Seal",
    "SpanEventRow",
    "SpanRow",
    "StageEntry",
    "TieRow",
    "TraceContext",
    "TraceRow",
    "TracesContext",
    "TreeNode",
    "VariantRow",
    "VersionFile",
    "ViewRow",
    "WholeRows",
    "WindowRow",
]

# Every page: its template and the context that template takes.
PAGES: dict[str, type[DataclassInstance]] = {
    "home.html": HomeContext,
    "runs.html": RunsContext,
    "run.html": RunContext,
    "experiments.html": ExperimentsContext,
    "traces.html": TracesContext,
    "trace.html": TraceContext,
    "compare.html": CompareContext,
    "datasets.html": DatasetsContext,
    "dataset.html": DatasetContext,
    "dataset_profile.html": DatasetProfileContext,
    "dataset_diff.html": DatasetDiffContext,
    "dataset_version.html": DatasetVersionContext,
    "evaluations.html": EvaluationsContext,
    "evaluation.html": EvaluationContext,
    "models.html": ModelsContext,
    "model.html": ModelContext,
    "model_version.html": ModelVersionContext,
    "model_compare.html": ModelCompareContext,
    "endpoints.html": EndpointsContext,
    "endpoint.html": EndpointContext,
    "monitors.html": MonitorsContext,
    "monitor.html": MonitorContext,
    "events.html": EventsContext,
    "error.html": ErrorContext,
    "patterns.html": PatternsContext,
}

# Parts of pages that are asked for by themselves, after the page is on screen.
PARTS: dict[str, type[DataclassInstance]] = {"runs_facets.html": FacetsContext}
