"""The verbs of runs: begin, end, change, delete, find."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.actors import current_actor
from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.tracking import rules, store
from treadle.tracking.entities import Run, RunInput
from treadle.tracking.facts import (
    InputLogged,
    RunDeleted,
    RunEnded,
    RunRestored,
    RunStarted,
    RunUpdated,
)
from treadle.tracking.service.doors import NOTHING
from treadle.tracking.service.experiments import got_or_made, must_be_active

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import Artifact, EndStatus, Experiment, RunStatus
    from treadle.tracking.processes import Process
    from treadle.tracking.service.doors import Doors
    from treadle.tracking.store import Standing

AMBIGUOUS_SHOWN = 5


def start_run(
    self: Doors,
    *,
    experiment: str = "",
    experiment_id: str = "",
    name: str = "",
    parent_id: str | None = None,
    params: Mapping[str, object] = NOTHING,
    tags: Mapping[str, object] = NOTHING,
    user_id: str = "",
    started_at: int | None = None,
    run_id: str = "",
    capture: bool = True,
    process: Process | None = None,
) -> Run:
    """Start a run in an experiment, tagged with the code, packages and system it runs with.

    Given tags win over captured ones; `capture=False` for runs of another process. The name and the
    parent are also the tags `mlflow.runName` and `mlflow.parentRunId`, whichever of the two is
    given. With a `process` the run fails should that be gone before it has ended it. Raises
    NotFound when the parent is not there, Conflict when the experiment is deleted.
    """
    if not experiment_id:
        rules.check_experiment(experiment)
    captured, artifacts = self.how_made() if capture else (None, ())
    labels = rules.check_tags({**(captured.tags if captured else {}), **tags})
    name = rules.check_name(name or labels.get(rules.RUN_NAME, ""))
    parent_of_tag = labels.get(rules.PARENT) or None
    labels |= _standing_tags(name=name, parent_id=parent_id)

    def work(tx: Transaction) -> Run:
        group = must_be_active(_group(tx, experiment_id=experiment_id, name=experiment))
        if parent_id is not None:
            known(tx, parent_id)
        started = Run(
            id=run_id or new_id(),
            experiment=group.name,
            experiment_id=group.id,
            name=name,
            status="running",
            parent_id=parent_id or parent_of_tag,
            actor=current_actor(),
            user_id=rules.check_text(user_id, what="A user's id"),
            started_at=tx.at if started_at is None else started_at,
            params=rules.check_params(params),
            tags=labels,
            artifact_location=group.artifact_location,
        )
        _start(tx, started, artifacts=artifacts)
        if process is not None:
            store.watch(tx, started.id, process=process, at=self.machine_clock.now())
        return started

    return self.together.write(work)


def end_run(self: Doors, run_id: str, *, status: EndStatus = "finished", error: str = "") -> Run:
    """End a run; ending it again the same way changes nothing, another way raises Conflict."""
    rules.check_status(status, allowed=rules.END_STATUSES)
    text = rules.check_text(error, what="A run's error")

    def work(tx: Transaction) -> Run:
        before = known(tx, run_id, lock=True).status
        if store.unwatch(tx, run_id):  # it was only held gone
            before = "running"
        if before in rules.END_STATUSES and before != status:
            raise Conflict(
                f"Run {run_id} has already {before}; it cannot become {status}.",
                run=run_id,
                status=before,
            )
        if before == status:
            return found(tx, run_id)
        changed = {"status": status, "error": text, "ended_at": tx.at}
        store.change_run(tx, run_id, changed)
        after = found(tx, run_id)
        tell_end(tx, after)
        return after

    return self.together.write(work)


def update_run(
    self: Doors,
    run_id: str,
    *,
    status: RunStatus | None = None,
    ended_at: int | None = None,
    name: str | None = None,
) -> Run:
    """Change a run's status, end or name as its client says; it may also go on after its end.

    Returns the run as it is then, without what it logged.
    """
    if status is not None:
        rules.check_status(status)
    named = rules.check_name(name) if name else ""

    def work(tx: Transaction) -> Run:
        before = store.locked_run(tx, run_id)
        if before is None:
            raise NotFound("run", run_id)
        _check_live(run_id, before)
        changed: dict[str, object] = {} if status is None else {"status": status}
        # Who says how a run stands is believed; that it was held gone is then no error of it.
        if status is not None and store.unwatch(tx, run_id):
            changed |= {"error": ""}
        changed |= {} if ended_at is None else {"ended_at": ended_at}
        changed |= {"name": named} if named else {}
        if changed:
            store.change_run(tx, run_id, changed)
        if named:
            store.put_tags(tx, run_id, {rules.RUN_NAME: named})
        after = msgspec.structs.replace(before, **changed)
        _tell_change(tx, before=before, after=after, named=bool(named))
        return after

    return self.together.write(work)


def delete_run(self: Doors, run_id: str) -> None:
    """Delete a run; it can be restored until `gc` removes it for good."""
    with self.metadata.write() as tx:
        before = known(tx, run_id, lock=True)
        store.change_run(tx, run_id, {"lifecycle_stage": "deleted", "deleted_at": tx.at})
        if before.lifecycle_stage == "active":
            tx.emit(RunDeleted(run_id=run_id))


def restore_run(self: Doors, run_id: str) -> None:
    """Bring a deleted run back."""
    with self.metadata.write() as tx:
        before = known(tx, run_id, lock=True)
        store.change_run(tx, run_id, {"lifecycle_stage": "active", "deleted_at": None})
        if before.lifecycle_stage == "deleted":
            tx.emit(RunRestored(run_id=run_id))


def tag_run(self: Doors, run_id: str, tags: Mapping[str, object]) -> None:
    """Set tags of a run; `mlflow.runName` is its name, `mlflow.parentRunId` its parent."""
    checked = rules.check_tags(tags)

    def work(tx: Transaction) -> None:
        must_be_live(tx, run_id)
        put_tags(tx, run_id, checked)

    self.together.write(work)


def untag_run(self: Doors, run_id: str, key: str) -> None:
    """Take a tag off a run. Raises NotFound when it has none of that key."""
    with self.metadata.write() as tx:
        must_be_live(tx, run_id)
        if not store.drop_tag(tx, run_id, key):
            raise NotFound("tag", key)
        if key == rules.PARENT:
            store.change_run(tx, run_id, {"parent_id": None})


def log_input(
    self: Doors, run_id: str, *, kind: str, ref: str, digest: str, context: str = ""
) -> None:
    """Say what a run was made from: `kind="dataset", ref="flights@3", context="training"`."""
    made_from = RunInput(kind=kind, ref=ref, digest=digest, context=context)
    with self.metadata.write() as tx:
        must_be_live(tx, run_id)
        put_input(tx, run_id, made_from)


def run(self: Doors, id_or_prefix: str) -> Run:
    """Return a run by its id or by the beginning of it, as long as that names only one."""
    with self.metadata.read() as tx:
        whole = store.find_run(tx, id_or_prefix)
        if whole is not None:
            return whole
        return found(tx, _only_id(tx, id_or_prefix.lower()))


def run_counts(self: Doors) -> dict[str, int]:
    """Return how many runs there are of each status, zero of those that do not occur."""
    with self.metadata.read() as tx:
        return store.count_by_status(tx, rules.STATUSES)


def runs_using(self: Doors, ref: str, *, limit: int = 100) -> tuple[Run, ...]:
    """Return the newest runs that were made from something (`flights@3`)."""
    with self.metadata.read() as tx:
        return store.runs_using(tx, ref, limit=limit)


def metrics_of(self: Doors, run_ids: Iterable[str]) -> dict[str, dict[str, float]]:
    """Return the latest metrics of several runs; a run without any is left out."""
    with self.metadata.read() as tx:
        return store.latest_metrics_of(tx, list(run_ids))


def known(tx: Transaction, run_id: str, *, lock: bool = False) -> Standing:
    """Return how a run stands, deleted or not. Raises NotFound."""
    standing = store.standing(tx, run_id, lock=lock)
    if standing is None:
        raise NotFound("run", run_id)
    return standing


def must_be_live(tx: Transaction, run_id: str, *, lock: bool = False) -> Standing:
    """Return how a run stands that can be written to. Raises Conflict when it is deleted."""
    standing = known(tx, run_id, lock=lock)
    _check_live(run_id, standing)
    return standing


def _check_live(run_id: str, found: Standing | Run) -> None:
    if found.lifecycle_stage != "active":
        raise Conflict(
            f"Run {run_id} is deleted.",
            hint="Restore it first.",
            run=run_id,
            lifecycle_stage=found.lifecycle_stage,
        )


def found(tx: Transaction, run_id: str) -> Run:
    """Return a run with all it logged. Raises NotFound."""
    whole = store.find_run(tx, run_id)
    if whole is None:
        raise NotFound("run", run_id)
    return whole


def put_tags(tx: Transaction, run_id: str, tags: Mapping[str, str]) -> None:
    """Set tags, and move what of a run is also a tag: its name and its parent."""
    # An empty name changes nothing, as the genuine server has it.
    kept = {k: v for k, v in tags.items() if v or k != rules.RUN_NAME}
    store.put_tags(tx, run_id, kept)
    changed: dict[str, object] = {}
    if rules.RUN_NAME in kept:
        changed["name"] = rules.check_name(kept[rules.RUN_NAME])
    if rules.PARENT in kept:
        changed["parent_id"] = kept[rules.PARENT] or None
    if changed:
        store.change_run(tx, run_id, changed)


def put_input(tx: Transaction, run_id: str, made_from: RunInput) -> None:
    """Add an input of a run, and tell it the first time."""
    if store.add_input(tx, run_id, made_from):
        tx.emit(
            InputLogged(
                run_id=run_id,
                input_kind=made_from.kind,
                ref=made_from.ref,
                digest=made_from.digest,
                context=made_from.context,
            )
        )


def _group(tx: Transaction, *, experiment_id: str, name: str) -> Experiment:
    there = store.untagged_experiment(tx, of_id=experiment_id, name=name)
    if there is None and experiment_id:
        raise NotFound("experiment", experiment_id)
    return there or got_or_made(tx, name)


def _start(tx: Transaction, started: Run, *, artifacts: tuple[Artifact, ...]) -> None:
    store.add_run(tx, started)
    store.put_artifacts(tx, started.id, artifacts)
    tx.emit(
        RunStarted(
            run_id=started.id,
            experiment=started.experiment,
            name=started.name,
            parent_id=started.parent_id,
            params=started.params,
            tags=started.tags,
            artifacts=artifacts,
        )
    )


def _standing_tags(*, name: str, parent_id: str | None) -> dict[str, str]:
    tags = {rules.RUN_NAME: name} if name else {}
    return tags if parent_id is None else {**tags, rules.PARENT: parent_id}


def _tell_change(tx: Transaction, *, before: Run, after: Run, named: bool) -> None:
    turned = before.status != after.status
    if turned and after.status in rules.END_STATUSES:
        metrics = store.latest_metrics_of(tx, [after.id]).get(after.id, {})
        tell_end(tx, msgspec.structs.replace(after, metrics=metrics))
    if named or (turned and after.status not in rules.END_STATUSES):
        tx.emit(RunUpdated(run_id=after.id, name=after.name, status=after.status))


def tell_end(tx: Transaction, after: Run) -> None:
    """Tell how a run ended, with its latest metrics."""
    status: EndStatus = after.status  # type: ignore[assignment] # one of END_STATUSES
    metrics = _sayable(after.metrics)
    tx.emit(RunEnded(run_id=after.id, status=status, error=after.error, metrics=metrics))


def _only_id(tx: Transaction, prefix: str) -> str:
    hex_digits = bool(prefix) and all(c in "0123456789abcdef" for c in prefix)
    ids = store.ids_from(tx, prefix, limit=AMBIGUOUS_SHOWN + 1) if hex_digits else []
    if not ids:
        raise NotFound("run", prefix, hint="List them with: treadle runs")
    if len(ids) > 1:
        more = ", …" if len(ids) > AMBIGUOUS_SHOWN else ""
        raise InvalidInput(
            f"Several runs begin with {prefix!r}.",
            hint=f"Use more of one: {', '.join(ids[:AMBIGUOUS_SHOWN])}{more}",
            runs=ids,
        )
    return ids[0]


def _sayable(metrics: Mapping[str, float]) -> dict[str, float | None]:
    return {key: value if math.isfinite(value) else None for key, value in metrics.items()}
