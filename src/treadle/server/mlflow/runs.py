"""Runs: create, get, search, update, delete, restore, and the tag of one taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.server.mlflow import limits
from treadle.server.mlflow.errors import INVALID, WireError
from treadle.server.mlflow.experiments import STORE, experiment_of, view_of, without_tag
from treadle.server.mlflow.names import friendly_name
from treadle.server.mlflow.wire import US, Ask, Empty, KeyValue, absent, as_dict, mistyped
from treadle.server.mlflow.wire_runs import (
    OneRun,
    RunCreated,
    RunPage,
    RunUpdated,
    created,
    info_of,
    whole,
)
from treadle.tracking.service.experiments import DEFAULT_ID, DEFAULT_NAME

if TYPE_CHECKING:
    from treadle.server.mlflow.call import Call
    from treadle.server.mlflow.door import Route
    from treadle.tracking.entities import Run, RunStatus

RUN_NAME = "mlflow.runName"
STATUSES: dict[str | int, RunStatus] = {
    "RUNNING": "running", "SCHEDULED": "scheduled", "FINISHED": "finished",
    "FAILED": "failed", "KILLED": "killed",
    1: "running", 2: "scheduled", 3: "finished", 4: "failed", 5: "killed",
}  # fmt: skip
PAGE = 1000


class CreateRun(Ask):
    experiment_id: str = ""
    user_id: str = ""
    run_name: str = ""
    start_time: int = 0
    tags: tuple[KeyValue, ...] = ()


class RunId(Ask):
    run_id: str = ""
    run_uuid: str = ""

    def missing(self) -> WireError | None:
        """Either name of the field will do."""
        return None if self.run_id or self.run_uuid else absent("run_id")

    @property
    def id(self) -> str:
        """The run that is meant."""
        return self.run_id or self.run_uuid


class UpdateRun(RunId):
    status: str | int | None = None
    end_time: int | None = None
    run_name: str | None = None


class DeleteTag(RunId):
    key: str = ""

    def missing(self) -> WireError | None:
        """Both are needed."""
        return super().missing() or (None if self.key else absent("key"))


class SearchRuns(Ask):
    experiment_ids: tuple[str, ...] = ()
    filter: str = ""
    run_view_type: str | int = 1
    max_results: int | None = None
    order_by: tuple[str, ...] = ()
    page_token: str = ""


def create(call: Call) -> RunCreated:
    """Start a run; one without a name is given a friendly one."""
    asked = call.read(CreateRun)
    tags = as_dict(asked.tags)
    tagged = tags.get(RUN_NAME, "")
    if asked.run_name and tagged and asked.run_name != tagged:
        raise WireError(
            INVALID,
            "Both 'run_name' argument and 'mlflow.runName' tag are specified, but with different "
            f"values (run_name='{asked.run_name}', mlflow.runName='{tagged}').",
        )
    name = asked.run_name or tagged or friendly_name()
    default = asked.experiment_id in {"", DEFAULT_ID}
    try:
        made = call.app.tracking.start_run(
            experiment=DEFAULT_NAME if default else "",
            experiment_id="" if default else asked.experiment_id,
            name=name,
            tags={**tags, RUN_NAME: name},
            user_id=asked.user_id,
            started_at=asked.start_time * US,
            capture=False,
        )
    except InvalidInput:
        # Of two faults the experiment's is told.
        experiment_of(call, asked.experiment_id)
        raise
    return created(made, location=location(made))


def get(call: Call) -> OneRun:
    """Return a run with all it logged."""
    run_id = call.read(RunId).id
    try:
        found = call.app.tracking.run(run_id)
    except InvalidInput as error:  # several begin so
        raise NotFound("run", run_id) from error
    if found.id != run_id:  # the beginning of an id is enough elsewhere, not here
        raise NotFound("run", run_id)
    return OneRun(run=whole(found, location=location(found)))


def update(call: Call) -> RunUpdated:
    """Change a run's status, end or name."""
    asked = call.read(UpdateRun)
    if asked.status is not None and asked.status not in STATUSES:
        known = ", ".join(str(name) for name in list(STATUSES)[:5])
        raise WireError(INVALID, f"Invalid status {asked.status!r}: it is one of {known}.")
    found = call.app.tracking.update_run(
        asked.id,
        status=None if asked.status is None else STATUSES[asked.status],
        ended_at=None if asked.end_time is None else asked.end_time * US,
        name=asked.run_name or None,
    )
    return RunUpdated(run_info=info_of(found, location=location(found)))


def delete(call: Call) -> Empty:
    """Delete a run, until it is restored."""
    call.app.tracking.delete_run(call.read(RunId).id)
    return Empty()


def restore(call: Call) -> Empty:
    """Bring a deleted run back."""
    call.app.tracking.restore_run(call.read(RunId).id)
    return Empty()


def delete_tag(call: Call) -> Empty:
    """Take a tag off a run."""
    asked = call.read(DeleteTag)
    try:
        call.app.tracking.untag_run(asked.id, asked.key)
    except NotFound as error:
        raise without_tag(error, asked.key, f"run with id {asked.id}") from error
    return Empty()


def search(call: Call) -> RunPage:
    """Return a page of runs; where more may follow, with the token of the next."""
    asked = call.read(SearchRuns)
    if (asked.max_results or 0) > limits.PAGE_MOST:
        raise mistyped("max_results", asked.max_results)
    size = limits.page_size(asked.max_results, default=PAGE)
    offset = limits.offset_of(asked.page_token)
    # One more than asked tells whether a page follows, without counting them all.
    page = call.app.tracking.search_runs(
        experiment_ids=asked.experiment_ids,
        where=asked.filter,
        order_by=asked.order_by,
        view=view_of(asked.run_view_type),
        limit=size + 1,
        offset=offset,
        count=False,
    )
    more = len(page.items) > size
    found = page.items[:size]
    return RunPage(
        runs=[whole(run, location=location(run)) for run in found] or msgspec.UNSET,
        next_page_token=limits.token_of(offset + size) if more else msgspec.UNSET,
    )


def location(run: Run) -> str:
    """Return where the artifacts of a run's experiment are."""
    return run.artifact_location or STORE + run.experiment_id


ROUTES: tuple[Route, ...] = (
    ("POST", "/mlflow/runs/create", create),
    ("GET", "/mlflow/runs/get", get),
    ("POST", "/mlflow/runs/update", update),
    ("POST", "/mlflow/runs/delete", delete),
    ("POST", "/mlflow/runs/restore", restore),
    ("POST", "/mlflow/runs/search", search),
    ("POST", "/mlflow/runs/delete-tag", delete_tag),
)
