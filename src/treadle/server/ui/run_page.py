"""The page of a run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound
from treadle.server.ui.artifact_tree import FILES_MOST, artifact_tree
from treadle.server.ui.contexts import (
    DatasetUse,
    LoggedDatasetRow,
    MetricRow,
    Preview,
    RunContext,
    RunRow,
)
from treadle.server.ui.curves import SYSTEM_SET, curve_look, curve_sets
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import (
    artifact_place,
    asking,
    dataset_version_place,
    run_place,
    version_link,
)
from treadle.server.ui.previews import preview
from treadle.server.ui.run_columns import HIDDEN_TAGS, SYSTEM, cells, param_cell, varying
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.story import story
from treadle.server.ui.widgets import Column, Link, Page, Pair, Stat
from treadle.tracking.capture import DIFF_PATH, PACKAGES_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request

    from treadle.app import App
    from treadle.tracking.entities import Artifact, MetricSummary, Run, RunInput

STATS = 5
CHILDREN = 20
EVENTS = 12
BASELINE = "baseline."
NOTE = "mlflow.note.content"
CONTEXT_TAG = "mlflow.data.context"
RUNNING = ("running", "scheduled")


def run_context(app: App, asked: str, *, request: Request) -> RunContext:
    """Return everything one execution logged, and what it was made from."""
    run = app.tracking.run(asked)
    summaries = app.tracking.metric_summaries(run.id)
    artifacts = app.tracking.artifacts(run.id)
    children = app.tracking.search_runs(parent_id=run.id, limit=CHILDREN)
    versions = app.registry.versions_of_run(run.id)
    chosen = request.query_params.get("artifact", "")
    curves = curve_sets(app, [run], is_live=run.status in RUNNING)
    shown = varying(children.items)
    return RunContext(
        page=_page(app, run, request=request),
        id=run.id,
        name=run.name or run.id[:12],
        status=run.status,
        is_deleted=run.lifecycle_stage == "deleted",
        experiment=Link(run.experiment, asking("/runs", {"experiment": run.experiment})),
        parent=_parent(app, run.parent_id),
        actor=run.user_id or run.actor,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
        description=run.tags.get(NOTE, ""),
        error=run.error,
        stats=_stats(run),
        drawn=curve_look(request.query_params),
        curves=tuple(each for each in curves if each.id != SYSTEM_SET),
        system=next((each for each in curves if each.id == SYSTEM_SET), None),
        params=tuple(Pair(key, param_cell(value)) for key, value in sorted(run.params.items())),
        metrics=tuple(_metric(each) for each in summaries if not each.key.startswith(SYSTEM)),
        tree=artifact_tree(run.id, artifacts, chosen=chosen),
        files=len(artifacts),
        files_note=f"The first {FILES_MOST:,} are shown." if len(artifacts) > FILES_MOST else "",
        preview=_preview(app, run, artifacts, chosen=chosen),
        child_columns=(
            *(Column(label) for label in ("Run", "Status")),
            Column("Took", is_numeric=True),
            *(Column(each.key, is_numeric=True) for each in shown),
        ),
        children=tuple(_child(child, cells(child, shown)) for child in children.items),
        all_children=_all_children(run, children.total),
        inputs=dataset_uses(app, run.inputs),
        datasets=tuple(_logged_datasets(run)),
        outputs=tuple(link for v in versions if (link := version_link(v.ref))),
        models=tuple(
            Pair(f"{each.direction} at step {each.step}", each.model_id)
            for each in (*run.model_inputs, *run.model_outputs)
        ),
        tags=_tags(run),
        code=_code(run, artifacts),
        environment=_environment(run, artifacts),
        history=story(
            app.log.newest(subject=f"run/{run.id}", limit=EVENTS).items, replays=app.replays
        ),
    )


def dataset_uses(app: App, inputs: Iterable[RunInput]) -> tuple[DatasetUse, ...]:
    """Return the dataset versions among the inputs of a run."""
    return tuple(_use(app, found) for found in inputs if found.kind == "dataset")


def _use(app: App, found: RunInput) -> DatasetUse:
    name, _, version = found.ref.partition("@")
    try:
        rows: int | None = app.data.version(found.ref).rows
    except NotFound:  # named by who logged it; it was never committed here
        rows = None
    href, role = dataset_version_place(found.ref), found.context or "input"
    return DatasetUse(name=name, version=version or found.digest, href=href, role=role, rows=rows)


def _logged_datasets(run: Run) -> Iterable[LoggedDatasetRow]:
    known = {each.digest: each.ref for each in run.inputs if each.kind == "dataset"}
    for each in run.datasets:
        ref = known.get(each.digest, "")
        yield LoggedDatasetRow(
            name=each.name,
            digest=each.digest,
            role=each.tags.get(CONTEXT_TAG, "input"),
            source=f"{each.source_type} {each.source}".strip()[:200],
            version=Link(ref, dataset_version_place(ref)) if ref else None,
        )


def _page(app: App, run: Run, *, request: Request) -> Page:
    return Page(
        title=run.name or run.id[:12],
        nav="runs",
        crumbs=(
            Link("Runs", "/runs"),
            Link(run.experiment, asking("/runs", {"experiment": run.experiment})),
        ),
        snippets=(
            *snippets(
                app.home,
                command=f"runs show {run.id[:12]} --json",
                python=f"run = client.tracking.run({run.id[:12]!r})",
            ),
            mlflow_snippet(request, f"run = mlflow.get_run({run.id!r})"),
        ),
        live="run. artifact." if run.status in RUNNING else "",
    )


def _parent(app: App, parent_id: str | None) -> Link | None:
    if parent_id is None:
        return None
    try:
        parent = app.tracking.run(parent_id)
    except NotFound:  # removed for good since
        return Link(parent_id[:12], run_place(parent_id))
    return Link(parent.name or parent.id[:12], run_place(parent.id))


def _child(run: Run, values: tuple[float | str | None, ...]) -> RunRow:
    return RunRow(
        id=run.id,
        name=run.name or run.id[:12],
        href=run_place(run.id),
        status=run.status,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
        values=values,
    )


def _all_children(run: Run, count: int) -> Link | None:
    return Link(f"All {count:,} below", asking("/runs", {"parent": run.id})) if count else None


def _stats(run: Run) -> tuple[Stat, ...]:
    own = [key for key in run.metrics if not key.startswith((BASELINE, SYSTEM))]
    return tuple(_stat(run, key) for key in own[:STATS])


def _stat(run: Run, key: str) -> Stat:
    baseline = run.metrics.get(BASELINE + key)
    return Stat(key, run.metrics[key], note="" if baseline is None else f"baseline {baseline:.4f}")


def _metric(summary: MetricSummary) -> MetricRow:
    return MetricRow(
        key=summary.key,
        last=summary.last,
        lowest=summary.lowest,
        highest=summary.highest,
        points=summary.points,
    )


def _preview(app: App, run: Run, artifacts: Sequence[Artifact], *, chosen: str) -> Preview | None:
    found = next((file for file in artifacts if file.path == chosen), None)
    return preview(app, run.id, found) if found else None


def _tags(run: Run) -> tuple[Pair, ...]:
    own = ((key, text) for key, text in run.tags.items() if not key.startswith(HIDDEN_TAGS))
    return tuple(Pair(key, text) for key, text in sorted(own))


def _code(run: Run, artifacts: Sequence[Artifact]) -> tuple[Pair, ...]:
    commit = run.tags.get("treadle.code.commit") or run.tags.get("mlflow.source.git.commit")
    source = run.tags.get("mlflow.source.name")
    pairs = [Pair("Commit", commit[:12])] if commit else []
    if "treadle.code.commit" in run.tags:
        is_changed = "treadle.code.diff" in run.tags
        href = _held(run, artifacts, DIFF_PATH) if is_changed else ""
        pairs.append(Pair("Changes", "uncommitted" if is_changed else "none", href))
    return (*pairs, Pair("Source", source)) if source else tuple(pairs)


def _environment(run: Run, artifacts: Sequence[Artifact]) -> tuple[Pair, ...]:
    known = (("Python", "treadle.python"), ("System", "treadle.os"))
    pairs = [Pair(label, run.tags[tag]) for label, tag in known if tag in run.tags]
    if "treadle.packages" in run.tags:
        href = _held(run, artifacts, PACKAGES_PATH)
        pairs.append(Pair("Packages", run.tags["treadle.packages"][:12], href))
    return tuple(pairs)


def _held(run: Run, artifacts: Sequence[Artifact], path: str) -> str:
    is_there = any(artifact.path == path for artifact in artifacts)
    return artifact_place(run.id, path) if is_there else ""
