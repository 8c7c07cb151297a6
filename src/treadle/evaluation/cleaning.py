"""What goes with the experiments that are removed for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.evaluation import store
from treadle.evaluation.facts import EvaluationAssigned

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import Cleaned


def forget(tx: Transaction, cleaned: Cleaned) -> None:
    """Take removed experiments off the list of every evaluation dataset, with them."""
    for dataset_id, listed in store.in_experiments(tx, cleaned.experiments).items():
        store.remove_experiments(tx, dataset_id, listed)
        for found in store.of_ids(tx, [dataset_id]):
            tx.emit(EvaluationAssigned(id=found.id, name=found.name, removed=tuple(listed)))
