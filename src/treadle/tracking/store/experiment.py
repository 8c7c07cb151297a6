"""SQL of experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select, update

from treadle.tracking.store.driver import added, insert_into
from treadle.tracking.store.rows import experiments_of
from treadle.tracking.store.tables import experiment_tags, experiments, runs

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import Experiment


def add_experiment(tx: Transaction, made: Experiment) -> bool:
    """Insert an experiment unless its name is taken; say whether it was inserted."""
    row = {
        "id": made.id,
        "name": made.name,
        "created_at": made.created_at,
        "updated_at": made.updated_at,
        "artifact_location": made.artifact_location,
    }
    if not added(tx, experiments, row):
        return False
    put_experiment_tags(tx, made.id, made.tags)
    return True


def find_experiment(tx: Transaction, name: str) -> Experiment | None:
    """Return the experiment of a name, deleted or not."""
    return _one(tx, tx.execute(select(experiments.c.id).where(experiments.c.name == name)).scalar())


def experiment_of(tx: Transaction, experiment_id: str, *, lock: bool = False) -> Experiment | None:
    """Return the experiment of an id, deleted or not; `lock` lets others wait for us."""
    if lock:
        only = select(experiments.c.id).where(experiments.c.id == experiment_id)
        tx.execute(only.with_for_update())
    return _one(tx, experiment_id)


def list_experiments(tx: Transaction) -> tuple[Experiment, ...]:
    """Return every active experiment, newest first."""
    query = select(experiments.c.id).where(experiments.c.lifecycle_stage == "active")
    query = query.order_by(experiments.c.created_at.desc(), experiments.c.id.desc())
    return experiments_of(tx, list(tx.execute(query).scalars()))


def rename_experiment(tx: Transaction, experiment_id: str, *, name: str) -> None:
    """Give an experiment another name."""
    changed = {"name": name, "updated_at": tx.at}
    tx.execute(update(experiments).where(experiments.c.id == experiment_id), changed)


def stage_experiment(tx: Transaction, experiment_id: str, *, stage: str) -> None:
    """Move an experiment and every run of it to a stage."""
    changed = {"lifecycle_stage": stage, "updated_at": tx.at}
    tx.execute(update(experiments).where(experiments.c.id == experiment_id), changed)
    # As the genuine server has it: each run, whether or not somebody deleted it before.
    staged = {"lifecycle_stage": stage, "deleted_at": tx.at if stage == "deleted" else None}
    tx.execute(update(runs).where(runs.c.experiment_id == experiment_id), staged)


def put_experiment_tags(tx: Transaction, experiment_id: str, tags: Mapping[str, str]) -> None:
    """Insert tags of an experiment or move those that are there."""
    rows = [{"experiment_id": experiment_id, "key": k, "value": v} for k, v in tags.items()]
    if rows:
        statement = insert_into(tx, experiment_tags)
        moved = {"value": statement.excluded.value}
        keys = ["experiment_id", "key"]
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=moved), rows)


def drop_experiment_tag(tx: Transaction, experiment_id: str, key: str) -> bool:
    """Delete a tag of an experiment; say whether it was there."""
    c = experiment_tags.c
    gone = delete(experiment_tags).where(c.experiment_id == experiment_id, c.key == key)
    return tx.execute(gone).rowcount > 0


def _one(tx: Transaction, experiment_id: str | None) -> Experiment | None:
    found = experiments_of(tx, [experiment_id]) if experiment_id is not None else ()
    return found[0] if found else None
