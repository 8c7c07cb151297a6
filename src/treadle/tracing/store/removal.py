"""SQL of deleting traces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction

_OF_TRACES = ("spans", "trace_tags", "trace_metadata", "assessments", "trace_links")
_ALL = 1 << 62


def ids_to_delete(
    tx: Transaction,
    experiment_id: str,
    *,
    until: int | None,
    most: int | None,
    ids: Sequence[str],
) -> list[str]:
    """Return which traces of an experiment are meant, the oldest first."""
    query, values = "SELECT id FROM traces WHERE experiment_id = ?", [experiment_id]
    more: list[Any] = []
    if until is not None:
        query, more = query + " AND started_at <= ?", [until]
    if ids:
        query, more = query + " AND id IN (??)", [*more, list(ids)]
    query += " ORDER BY started_at, id LIMIT ?"
    return [row[0] for row in fetch(tx, query, *values, *more, _ALL if most is None else most)]


def traces_of_experiments(tx: Transaction, experiment_ids: Sequence[str]) -> list[str]:
    """Return every trace of some experiments."""
    query = "SELECT id FROM traces WHERE experiment_id IN (??)"
    return [row[0] for row in fetch(tx, query, list(experiment_ids))]


def remove(tx: Transaction, ids: Sequence[str]) -> None:
    """Delete every row of some traces."""
    for table in _OF_TRACES:
        driver.run(tx, f"DELETE FROM {table} WHERE trace_id IN (??)", (list(ids),))  # noqa: S608 - names of ours
    driver.run(tx, "DELETE FROM traces WHERE id IN (??)", (list(ids),))


def unlink_runs(tx: Transaction, run_ids: Sequence[str]) -> None:
    """Delete the links to some runs."""
    gone = "DELETE FROM trace_links WHERE kind = 'run' AND target IN (??)"
    driver.run(tx, gone, (list(run_ids),))
