"""Lineage: what each thing was made from, found by asking the nouns that hold it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.governance.entities import Node
from treadle.kernel.clock import format_instant
from treadle.kernel.errors import NotFound

if TYPE_CHECKING:
    from treadle.data.service import Data
    from treadle.pipelines.entities import PipelineRun, StepRun
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.serving.service import Serving
    from treadle.tracking.entities import LoggedDataset, Run
    from treadle.tracking.service import Tracking


SOURCE_SHOWN = 200
# Who captured it: we, or MLflow's client.
COMMITS = ("treadle.code.commit", "mlflow.source.git.commit")


class Lineage:
    """Follows made-from through prediction, model version, run, steps, dataset versions, files."""

    def __init__(
        self,
        *,
        data: Data,
        tracking: Tracking,
        registry: Registry,
        pipelines: Pipelines,
        serving: Serving,
    ) -> None:
        self._data = data
        self._tracking = tracking
        self._registry = registry
        self._pipelines = pipelines
        self._serving = serving

    def of_prediction(self, prediction_id: str) -> Node:
        """Return the lineage of one prediction. Raises NotFound."""
        found = self._serving.prediction(prediction_id)
        answer = "no answer" if found.value is None else f"{found.value:.4f}"
        model = self.of_model_version(found.version)
        variant = Node(
            kind="variant",
            name=f"{found.endpoint}/{found.variant}",
            detail=found.role,
            made_from=(model,),
        )
        return Node(
            kind="prediction",
            name=found.id,
            detail=f"{answer} for {found.key} at {format_instant(found.at)}",
            made_from=(variant,),
        )

    def of_model_version(self, ref: str) -> Node:
        """Return the lineage of a model version."""
        version = self._registry.version(ref)
        origin = self._of_run(version.run_id) if version.run_id else ()
        files = tuple(Node(kind="file", name=f.path, digest=f.digest) for f in version.files)
        source = f", from {version.source}" if version.source else ""
        signed = f"signed by {version.key_id}{source}"
        return Node(
            kind="model version",
            name=version.ref,
            detail=f"{version.flavor}, {signed}",
            digest=version.digest,
            made_from=(*files, *origin),
        )

    def of_dataset(self, ref: str) -> Node:
        """Return a dataset version with its files."""
        version = self._data.version(ref)
        files = tuple(Node(kind="file", name=f.path, digest=f.digest) for f in version.files)
        return Node(
            kind="dataset version",
            name=version.ref,
            detail=f"{version.rows:,} rows",
            digest=version.digest,
            made_from=files,
        )

    def _of_run(self, run_id: str) -> tuple[Node, ...]:
        try:
            run = self._tracking.run(run_id)
        except NotFound:
            return (Node(kind="run", name=run_id, detail="is gone"),)
        pipeline_run = self._pipelines.of_run(run.id)
        if pipeline_run is None and run.parent_id:
            pipeline_run = self._pipelines.of_run(run.parent_id)
        origin = (
            (self._of_pipeline_run(pipeline_run),)
            if pipeline_run
            else (
                *(self._of_input(run, i) for i in range(len(run.inputs))),
                *(_of_logged(d) for d in run.datasets if not _is_ours(run, d)),
            )
        )
        commit = next((run.tags[key] for key in COMMITS if run.tags.get(key)), "")
        detail = f"{run.experiment}: {run.name}{f', code {commit[:12]}' if commit else ''}"
        return (Node(kind="run", name=run.id, detail=detail, made_from=origin),)

    def _of_input(self, run: Run, index: int) -> Node:
        item = run.inputs[index]
        if item.kind == "dataset":
            return self.of_dataset(item.ref)
        return Node(kind="file", name=item.ref, digest=item.digest, detail=item.context)

    def _of_pipeline_run(self, run: PipelineRun) -> Node:
        steps = tuple(self._of_step(step) for step in run.steps)
        return Node(kind="pipeline run", name=run.id, detail=run.name, made_from=steps)

    def _of_step(self, step: StepRun) -> Node:
        datasets = tuple(self.of_dataset(ref) for ref in step.datasets)
        detail = "from cache" if step.cached else step.state
        return Node(kind="step", name=step.step, detail=detail, digest=step.key, made_from=datasets)


def _of_logged(dataset: LoggedDataset) -> Node:
    """Return data that a client said a run has used, which is no dataset version of ours."""
    detail = f"{dataset.source_type} {dataset.source}".strip()[:SOURCE_SHOWN]
    return Node(kind="file", name=dataset.name, digest=dataset.digest, detail=detail)


def _is_ours(run: Run, dataset: LoggedDataset) -> bool:
    return any(item.kind == "dataset" and item.digest == dataset.digest for item in run.inputs)
