"""SQL of removing for good what was deleted."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction

_OF_SERIES = ("metric_points", "metric_blocks")
_OF_RUNS = (
    "metric_series", "run_params", "run_tags", "run_metrics", "run_inputs", "run_artifacts",
    "run_datasets", "run_models", "watched_runs",
)  # fmt: skip
_OF_MODELS = (
    "logged_model_params", "logged_model_tags", "logged_model_metrics", "logged_model_artifacts",
)  # fmt: skip


def deleted_experiments(tx: Transaction, *, until: int) -> list[str]:
    """Return the experiments that were deleted up to an instant."""
    query = """
        SELECT id FROM experiments WHERE lifecycle_stage = 'deleted' AND updated_at <= ? ORDER BY id
    """
    return [row[0] for row in fetch(tx, query, until)]


def deleted_runs(tx: Transaction, *, until: int, experiment_ids: Sequence[str]) -> list[str]:
    """Return the runs that were deleted up to an instant, and all of some experiments."""
    query = """
        SELECT id FROM runs WHERE (lifecycle_stage = 'deleted' AND coalesce(deleted_at, 0) <= ?)
        OR experiment_id IN (??) ORDER BY id
    """
    return [row[0] for row in fetch(tx, query, until, list(experiment_ids))]


def deleted_models(tx: Transaction, *, until: int, experiment_ids: Sequence[str]) -> list[str]:
    """Return the logged models that were deleted up to an instant, and all of some experiments."""
    query = """
        SELECT id FROM logged_models WHERE (lifecycle_stage = 'deleted' AND updated_at <= ?)
        OR experiment_id IN (??) ORDER BY id
    """
    return [row[0] for row in fetch(tx, query, until, list(experiment_ids))]


def remove(
    tx: Transaction,
    *,
    experiment_ids: Sequence[str],
    run_ids: Sequence[str],
    model_ids: Sequence[str],
) -> None:
    """Delete every row of some experiments, runs and logged models."""
    _remove_runs(tx, run_ids)
    for table in _OF_MODELS:
        _remove(tx, table, "model_id", model_ids)
    _remove(tx, "logged_models", "id", model_ids)
    _remove(tx, "logged_datasets", "experiment_id", experiment_ids)
    _remove(tx, "experiment_tags", "experiment_id", experiment_ids)
    _remove(tx, "experiments", "id", experiment_ids)


def _remove_runs(tx: Transaction, run_ids: Sequence[str]) -> None:
    for table in _OF_SERIES:
        gone = f"""
            DELETE FROM {table} WHERE series_id IN (
                SELECT id FROM metric_series WHERE run_id IN (??)
            )
        """  # noqa: S608 - names of ours
        driver.run(tx, gone, (list(run_ids),))
    for table in _OF_RUNS:
        _remove(tx, table, "run_id", run_ids)
    _remove(tx, "runs", "id", run_ids)


def _remove(tx: Transaction, table: str, column: str, ids: Sequence[str]) -> None:
    driver.run(tx, f"DELETE FROM {table} WHERE {column} IN (??)", (list(ids),))  # noqa: S608 - names of ours
