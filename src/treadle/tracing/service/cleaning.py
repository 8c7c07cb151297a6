"""What goes with the experiments and runs that are removed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.tracing import store

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import Cleaned


def forget(tx: Transaction, cleaned: Cleaned) -> None:
    """Remove the traces of removed experiments and the links to removed runs, with them."""
    ids = store.traces_of_experiments(tx, cleaned.experiments)
    if ids:
        store.remove(tx, ids)
    store.unlink_runs(tx, cleaned.runs)
