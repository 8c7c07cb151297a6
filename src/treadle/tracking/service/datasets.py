"""The verbs of datasets and logged models as what goes into a run and comes out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data import store as data_store
from treadle.tracking import store
from treadle.tracking.entities import RunInput
from treadle.tracking.facts import DatasetsLogged, ModelsLogged
from treadle.tracking.service.runs import must_be_live, put_input

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import LoggedDataset, RunModel
    from treadle.tracking.service.doors import Doors

CONTEXT = "mlflow.data.context"
LEAST_DIGEST = 8


def log_datasets(self: Doors, run_id: str, datasets: Iterable[LoggedDataset]) -> None:
    """Say which data a run used, as its client describes it.

    Where name and digest are those of a dataset version of ours, the run is tied to that version.
    """
    given = tuple(datasets)
    with self.metadata.write() as tx:
        group = must_be_live(tx, run_id).experiment_id
        fresh = [d for d in given if store.use_dataset(tx, run_id, d, experiment_id=group)]
        for used in fresh:
            _tie(tx, run_id, used)
        if fresh:
            named = tuple((used.name, used.digest) for used in fresh)
            tx.emit(DatasetsLogged(run_id=run_id, datasets=named))


def datasets_of(
    self: Doors, experiment_ids: Sequence[str]
) -> tuple[tuple[str, LoggedDataset], ...]:
    """Return the datasets that runs of some experiments used, with their experiments' ids."""
    with self.metadata.read() as tx:
        return store.datasets_in(tx, experiment_ids)


def log_models(
    self: Doors, run_id: str, *, inputs: Iterable[RunModel] = (), outputs: Iterable[RunModel] = ()
) -> None:
    """Say which logged models a run read and which it made."""
    models = (*inputs, *outputs)
    with self.metadata.write() as tx:
        must_be_live(tx, run_id)
        if store.add_uses(tx, run_id, models):
            tx.emit(ModelsLogged(run_id=run_id, models=models))


def _tie(tx: Transaction, run_id: str, used: LoggedDataset) -> None:
    if len(used.digest) < LEAST_DIGEST:
        return
    ours = data_store.versions_by_prefix(tx, used.name, used.digest)
    if len(ours) == 1:
        version = ours[0]
        ref = f"{version.dataset}@{version.number}"
        context = used.tags.get(CONTEXT, "")
        tied = RunInput(kind="dataset", ref=ref, digest=version.digest, context=context)
        put_input(tx, run_id, tied)
