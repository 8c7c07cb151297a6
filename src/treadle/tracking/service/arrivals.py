"""The verbs that bring in what another store has made: its ids and times are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import InvalidInput
from treadle.kernel.ids import new_id
from treadle.tracking import rules, store
from treadle.tracking.facts import ExperimentCreated, LoggedModelBrought, RunBrought

if TYPE_CHECKING:
    from treadle.tracking.entities import Experiment, LoggedModel, Run
    from treadle.tracking.service.doors import Doors


def bring_experiment(self: Doors, theirs: Experiment) -> tuple[Experiment, bool]:
    """Bring an experiment in, or return ours of the same name; say whether it is new.

    It keeps its id unless another experiment has it.
    """
    made = msgspec.structs.replace(
        theirs,
        name=rules.check_experiment(theirs.name),
        tags=rules.check_experiment_tags(theirs.tags),
    )
    with self.metadata.write() as tx:
        known = store.find_experiment(tx, made.name)
        if known is not None:
            return known, False
        if store.experiment_of(tx, made.id) is not None:
            made = msgspec.structs.replace(made, id=new_id())
        store.add_experiment(tx, made)
        if made.lifecycle_stage == "deleted":
            store.stage_experiment(tx, made.id, stage="deleted")
        tx.emit(ExperimentCreated(id=made.id, name=made.name))
    return made, True


def bring_run(self: Doors, theirs: Run) -> bool:
    """Bring a run in with its params, tags, datasets and models; say whether it is new.

    A run of this id that is here already is left as it is. Points and files come by `log_points`
    and by artifacts.
    """
    made = msgspec.structs.replace(
        theirs,
        id=_checked_id(theirs.id, what="run"),
        status=rules.check_status(theirs.status),
        name=rules.check_name(theirs.name),
        params=rules.check_params(theirs.params),
        tags=rules.check_tags(theirs.tags),
    )
    with self.metadata.write() as tx:
        if store.standing(tx, made.id) is not None:
            return False
        store.add_run(tx, made)
        stage = {"lifecycle_stage": made.lifecycle_stage, "deleted_at": made.deleted_at}
        store.change_run(tx, made.id, stage)
        for used in made.datasets:
            store.use_dataset(tx, made.id, used, experiment_id=made.experiment_id)
        store.add_uses(tx, made.id, (*made.model_inputs, *made.model_outputs))
        tx.emit(
            RunBrought(
                run_id=made.id,
                experiment=made.experiment,
                name=made.name,
                status=made.status,
                started_at=made.started_at,
                params=made.params,
                tags=made.tags,
            )
        )
    return True


def bring_logged_model(self: Doors, theirs: LoggedModel) -> bool:
    """Bring a logged model in; say whether it is new. Its files come by artifacts."""
    made = msgspec.structs.replace(
        theirs,
        id=f"m-{_checked_id(theirs.id.removeprefix('m-'), what='logged model')}",
        params=rules.check_params(theirs.params),
        tags=rules.check_tags(theirs.tags),
    )
    with self.metadata.write() as tx:
        if store.find_logged_model(tx, made.id) is not None:
            return False
        store.add_logged_model(tx, made)
        tx.emit(
            LoggedModelBrought(
                id=made.id,
                experiment_id=made.experiment_id,
                name=made.name,
                source_run_id=made.source_run_id,
                params=made.params,
                tags=made.tags,
            )
        )
    return True


def _checked_id(text: str, *, what: str) -> str:
    if len(text) != rules.ID_LENGTH or not set(text) <= set("0123456789abcdef"):
        raise InvalidInput(f"{rules.shown(text)} is no id of a {what}.")
    return text
