"""The verbs of logged models: what a run leaves behind before anybody registers it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.tracking import rules, store
from treadle.tracking.entities import LoggedModel
from treadle.tracking.facts import LoggedModelCreated, LoggedModelDeleted, LoggedModelFinalized
from treadle.tracking.service.doors import NOTHING
from treadle.tracking.service.experiments import found_by_id, must_be_active

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import ModelStatus
    from treadle.tracking.service.doors import Doors

PREFIX = "m-"
UNFIT = "/:.%\"'"


def create_logged_model(
    self: Doors,
    experiment_id: str,
    *,
    name: str,
    model_type: str = "",
    source_run_id: str = "",
    params: Mapping[str, object] = NOTHING,
    tags: Mapping[str, object] = NOTHING,
) -> LoggedModel:
    """Begin a logged model; it is pending until `finalize_logged_model` says what became of it."""
    _check_name(name)
    new_params, new_tags = rules.check_params(params), rules.check_tags(tags)
    with self.metadata.write() as tx:
        group = must_be_active(found_by_id(tx, experiment_id))
        made = LoggedModel(
            id=PREFIX + new_id(),
            experiment_id=group.id,
            name=name,
            model_type=rules.check_text(model_type, what="A model type"),
            source_run_id=rules.check_text(source_run_id, what="A run's id"),
            created_at=tx.at,
            updated_at=tx.at,
            params=new_params,
            tags=new_tags,
        )
        store.add_logged_model(tx, made)
        tx.emit(
            LoggedModelCreated(
                id=made.id,
                experiment_id=made.experiment_id,
                name=made.name,
                model_type=made.model_type,
                source_run_id=made.source_run_id,
                params=made.params,
                tags=made.tags,
            )
        )
    return made


def finalize_logged_model(
    self: Doors, model_id: str, status: ModelStatus, *, message: str = ""
) -> LoggedModel:
    """Say that a logged model is whole (`ready`), or that it will not be (`failed`)."""
    if status not in {"pending", "ready", "failed"}:
        raise InvalidInput(f"{status!r} is no status of a logged model.", hint="ready or failed.")
    with self.metadata.write() as tx:
        before = _known(tx, model_id)
        changed = {"status": status, "status_message": message}
        store.change_logged_model(tx, model_id, changed)
        if before.status != status:
            tx.emit(LoggedModelFinalized(id=model_id, status=status))
        return _known(tx, model_id)


def logged_model(self: Doors, model_id: str, *, include_deleted: bool = False) -> LoggedModel:
    """Return a logged model with params, tags and metrics. Raises NotFound."""
    with self.metadata.read() as tx:
        found = _known(tx, model_id)
    if found.lifecycle_stage == "deleted" and not include_deleted:
        raise NotFound("logged_model", model_id)
    return found


def delete_logged_model(self: Doors, model_id: str) -> None:
    """Delete a logged model; `gc` removes it for good."""
    with self.metadata.write() as tx:
        before = _known(tx, model_id)
        store.change_logged_model(tx, model_id, {"lifecycle_stage": "deleted"})
        if before.lifecycle_stage == "active":
            tx.emit(LoggedModelDeleted(id=model_id))


def tag_logged_model(self: Doors, model_id: str, tags: Mapping[str, object]) -> None:
    """Set tags of a logged model."""
    checked = rules.check_tags(tags)
    with self.metadata.write() as tx:
        _known(tx, model_id)
        store.put_model_tags(tx, model_id, checked)


def untag_logged_model(self: Doors, model_id: str, key: str) -> None:
    """Take a tag off a logged model. Raises NotFound when it has none of that key."""
    with self.metadata.write() as tx:
        found = _known(tx, model_id)
        if not store.drop_model_tag(tx, model_id, key):
            raise NotFound("tag", key, known=found.tags)


def log_logged_model_params(self: Doors, model_id: str, params: Mapping[str, object]) -> None:
    """Add params to a logged model; each is written once."""
    checked = rules.check_params(params)
    with self.metadata.write() as tx:
        _known(tx, model_id)
        before = store.model_params_among(tx, model_id, checked)
        changed = [key for key, old in before.items() if checked[key] != old]
        if changed:
            raise Conflict(
                f"Param {changed[0]!r} of logged model {model_id} is written already.",
                hint="A param is written once.",
                model=model_id,
                key=changed[0],
            )
        fresh = {key: value for key, value in checked.items() if key not in before}
        store.add_model_params(tx, model_id, fresh)


def _known(tx: Transaction, model_id: str) -> LoggedModel:
    found = store.find_logged_model(tx, model_id)
    if found is None:
        raise NotFound("logged_model", model_id)
    return found


def _check_name(name: str) -> None:
    if not name or any(c in name for c in UNFIT) or len(name) > rules.EXPERIMENT_LENGTH:
        raise InvalidInput(
            f"{rules.shown(name)} cannot name a logged model.",
            hint=f"Use 1 to {rules.EXPERIMENT_LENGTH} characters, none of {' '.join(UNFIT)}",
        )
    rules.check_text(name, what="A logged model's name")
