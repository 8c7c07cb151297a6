"""SQL of counting runs by what they have."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, func, not_, select

from treadle.tracking.store.run_probes import listed
from treadle.tracking.store.tables import experiments, run_tags, runs

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import ColumnElement

    from treadle.storage.transaction import Transaction

HIDDEN = ("treadle.", "mlflow.")


def count_fields(tx: Transaction, ids: Sequence[str]) -> dict[str, dict[str, int]]:
    """Return how many of some runs are in each experiment, of each status and of each user."""
    c = runs.c
    fields = {"experiment": experiments.c.name, "status": c.status, "user": c.user_id}
    counted = (
        select(func.count().label("runs"), *fields.values())
        .select_from(runs.join(experiments, experiments.c.id == c.experiment_id))
        .where(c.id.in_(_these(tx, ids)))
        .group_by(*fields.values())
    )
    found: dict[str, Counter[str]] = {field: Counter() for field in fields}
    for row in tx.execute(counted).all():
        for field, value in zip(fields, tuple[Any, ...](row)[1:], strict=True):
            found[field].update({value: int(row.runs)} if value else {})
    return {field: dict(counts) for field, counts in found.items()}


def count_experiments(tx: Transaction, ids: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return of experiments how many runs they have, how many run now, and the newest start."""
    c = runs.c
    joined = runs.join(experiments, experiments.c.id == c.experiment_id)
    query = (
        select(
            c.experiment_id,
            func.count().label("runs"),
            func.count().filter(c.status == "running").label("running"),
            func.max(c.started_at).label("newest_at"),
        )
        .select_from(joined)
        .where(c.experiment_id.in_(ids), c.lifecycle_stage == experiments.c.lifecycle_stage)
        .group_by(c.experiment_id)
    )
    return {
        row.experiment_id: {"runs": row.runs, "running": row.running, "newest_at": row.newest_at}
        for row in tx.execute(query)
    }


def count_tags(
    tx: Transaction, ids: Sequence[str], *, keys_most: int, values_most: int
) -> dict[str, dict[str, int]]:
    """Return how many of some runs have each value of the tags that group them."""
    c = run_tags.c
    these = c.run_id.in_(_these(tx, ids))
    ours = and_(these, *(not_(c.key.startswith(start)) for start in HIDDEN))
    different: ColumnElement[Any] = func.count(c.value.distinct())
    keys = (
        select(c.key)
        .where(ours)
        .group_by(c.key)
        # What is different for most runs says something of each, and groups none.
        .having(different <= values_most, func.count() > different)
        .order_by(func.count().desc(), c.key)
        .limit(keys_most)
    )
    wanted = list(tx.execute(keys).scalars())
    counts = select(c.key, c.value, func.count().label("runs"))
    counts = counts.where(these, c.key.in_(wanted)).group_by(c.key, c.value)
    found: dict[str, dict[str, int]] = defaultdict(dict)
    for key in wanted:
        found[key] = {}
    for row in tx.execute(counts):
        found[row.key][row.value] = int(row.runs)
    return dict(found)


def _these(tx: Transaction, ids: Sequence[str]) -> Any:
    # Thousands of ids bound one by one would take longer to say than to count.
    return listed(ids, dialect=tx.connection.dialect.name)
