"""The page of a run."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from treadle.kernel.errors import NotFound
from treadle.server.ui.contexts import ArtifactRow, DatasetUse, MetricRow, RunContext
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import (
    artifact_place,
    asking,
    dataset_version_place,
    run_place,
    version_link,
)
from treadle.server.ui.run_columns import param_cell
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Chart, Link, Page, Pair, Series, Stat
from treadle.tracking.capture import DIFF_PATH, PACKAGES_PATH

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.app import App
    from treadle.tracking.entities import Artifact, MetricPoint, MetricSummary, Run, RunInput

CURVES = 12
POINTS = 300
STATS = 5
OWN = "treadle."
BASELINE = "baseline."


def run_context(app: App, asked: str) -> RunContext:
    """Return everything one execution logged, and what it was made from."""
    tracking = app.tracking
    run = tracking.run(asked)
    summaries = tracking.metric_summaries(run.id)
    artifacts = tracking.artifacts(run.id)
    children = tracking.search_runs(parent_id=run.id, limit=1).total
    versions = app.registry.versions_of_run(run.id)
    return RunContext(
        page=_page(app, run),
        id=run.id,
        name=run.name or run.id[:12],
        status=run.status,
        experiment=Link(run.experiment, asking("/runs", {"experiment": run.experiment})),
        parent=_parent(app, run.parent_id),
        children=_children(run, children),
        actor=run.actor,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
        error=run.error,
        stats=_stats(run),
        params=tuple(Pair(key, param_cell(value)) for key, value in sorted(run.params.items())),
        metrics=tuple(_metric(summary) for summary in summaries),
        curves=_curves(app, run, summaries),
        artifacts=tuple(_artifact(run, artifact) for artifact in artifacts),
        inputs=dataset_uses(app, run.inputs),
        outputs=tuple(link for v in versions if (link := version_link(v.ref))),
        tags=tuple(Pair(k, v) for k, v in sorted(run.tags.items()) if not k.startswith(OWN)),
        code=_code(run, artifacts),
        environment=_environment(run, artifacts),
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


def _page(app: App, run: Run) -> Page:
    return Page(
        title=run.name or run.id[:12],
        nav="runs",
        crumbs=(
            Link("Runs", "/runs"),
            Link(run.experiment, asking("/runs", {"experiment": run.experiment})),
        ),
        snippets=snippets(
            app.home,
            command=f"runs show {run.id[:12]} --json",
            python=f"run = client.tracking.run({run.id[:12]!r})",
        ),
        live="run. artifact." if run.status == "running" else "",
    )


def _parent(app: App, parent_id: str | None) -> Link | None:
    if parent_id is None:
        return None
    parent = app.tracking.run(parent_id)
    return Link(parent.name or parent.id[:12], run_place(parent.id))


def _children(run: Run, count: int) -> Link | None:
    return Link(f"{count} runs below", asking("/runs", {"parent": run.id})) if count else None


def _stats(run: Run) -> tuple[Stat, ...]:
    own = [key for key in run.metrics if not key.startswith(BASELINE)]
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


def _curves(app: App, run: Run, summaries: Sequence[MetricSummary]) -> tuple[Chart, ...]:
    drawn = [summary.key for summary in summaries if summary.points > 1][:CURVES]
    return tuple(_curve(key, app.tracking.history(run.id, key)) for key in drawn)


def _curve(key: str, points: Sequence[MetricPoint]) -> Chart:
    kept = thinned(points)
    values = tuple(p.value if math.isfinite(p.value) else None for p in kept)
    note = "" if len(kept) == len(points) else f"{len(kept)} of {len(points):,} points"
    return Chart(
        id=f"curve-{''.join(c if c.isalnum() else '-' for c in key)}",
        title=key,
        x_label="Step",
        x=tuple(float(p.step) for p in kept),
        series=(Series(key, values),),
        note=note,
    )


def thinned(points: Sequence[MetricPoint], *, most: int = POINTS) -> list[MetricPoint]:
    """Keep the last point of each step, evenly spread when there are too many; keep both ends."""
    steps = list({p.step: p for p in points}.values())
    if len(steps) <= most:
        return steps
    return [steps[round(i * (len(steps) - 1) / (most - 1))] for i in range(most)]


def _artifact(run: Run, artifact: Artifact) -> ArtifactRow:
    return ArtifactRow(
        path=artifact.path,
        size_bytes=artifact.size_bytes,
        digest=artifact.digest,
        href=artifact_place(run.id, artifact.path),
    )


def _code(run: Run, artifacts: Sequence[Artifact]) -> tuple[Pair, ...]:
    commit, diff = run.tags.get("treadle.code.commit"), run.tags.get("treadle.code.diff")
    if commit is None:
        return ()
    changes = Pair("Changes", "uncommitted", _held(run, artifacts, DIFF_PATH)) if diff else None
    return (Pair("Commit", commit[:12]), changes or Pair("Changes", "none"))


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
