"""Studies and trials in SQL."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Integer,
    Table,
    Text,
    delete,
    insert,
    select,
    update,
)

from treadle.storage.schema import Instant, Json, metadata
from treadle.tuning.entities import Study, Trial
from treadle.tuning.space import Dimension

if TYPE_CHECKING:
    from sqlalchemy import RowMapping

    from treadle.storage.transaction import Transaction

studies = Table(
    "studies",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("direction", Text, nullable=False),
    Column("metric", Text, nullable=False),
    Column("space", Json, nullable=False),
    Column("seed", BigInteger, nullable=False),
    Column("experiment", Text, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("owner", Text, nullable=False),
    Column("beat_at", Instant, nullable=False),
    Column("created_at", Instant, nullable=False),
)

trials = Table(
    "trials",
    metadata,
    Column("study_id", Text, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("params", Json, nullable=False),
    Column("run_id", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("value", Double),
    Column("metrics", Json, nullable=False),
    Column("error", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
)


class Held(msgspec.Struct, frozen=True):
    """A study, the process that is searching (empty when none is) and when it last said so."""

    study: Study
    owner: str
    beat_at: int


def add_study(tx: Transaction, study: Study, *, owner: str, beat_at: int) -> None:
    """Add a study."""
    row = {**msgspec.structs.asdict(study), "owner": owner, "beat_at": beat_at}
    row["space"] = msgspec.to_builtins(study.space)
    tx.execute(insert(studies), row)


def find_study(tx: Transaction, name: str, *, lock: bool = False) -> Held | None:
    """Return a study by its name; locked, nobody else may take it until the transaction ends."""
    query = select(studies).where(studies.c.name == name)
    row = tx.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else _held(row)


def list_studies(tx: Transaction) -> list[Study]:
    """Return every study, newest first."""
    rows = tx.execute(select(studies).order_by(studies.c.id.desc())).mappings()
    return [_held(row).study for row in rows]


def update_study(tx: Transaction, study_id: str, **values: Any) -> None:
    """Set columns of a study."""
    tx.execute(update(studies).where(studies.c.id == study_id).values(**values))


def put_trial(tx: Transaction, study_id: str, trial: Trial) -> None:
    """Write a trial in the place of the one with its number."""
    mine = (trials.c.study_id == study_id) & (trials.c.number == trial.number)
    tx.execute(delete(trials).where(mine))
    tx.execute(insert(trials), {"study_id": study_id, **msgspec.structs.asdict(trial)})


def list_trials(tx: Transaction, study_id: str) -> tuple[Trial, ...]:
    """Return the trials of a study by number."""
    query = select(trials).where(trials.c.study_id == study_id).order_by(trials.c.number)
    return tuple(_trial(row) for row in tx.execute(query).mappings())


def _held(row: RowMapping) -> Held:
    fields: dict[str, Any] = {**row}
    owner, beat_at = fields.pop("owner"), fields.pop("beat_at")
    fields["space"] = msgspec.convert(fields["space"], dict[str, Dimension])
    return Held(Study(**fields), owner, beat_at)


def _trial(row: RowMapping) -> Trial:
    fields: dict[str, Any] = {**row}
    del fields["study_id"]
    return Trial(**fields)
