"""The verb that removes for good what was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.tracking import store
from treadle.tracking.entities import Cleaned
from treadle.tracking.facts import TrackingCleaned

if TYPE_CHECKING:
    from treadle.tracking.service.doors import Doors


def gc(self: Doors, *, dry_run: bool = False, older_than: int = 0) -> Cleaned:
    """Remove deleted experiments, runs and logged models for good, with all that was logged.

    `older_than` (µs) spares what was deleted later than that ago; an experiment takes its runs and
    logged models with it. Files go when nothing else reaches them any more. `dry_run` only looks.
    """
    with self.metadata.write() as tx:
        until = tx.at - older_than
        groups = store.deleted_experiments(tx, until=until)
        runs = store.deleted_runs(tx, until=until, experiment_ids=groups)
        models = store.deleted_models(tx, until=until, experiment_ids=groups)
        cleaned = Cleaned(experiments=tuple(groups), runs=tuple(runs), logged_models=tuple(models))
        if not dry_run and (groups or runs or models):
            store.remove(tx, experiment_ids=groups, run_ids=runs, model_ids=models)
            self.also_clean(tx, cleaned)
            tx.emit(
                TrackingCleaned(
                    experiments=cleaned.experiments,
                    runs=cleaned.runs,
                    logged_models=cleaned.logged_models,
                )
            )
    return cleaned
