"""SQL of runs, their params and tags, and what they were made from."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import and_, func, select

from treadle.tracking.entities import Artifact
from treadle.tracking.store import driver
from treadle.tracking.store.driver import added, fetch, insert_into
from treadle.tracking.store.rows import latest_points, runs_of
from treadle.tracking.store.tables import run_artifacts, run_inputs, runs

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import Run, RunInput

_INSERT_RUN = """
    INSERT INTO runs (
        id, experiment_id, name, status, parent_id, actor, started_at, ended_at, error, user_id
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_INSERT_PARAM = "INSERT INTO run_params (run_id, key, value) VALUES (?, ?, ?)"
_PUT_TAG = """
    INSERT INTO run_tags (run_id, key, value) VALUES (?, ?, ?)
    ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value
"""


class Standing(msgspec.Struct, frozen=True):
    """What must be known of a run before it is written to."""

    status: str
    lifecycle_stage: str
    experiment_id: str


def add_run(tx: Transaction, run: Run) -> None:
    """Insert a run with its params and tags."""
    row = (
        run.id, run.experiment_id, run.name, run.status, run.parent_id, run.actor, run.started_at,
        run.ended_at, run.error, run.user_id,
    )  # fmt: skip
    driver.run(tx, _INSERT_RUN, row)
    add_params(tx, run.id, run.params)
    put_tags(tx, run.id, run.tags)


def standing(tx: Transaction, run_id: str, *, lock: bool = False) -> Standing | None:
    """Return how a run stands, or None when it is not there; `lock` lets others wait for us."""
    query = "SELECT status, lifecycle_stage, experiment_id FROM runs WHERE id = ?"
    if lock and driver.is_postgres(tx):
        query += " FOR UPDATE"
    row = driver.first(tx, query, run_id)
    return None if row is None else Standing(row[0], row[1], row[2])


def find_run(tx: Transaction, run_id: str) -> Run | None:
    """Return a run with all it logged, or None when it is not there."""
    found = runs_of(tx, [run_id])
    return found[0] if found else None


def change_run(tx: Transaction, run_id: str, changed: Mapping[str, object]) -> None:
    """Write some columns of a run."""
    columns = ", ".join(f"{name} = ?" for name in changed)
    sql = f"UPDATE runs SET {columns} WHERE id = ?"  # noqa: S608 - names of columns, ours
    driver.run(tx, sql, (*changed.values(), run_id))


def ids_from(tx: Transaction, prefix: str, *, limit: int) -> list[str]:
    """Return the ids of runs that begin with a prefix of hex digits."""
    span = and_(runs.c.id >= prefix, runs.c.id < prefix + "g")
    return list(
        tx.execute(select(runs.c.id).where(span).order_by(runs.c.id).limit(limit)).scalars()
    )


def params_among(tx: Transaction, run_id: str, *, keys: Collection[str]) -> dict[str, str]:
    """Return those params of a run that are already there."""
    query = "SELECT key, value FROM run_params WHERE run_id = ? AND key IN (??)"
    return dict(fetch(tx, query, run_id, list(keys)))


def add_params(tx: Transaction, run_id: str, params: Mapping[str, str]) -> None:
    """Insert params whose keys are new to the run."""
    if params:
        driver.run(tx, _INSERT_PARAM, [(run_id, key, params[key]) for key in sorted(params)])


def put_tags(tx: Transaction, run_id: str, tags: Mapping[str, str]) -> None:
    """Insert tags or move those that are there."""
    if tags:
        driver.run(tx, _PUT_TAG, [(run_id, key, tags[key]) for key in sorted(tags)])


def drop_tag(tx: Transaction, run_id: str, key: str) -> bool:
    """Delete a tag of a run; say whether it was there."""
    gone = driver.run(tx, "DELETE FROM run_tags WHERE run_id = ? AND key = ?", (run_id, key))
    return gone.rowcount > 0


def add_input(tx: Transaction, run_id: str, found: RunInput) -> bool:
    """Insert an input of a run unless it is there; say whether it was inserted."""
    row = {**msgspec.structs.asdict(found), "run_id": run_id, "logged_at": tx.at}
    return added(tx, run_inputs, row)


def put_artifacts(tx: Transaction, run_id: str, artifacts: Iterable[Artifact]) -> None:
    """Insert artifacts of a run or overwrite those of the same paths."""
    rows = [{**msgspec.structs.asdict(a), "run_id": run_id, "logged_at": tx.at} for a in artifacts]
    if rows:
        statement = insert_into(tx, run_artifacts)
        changed = {name: statement.excluded[name] for name in ("digest", "size_bytes", "logged_at")}
        keys = ["run_id", "path"]
        tx.execute(statement.on_conflict_do_update(index_elements=keys, set_=changed), rows)


def list_artifacts(
    tx: Transaction, run_id: str, *, path: str | None = None
) -> tuple[Artifact, ...]:
    """Return the artifacts of a run by path, or the one at a path."""
    query = select(run_artifacts.c.path, run_artifacts.c.digest, run_artifacts.c.size_bytes)
    query = query.where(run_artifacts.c.run_id == run_id).order_by(run_artifacts.c.path)
    if path is not None:
        query = query.where(run_artifacts.c.path == path)
    return tuple(Artifact(**row) for row in tx.execute(query).mappings())


def latest_metrics_of(tx: Transaction, run_ids: list[str]) -> dict[str, dict[str, float]]:
    """Return the latest value of each metric of several runs."""
    found = latest_points(tx, run_ids) if run_ids else {}
    return {i: {point.key: point.value for point in points} for i, points in found.items()}


def count_by_status(tx: Transaction, statuses: Iterable[str]) -> dict[str, int]:
    """Return how many active runs there are of each status."""
    # One look at every row; grouping would sort them all to learn the same.
    counts = (func.count().filter(runs.c.status == status).label(status) for status in statuses)
    query = select(*counts).where(runs.c.lifecycle_stage == "active")
    return dict(tx.execute(query).mappings().one())


def runs_using(tx: Transaction, ref: str, *, limit: int) -> tuple[Run, ...]:
    """Return the newest active runs that have an input of a ref, newest first."""
    using = select(run_inputs.c.run_id).where(run_inputs.c.ref == ref)
    wanted = [runs.c.lifecycle_stage == "active", runs.c.id.in_(using)]
    query = select(runs.c.id).where(*wanted).order_by(runs.c.started_at.desc(), runs.c.id.desc())
    return runs_of(tx, list(tx.execute(query.limit(limit)).scalars()))
