"""Who needs a dataset version: what a removal must know before it is allowed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.branches.entities import Need

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.evaluation.service import Evaluation
    from treadle.registry.service import Registry
    from treadle.serving.service import Serving
    from treadle.tracking.service import Tracking


def needs_of(
    refs: Sequence[str],
    *,
    tracking: Tracking,
    registry: Registry,
    serving: Serving,
    evaluation: Evaluation,
) -> list[Need]:
    """Return what was made from dataset versions, endpoints that answer with such models first.

    Runs, models, labels and evaluations are records: they stand without the data. An endpoint is
    alive: what answers now must be traceable and be made again.
    """
    endpoints = serving.endpoints()
    serves = {v.version: endpoint.name for endpoint in endpoints for v in endpoint.variants}
    alive: list[Need] = []
    records: list[Need] = []
    for ref in refs:
        for run in tracking.runs_using(ref):
            records.append(Need(ref, f"run {run.id[:12]} {run.name}".rstrip()))
            for made in registry.versions_of_run(run.id):
                records.append(Need(ref, f"model {made.ref}"))
                if made.ref in serves:
                    by = f"endpoint {serves[made.ref]}, which answers with {made.ref},"
                    alive.append(Need(ref, by, is_record=False))
        records += [Need(ref, f"evaluation {f.name}") for f in evaluation.frozen_as(ref)]
    batches = {b.source_ref: e.name for e in endpoints for b in serving.label_batches(e.name)}
    records += [Need(ref, f"endpoint {batches[ref]}'s labels") for ref in refs if ref in batches]
    return [*alive, *records]
