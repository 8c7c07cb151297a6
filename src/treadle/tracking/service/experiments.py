"""The verbs of experiments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import Conflict, NotFound
from treadle.kernel.ids import new_id
from treadle.tracking import rules, store
from treadle.tracking.entities import Experiment
from treadle.tracking.facts import (
    ExperimentCreated,
    ExperimentDeleted,
    ExperimentRenamed,
    ExperimentRestored,
    ExperimentTagged,
)
from treadle.tracking.service.doors import NOTHING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.service.doors import Doors

DEFAULT_ID = "0"
DEFAULT_NAME = "Default"


def default_experiment(self: Doors) -> Experiment:
    """Return the experiment of runs that name none (id 0, `Default`), made on its first use."""
    return experiment(self, DEFAULT_NAME)


def experiment(self: Doors, name: str) -> Experiment:
    """Return the experiment of a name, made on its first use; it may be a deleted one."""
    rules.check_experiment(name)
    with self.metadata.read() as tx:
        found = store.find_experiment(tx, name)
    if found is not None:
        return found
    with self.metadata.write() as tx:
        return got_or_made(tx, name)


def create_experiment(
    self: Doors, name: str, *, artifact_location: str = "", tags: Mapping[str, object] = NOTHING
) -> Experiment:
    """Make an experiment. Raises Conflict when the name is taken, be it by a deleted one."""
    made = Experiment(
        id=DEFAULT_ID if name == DEFAULT_NAME else new_id(),
        name=rules.check_experiment(name),
        created_at=0,
        artifact_location=rules.check_text(artifact_location, what="An artifact location"),
        tags=rules.check_experiment_tags(tags),
    )
    with self.metadata.write() as tx:
        found = _made(tx, made)
        if found is None:
            raise _taken(name, store.find_experiment(tx, name))
        return found


def experiment_by_id(self: Doors, experiment_id: str) -> Experiment:
    """Return the experiment of an id, deleted or not. Raises NotFound."""
    with self.metadata.read() as tx:
        return found_by_id(tx, experiment_id)


def experiment_by_name(self: Doors, name: str) -> Experiment | None:
    """Return the experiment of a name, deleted or not; None when there is none."""
    with self.metadata.read() as tx:
        return store.find_experiment(tx, name)


def experiments(self: Doors) -> tuple[Experiment, ...]:
    """Return every active experiment, newest first."""
    with self.metadata.read() as tx:
        return store.list_experiments(tx)


def rename_experiment(self: Doors, experiment_id: str, name: str) -> Experiment:
    """Give an experiment another name. Raises Conflict when it is taken."""
    rules.check_experiment(name)
    with self.metadata.write() as tx:
        found = _active(tx, experiment_id)
        if found.name != name:
            other = store.find_experiment(tx, name)
            if other is not None:
                raise _taken(name, other)
            store.rename_experiment(tx, experiment_id, name=name)
            tx.emit(ExperimentRenamed(id=experiment_id, name=name, before=found.name))
        return found_by_id(tx, experiment_id)


def delete_experiment(self: Doors, experiment_id: str) -> None:
    """Delete an experiment and its runs; `restore_experiment` brings them back."""
    with self.metadata.write() as tx:
        found = _of_stage(tx, experiment_id, stage="active")
        store.stage_experiment(tx, experiment_id, stage="deleted")
        tx.emit(ExperimentDeleted(id=experiment_id, name=found.name))


def restore_experiment(self: Doors, experiment_id: str) -> None:
    """Bring a deleted experiment back, and all of its runs with it."""
    with self.metadata.write() as tx:
        found = _of_stage(tx, experiment_id, stage="deleted")
        store.stage_experiment(tx, experiment_id, stage="active")
        tx.emit(ExperimentRestored(id=experiment_id, name=found.name))


def tag_experiment(self: Doors, experiment_id: str, tags: Mapping[str, object]) -> None:
    """Set tags of an experiment."""
    checked = rules.check_experiment_tags(tags)
    with self.metadata.write() as tx:
        found = _active(tx, experiment_id)
        store.put_experiment_tags(tx, experiment_id, checked)
        tx.emit(ExperimentTagged(id=experiment_id, name=found.name, tags=checked))


def untag_experiment(self: Doors, experiment_id: str, key: str) -> None:
    """Take a tag off an experiment. Raises NotFound when it has none of that key."""
    with self.metadata.write() as tx:
        found = _active(tx, experiment_id)
        if not store.drop_experiment_tag(tx, experiment_id, key):
            raise NotFound("tag", key, known=found.tags)
        tx.emit(ExperimentTagged(id=experiment_id, name=found.name, tags={}, removed=(key,)))


def got_or_made(tx: Transaction, name: str) -> Experiment:
    """Return the experiment of a name inside a write, made when it is not there."""
    found = store.find_experiment(tx, name)
    if found is not None:
        return found
    made = Experiment(id=DEFAULT_ID if name == DEFAULT_NAME else new_id(), name=name, created_at=0)
    # None: another process made it since we looked.
    found = _made(tx, made) or store.find_experiment(tx, name)
    if found is None:
        raise Conflict(f"Experiment {name!r} is being made by another process.")
    return found


def found_by_id(tx: Transaction, experiment_id: str) -> Experiment:
    """Return the experiment of an id inside a transaction. Raises NotFound."""
    found = store.experiment_of(tx, experiment_id)
    if found is None:
        raise NotFound("experiment", experiment_id)
    return found


def must_be_active(found: Experiment) -> Experiment:
    """Return an experiment that can be written to, or raise Conflict."""
    if found.lifecycle_stage != "active":
        raise Conflict(
            f"Experiment {found.name!r} is deleted.",
            hint="Restore it first.",
            experiment=found.id,
            lifecycle_stage=found.lifecycle_stage,
        )
    return found


def _made(tx: Transaction, draft: Experiment) -> Experiment | None:
    made = Experiment(
        id=draft.id,
        name=draft.name,
        created_at=tx.at,
        updated_at=tx.at,
        artifact_location=draft.artifact_location,
        tags=draft.tags,
    )
    if not store.add_experiment(tx, made):
        return None
    tx.emit(ExperimentCreated(id=made.id, name=made.name))
    return made


def _active(tx: Transaction, experiment_id: str) -> Experiment:
    return must_be_active(found_by_id(tx, experiment_id))


def _of_stage(tx: Transaction, experiment_id: str, *, stage: str) -> Experiment:
    found = store.experiment_of(tx, experiment_id, lock=True)
    if found is None or found.lifecycle_stage != stage:
        raise NotFound("experiment", experiment_id)
    return found


def _taken(name: str, other: Experiment | None) -> Conflict:
    deleted = other is not None and other.lifecycle_stage == "deleted"
    return Conflict(
        f"Experiment {name!r} exists already{' and is deleted' if deleted else ''}.",
        hint="Restore it, or choose another name." if deleted else "Choose another name.",
        experiment=other.id if other else None,
        name=name,
        lifecycle_stage=other.lifecycle_stage if other else None,
    )
