"""Pipeline runs, their steps and the cache of results, in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    Boolean,
    Column,
    Double,
    Index,
    Integer,
    Table,
    Text,
    func,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.pipelines.entities import Binding, OutputRef, PipelineRun, StepInput, StepRun
from treadle.storage.schema import Instant, Json, may_need_objects, metadata, needs_objects

if TYPE_CHECKING:
    from sqlalchemy import ColumnElement, RowMapping, Select

    from treadle.storage.transaction import Transaction

pipeline_runs = Table(
    "pipeline_runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("params", Json, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("result", Json, info=needs_objects("pipeline run {id}")),
    Column("owner", Text, nullable=False),
    Column("beat_at", Instant, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("error", Text, nullable=False),
    Index("ix_pipeline_runs_run_id", "run_id"),
    Index("ix_pipeline_runs_name", "name", "id"),
    Index("ix_pipeline_runs_state", "state"),
)

step_runs = Table(
    "step_runs",
    metadata,
    Column("pipeline_run", Text, primary_key=True),
    Column("position", Integer, primary_key=True),
    Column("step", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("cached", Boolean, nullable=False),
    Column("inputs", Json, nullable=False, info=may_need_objects("pipeline run {pipeline_run}")),
    Column("outputs", Json, nullable=False, info=needs_objects("pipeline run {pipeline_run}")),
    Column("started_at", Instant),
    Column("ended_at", Instant),
    Column("seconds", Double, nullable=False),
    Column("error", Text, nullable=False),
    Column("job_id", Text),
)

step_cache = Table(
    "step_cache",
    metadata,
    Column("key", Text, primary_key=True),
    Column("outputs", Json, nullable=False, info=may_need_objects("cached step {key}")),
    Column("seconds", Double, nullable=False),
    Column("pipeline_run", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
)


class Owner(msgspec.Struct, frozen=True):
    """Who drives a run, and when it last said so (µs UTC by the machine's clock)."""

    pipeline_run: str
    owner: str
    beat_at: int


class Cached(msgspec.Struct, frozen=True):
    """What a step with this key returned, and how long it took."""

    outputs: tuple[OutputRef, ...]
    seconds: float


def add_run(tx: Transaction, run: PipelineRun, *, owner: str, beat_at: int) -> None:
    """Add a run with its steps, all of them waiting."""
    row = {**msgspec.structs.asdict(run), "owner": owner, "beat_at": beat_at}
    row["result"] = None if run.result is None else msgspec.to_builtins(run.result)
    del row["steps"]
    tx.execute(insert(pipeline_runs), row)
    steps = [
        {"pipeline_run": run.id, "position": position, **msgspec.to_builtins(step)}
        for position, step in enumerate(run.steps)
    ]
    tx.execute(insert(step_runs), steps)


def update_step(tx: Transaction, run_id: str, step: StepRun) -> None:
    """Write a step as it is now."""
    values = msgspec.to_builtins(step)
    mine = (step_runs.c.pipeline_run == run_id) & (step_runs.c.step == step.step)
    tx.execute(update(step_runs).where(mine).values(**values))


def end_steps(tx: Transaction, run_id: str, *, before: str, state: str) -> None:
    """Move every step of a run that is in one state to another."""
    mine = (step_runs.c.pipeline_run == run_id) & (step_runs.c.state == before)
    tx.execute(update(step_runs).where(mine).values(state=state))


def end_run(tx: Transaction, run_id: str, *, state: str, error: str) -> bool:
    """End a run that is running; False when it has ended already."""
    mine = (pipeline_runs.c.id == run_id) & (pipeline_runs.c.state == "running")
    ended = update(pipeline_runs).where(mine).values(state=state, error=error, ended_at=tx.at)
    return tx.execute(ended).rowcount == 1


def beat(tx: Transaction, run_id: str, *, at: int) -> None:
    """Note that the driver of a run is alive."""
    tx.execute(update(pipeline_runs).where(pipeline_runs.c.id == run_id).values(beat_at=at))


def owners(tx: Transaction) -> list[Owner]:
    """Return who drives the runs that are running."""
    query = select(pipeline_runs.c.id, pipeline_runs.c.owner, pipeline_runs.c.beat_at)
    rows = tx.execute(query.where(pipeline_runs.c.state == "running")).all()
    return [Owner(row.id, row.owner, row.beat_at) for row in rows]


def find_run(tx: Transaction, identifier: str) -> PipelineRun | None:
    """Return a run by its id."""
    return _first(tx, select(pipeline_runs).where(pipeline_runs.c.id == identifier))


def find_by_run_id(tx: Transaction, run_id: str) -> PipelineRun | None:
    """Return the pipeline run of a tracking run."""
    return _first(tx, select(pipeline_runs).where(pipeline_runs.c.run_id == run_id))


def ids_from(tx: Transaction, prefix: str, *, limit: int) -> list[str]:
    """Return some ids that begin like this."""
    query = select(pipeline_runs.c.id).where(pipeline_runs.c.id.startswith(prefix, autoescape=True))
    return list(tx.execute(query.order_by(pipeline_runs.c.id).limit(limit)).scalars())


def list_runs(
    tx: Transaction, *, name: str | None, limit: int, offset: int
) -> tuple[tuple[PipelineRun, ...], int]:
    """Return some runs, newest first, and how many there are in all."""
    wanted: list[ColumnElement[bool]] = [] if name is None else [pipeline_runs.c.name == name]
    query = select(pipeline_runs).where(*wanted).order_by(pipeline_runs.c.id.desc())
    rows = tx.execute(query.limit(limit).offset(offset)).mappings().all()
    steps = _steps(tx, [row["id"] for row in rows])
    count = select(func.count()).select_from(pipeline_runs).where(*wanted)
    total = int(tx.execute(count).scalar_one())
    return tuple(_run(row, steps.get(row["id"], ())) for row in rows), total


def cached(tx: Transaction, key: str) -> Cached | None:
    """Return what a step with this key returned the last time."""
    query = select(step_cache.c.outputs, step_cache.c.seconds).where(step_cache.c.key == key)
    row = tx.execute(query).first()
    if row is None:
        return None
    return Cached(msgspec.convert(row.outputs, tuple[OutputRef, ...]), row.seconds)


def keep(tx: Transaction, key: str, found: Cached, *, pipeline_run: str) -> None:
    """Remember what a step with this key returned; the newest word counts."""
    dialect = sqlite if tx.connection.dialect.name == "sqlite" else postgresql
    row = {"pipeline_run": pipeline_run, "created_at": tx.at, **msgspec.to_builtins(found)}
    added = dialect.insert(step_cache).values(key=key, **row)
    tx.execute(added.on_conflict_do_update(index_elements=["key"], set_=row))


def _first(tx: Transaction, query: Select[Any]) -> PipelineRun | None:
    row = tx.execute(query.limit(1)).mappings().first()
    return None if row is None else _run(row, _steps(tx, [row["id"]]).get(row["id"], ()))


def _steps(tx: Transaction, run_ids: list[str]) -> dict[str, tuple[StepRun, ...]]:
    query = select(step_runs).where(step_runs.c.pipeline_run.in_(run_ids))
    found: dict[str, tuple[StepRun, ...]] = {}
    for row in tx.execute(query.order_by(step_runs.c.position)).mappings():
        run_id = row["pipeline_run"]
        found[run_id] = (*found.get(run_id, ()), _step(row))
    return found


def _step(row: RowMapping) -> StepRun:
    fields: dict[str, Any] = {**row}
    del fields["pipeline_run"], fields["position"]
    fields["inputs"] = msgspec.convert(fields["inputs"], tuple[StepInput, ...])
    fields["outputs"] = msgspec.convert(fields["outputs"], tuple[OutputRef, ...])
    return StepRun(**fields)


def _run(row: RowMapping, steps: tuple[StepRun, ...]) -> PipelineRun:
    fields: dict[str, Any] = {**row}
    del fields["owner"], fields["beat_at"]
    fields["result"] = msgspec.convert(fields["result"], Binding | None)
    return PipelineRun(steps=steps, **fields)
