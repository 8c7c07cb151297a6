"""Lineage: what each thing was made from, found by asking the nouns that hold it."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from treadle.evaluation.rules import is_dataset_id
from treadle.governance.entities import Node
from treadle.kernel.clock import format_instant
from treadle.kernel.errors import Corrupt, NotFound, counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.service import Data
    from treadle.evaluation.entities import Freeze
    from treadle.evaluation.service import Evaluation
    from treadle.governance.entities import NodeKind
    from treadle.pipelines.entities import PipelineRun, StepRun
    from treadle.pipelines.service import Pipelines
    from treadle.registry.service import Registry
    from treadle.serving.service import Serving
    from treadle.tracking.entities import LoggedDataset, Run
    from treadle.tracking.service import Tracking


SOURCE_SHOWN = 200
SOURCES_SHOWN = 20
EVALUATION = "mlflow_evaluation_dataset"
"""What MLflow's clients call the source of data that is an evaluation dataset."""
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
        evaluation: Evaluation,
    ) -> None:
        self._data = data
        self._evaluation = evaluation
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
        """Return a dataset version with its files, and the evaluation datasets it is a state of."""
        version = self._data.version(ref)
        frozen = tuple(self._of_freeze(f) for f in self._evaluation.frozen_as(version.ref))
        merged = version.parents if len(version.parents) > 1 else ()
        return Node(
            kind="dataset version",
            name=version.ref,
            detail=f"{_held(version)}{_same_as(version)}",
            digest=version.digest,
            made_from=(
                *(self._of_parent(f"{version.dataset}@{number}") for number in merged),
                *_of_source(version),
                *self._files_of(version),
                *frozen,
            ),
        )

    def _of_parent(self, ref: str) -> Node:
        """Return a version that was merged, without what it was made from in turn."""
        try:
            parent = self._data.version(ref)
        except NotFound as error:
            return Node(kind="dataset version", name=ref, detail=error.hint or "is gone")
        return Node(
            kind="dataset version",
            name=parent.ref,
            detail=f"merged, {_held(parent)}",
            digest=parent.digest,
        )

    def _files_of(self, version: DatasetVersion) -> tuple[Node, ...]:
        if not version.tree or version.files:
            return tuple(Node(kind="file", name=f.path, digest=f.digest) for f in version.files)
        try:
            entries = [entry for entry in self._data.files(version.ref) if entry.kind != "folder"]
        except Corrupt as error:
            return (Node(kind="file", name="…", detail=error.message),)
        named = tuple(
            Node(kind="file", name=e.path, digest=e.digest, detail=e.target and f"→ {e.target}")
            for e in entries[:SOURCES_SHOWN]
        )
        left = len(entries) - SOURCES_SHOWN
        more = (Node(kind="file", name="…", detail=f"and {left:,} more"),)
        return (*named, *(more if left > 0 else ()))

    def _of_used(self, ref: str) -> Node:
        """Return a dataset version that something used, also when it was removed since."""
        try:
            return self.of_dataset(ref)
        except NotFound as error:
            return Node(kind="dataset version", name=ref, detail=error.hint or "is gone")

    def of_evaluation(self, ref: str) -> Node:
        """Return an evaluation dataset with what its records were taken from. Raises NotFound."""
        found = self._evaluation.dataset(ref)
        sources = self._evaluation.sources(found.id, limit=SOURCES_SHOWN + 1)
        return Node(
            kind="evaluation dataset",
            name=found.id,
            detail=f"{found.name}, {_records(found.records or 0)}",
            digest=found.digest,
            made_from=_of_sources(sources),
        )

    def _of_freeze(self, freeze: Freeze) -> Node:
        # The records have moved on since, or are gone: the version's own rows say what they were.
        table = self._data.table(freeze.version, columns=["source_type", "source_id"])
        pairs = zip(*(table[name].to_pylist() for name in table.column_names), strict=True)
        counts = Counter(pairs).most_common(SOURCES_SHOWN + 1)
        return Node(
            kind="evaluation dataset",
            name=freeze.dataset_id,
            detail=f"{freeze.name}, {_records(freeze.records)} at {format_instant(freeze.at)}",
            digest=freeze.digest,
            made_from=_of_sources([(kind, found, many) for (kind, found), many in counts]),
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
                *(self._of_logged(d) for d in run.datasets if not _is_ours(run, d)),
            )
        )
        commit = next((run.tags[key] for key in COMMITS if run.tags.get(key)), "")
        detail = f"{run.experiment}: {run.name}{f', code {commit[:12]}' if commit else ''}"
        return (Node(kind="run", name=run.id, detail=detail, made_from=origin),)

    def _of_input(self, run: Run, index: int) -> Node:
        item = run.inputs[index]
        if item.kind == "dataset":
            node = self._of_used(item.ref)
            return node if node.digest else msgspec.structs.replace(node, digest=item.digest)
        return Node(kind="file", name=item.ref, digest=item.digest, detail=item.context)

    def _of_logged(self, dataset: LoggedDataset) -> Node:
        """Return data that a client said a run has used, which is no dataset version of ours."""
        if evaluation_id := _evaluation_id(dataset):
            try:
                node = self.of_evaluation(evaluation_id)
            except NotFound:
                node = Node(kind="evaluation dataset", name=evaluation_id, detail="is gone")
            # What the run saw is the state of that time.
            return msgspec.structs.replace(node, digest=dataset.digest)
        detail = f"{dataset.source_type} {dataset.source}".strip()[:SOURCE_SHOWN]
        return Node(kind="file", name=dataset.name, digest=dataset.digest, detail=detail)

    def _of_pipeline_run(self, run: PipelineRun) -> Node:
        steps = tuple(self._of_step(step) for step in run.steps)
        return Node(kind="pipeline run", name=run.id, detail=run.name, made_from=steps)

    def _of_step(self, step: StepRun) -> Node:
        datasets = tuple(self._of_used(ref) for ref in step.datasets)
        detail = "from cache" if step.cached else step.state
        return Node(kind="step", name=step.step, detail=detail, digest=step.key, made_from=datasets)


def _held(version: DatasetVersion) -> str:
    return counted(version.rows, "row") if version.is_table else counted(version.file_count, "file")


def _same_as(version: DatasetVersion) -> str:
    return f", the same as {version.dataset}@{version.same_as}" if version.same_as else ""


def _is_ours(run: Run, dataset: LoggedDataset) -> bool:
    return any(item.kind == "dataset" and item.digest == dataset.digest for item in run.inputs)


def _of_sources(sources: Sequence[tuple[str | None, str | None, int]]) -> tuple[Node, ...]:
    """Return what records were taken from: the commonest, and a sign that there are more."""
    nodes = [
        Node(
            kind=_KINDS.get(kind or "", "source"),
            name=name or kind or "unknown",
            detail=_records(n),
        )
        for kind, name, n in sources[:SOURCES_SHOWN]
    ]
    more = (Node(kind="source", name="…", detail="and more"),)
    return (*nodes, *(more if len(sources) > SOURCES_SHOWN else ()))


def _evaluation_id(dataset: LoggedDataset) -> str:
    """Return the id of the evaluation dataset that logged data is; empty when it is none."""
    if dataset.source_type != EVALUATION:
        return ""
    try:
        found = json.loads(dataset.source)["dataset_id"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return ""
    return found if isinstance(found, str) and is_dataset_id(found) else ""


def _of_source(version: DatasetVersion) -> tuple[Node, ...]:
    """Return where a version was read from, none for a file of this machine."""
    source = version.source
    if source is None:
        return ()
    told = (source.query, source.watermark and f"up to {source.watermark}", source.mark)
    return (Node(kind="source", name=source.place, detail=", ".join(filter(None, told))),)


_KINDS: dict[str, NodeKind] = {"trace": "trace", "document": "document"}


def _records(count: int) -> str:
    return f"{count:,} record{'' if count == 1 else 's'}"
