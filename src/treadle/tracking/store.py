"""SQL of experiments, runs and what runs log."""

from __future__ import annotations

import math
import operator
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    Index,
    Table,
    Text,
    and_,
    asc,
    desc,
    func,
    not_,
    select,
    tuple_,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from treadle.storage.schema import Instant, metadata
from treadle.tracking.entities import (
    Artifact,
    Experiment,
    MetricPoint,
    MetricSummary,
    Run,
    RunInput,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from sqlalchemy import ColumnElement, Select

    from treadle.kernel.filters import Condition
    from treadle.storage.transaction import Transaction
    from treadle.tracking.ordering import Order

experiments = Table(
    "experiments",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False, unique=True),
    Column("lifecycle_stage", Text, nullable=False, server_default="active"),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
)

runs = Table(
    "runs",
    metadata,
    Column("id", Text, primary_key=True),
    Column("experiment_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("lifecycle_stage", Text, nullable=False, server_default="active"),
    Column("parent_id", Text, index=True),
    Column("actor", Text, nullable=False),
    Column("started_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Column("error", Text, nullable=False, server_default=""),
    Index("ix_runs_experiment_started", "experiment_id", "started_at", "id"),
    Index("ix_runs_started", "started_at", "id"),
)

run_params = Table(
    "run_params",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

run_tags = Table(
    "run_tags",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Text, nullable=False),
    sqlite_with_rowid=False,
)

# The latest point of each metric of a run. SQLite has no NaN: `is_nan` says it, beside a zero.
run_metrics = Table(
    "run_metrics",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("value", Double, nullable=False),
    Column("is_nan", Boolean, nullable=False),
    Column("step", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Index("ix_run_metrics_key_value", "key", "value"),
    sqlite_with_rowid=False,
)

# Every point; all of it is the key, so that a batch that is sent again stores nothing twice.
metric_points = Table(
    "metric_points",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("step", BigInteger, primary_key=True, autoincrement=False),
    Column("at", Instant, primary_key=True, autoincrement=False),
    Column("value", Double, primary_key=True),
    Column("is_nan", Boolean, primary_key=True),
    sqlite_with_rowid=False,
)

run_inputs = Table(
    "run_inputs",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("ref", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("context", Text, primary_key=True),
    Column("logged_at", Instant, nullable=False),
    Index("ix_run_inputs_digest", "digest"),
    Index("ix_run_inputs_ref", "ref"),
)

run_artifacts = Table(
    "run_artifacts",
    metadata,
    Column("run_id", Text, primary_key=True),
    Column("path", Text, primary_key=True),
    Column("digest", Text, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    Column("logged_at", Instant, nullable=False),
)

_COMPARE: dict[str, Callable[[Any, Any], ColumnElement[bool]]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}

_POINTS_SQLITE = "INSERT OR IGNORE INTO metric_points VALUES (?, ?, ?, ?, ?, ?)"
# One statement with six arrays: several times faster than as many rows.
_POINTS_POSTGRES = """
    INSERT INTO metric_points
    SELECT * FROM unnest(
        %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::float8[], %s::boolean[]
    )
    ON CONFLICT DO NOTHING
"""


def add_experiment(tx: Transaction, experiment: Experiment) -> bool:
    """Insert an experiment unless its name is taken; say whether it was inserted."""
    row = {**msgspec.structs.asdict(experiment), "updated_at": experiment.created_at}
    return _added(tx, experiments, row)


def find_experiment(tx: Transaction, name: str) -> Experiment | None:
    """Return the experiment of a name."""
    row = tx.execute(_experiments().where(experiments.c.name == name)).mappings().first()
    return None if row is None else Experiment(**row)


def list_experiments(tx: Transaction) -> tuple[Experiment, ...]:
    """Return every active experiment, newest first."""
    query = _experiments().where(experiments.c.lifecycle_stage == "active")
    rows = tx.execute(query.order_by(experiments.c.created_at.desc(), experiments.c.id.desc()))
    return tuple(Experiment(**row) for row in rows.mappings())


def add_run(tx: Transaction, run: Run, *, experiment_id: str) -> None:
    """Insert a run without what it logs."""
    fields = ("id", "name", "status", "parent_id", "actor", "started_at", "ended_at", "error")
    row = {name: getattr(run, name) for name in fields}
    tx.execute(_insert(tx, runs), {**row, "experiment_id": experiment_id})


def run_status(tx: Transaction, run_id: str, *, lock: bool = False) -> str | None:
    """Return the status of a run, or None when it is not there; `lock` lets others wait for us."""
    query = select(runs.c.status).where(runs.c.id == run_id)
    found: str | None = tx.execute(query.with_for_update() if lock else query).scalar()
    return found


def end_run(tx: Transaction, run_id: str, *, status: str, error: str) -> None:
    """Write how a run ended."""
    ended = {"status": status, "error": error, "ended_at": tx.at}
    tx.execute(update(runs).where(runs.c.id == run_id), ended)


def ids_from(tx: Transaction, prefix: str, *, limit: int) -> list[str]:
    """Return the ids of runs that begin with a prefix of hex digits."""
    span = and_(runs.c.id >= prefix, runs.c.id < prefix + "g")
    return list(
        tx.execute(select(runs.c.id).where(span).order_by(runs.c.id).limit(limit)).scalars()
    )


def params_among(tx: Transaction, run_id: str, *, keys: Iterable[str]) -> dict[str, str]:
    """Return those params of a run that are already there."""
    query = select(run_params.c.key, run_params.c.value).where(
        run_params.c.run_id == run_id, run_params.c.key.in_(list(keys))
    )
    return {row.key: row.value for row in tx.execute(query)}


def add_params(tx: Transaction, run_id: str, params: Mapping[str, str]) -> None:
    """Insert params whose keys are new to the run."""
    rows = [{"run_id": run_id, "key": key, "value": value} for key, value in params.items()]
    if rows:
        tx.execute(_insert(tx, run_params), rows)


def put_tags(tx: Transaction, run_id: str, tags: Mapping[str, str]) -> None:
    """Insert tags or move those that are there."""
    rows = [{"run_id": run_id, "key": key, "value": value} for key, value in tags.items()]
    if rows:
        statement = _insert(tx, run_tags)
        moved = {"value": statement.excluded.value}
        tx.execute(
            statement.on_conflict_do_update(index_elements=["run_id", "key"], set_=moved), rows
        )


def add_points(tx: Transaction, run_id: str, points: Iterable[MetricPoint]) -> None:
    """Insert metric points that are not there yet, and move the latest of their metrics."""
    rows = [
        (run_id, p.key, p.step, p.at, 0.0, True)
        if math.isnan(p.value)
        else (run_id, p.key, p.step, p.at, p.value, False)
        for p in points
    ]
    if not rows:
        return
    # The driver's own bulk path: SQLAlchemy would bind every value of every row in Python.
    if _is_postgres(tx):
        tx.connection.exec_driver_sql(_POINTS_POSTGRES, tuple(map(list, zip(*rows, strict=True))))
    else:
        tx.connection.exec_driver_sql(_POINTS_SQLITE, rows)
    _move_latest(tx, rows)


def add_input(tx: Transaction, run_id: str, found: RunInput) -> bool:
    """Insert an input of a run unless it is there; say whether it was inserted."""
    row = {**msgspec.structs.asdict(found), "run_id": run_id, "logged_at": tx.at}
    return _added(tx, run_inputs, row)


def put_artifacts(tx: Transaction, run_id: str, artifacts: Iterable[Artifact]) -> None:
    """Insert artifacts of a run or overwrite those of the same paths."""
    rows = [{**msgspec.structs.asdict(a), "run_id": run_id, "logged_at": tx.at} for a in artifacts]
    if rows:
        statement = _insert(tx, run_artifacts)
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


def list_points(tx: Transaction, run_id: str, *, key: str) -> tuple[MetricPoint, ...]:
    """Return the points of a metric by step, instant and value."""
    c = metric_points.c
    query = select(c.value, c.is_nan, c.step, c.at).where(c.run_id == run_id, c.key == key)
    rows = tx.execute(query.order_by(c.step, c.at, not_(c.is_nan), c.value))
    return tuple(
        MetricPoint(key=key, value=_number(r.value, is_nan=r.is_nan), step=r.step, at=r.at)
        for r in rows
    )


def summarise_metrics(tx: Transaction, run_id: str) -> tuple[MetricSummary, ...]:
    """Return every metric of a run with where it ended, its extremes and its number of points."""
    c, last = metric_points.c, run_metrics.c
    numbers = not_(c.is_nan)
    query = (
        select(
            c.key,
            last.value,
            last.is_nan,
            func.min(c.value).filter(numbers).label("lowest"),
            func.max(c.value).filter(numbers).label("highest"),
            func.count().label("points"),
        )
        .join(run_metrics, and_(last.run_id == c.run_id, last.key == c.key))
        .where(c.run_id == run_id)
        .group_by(c.key, last.value, last.is_nan)
        .order_by(c.key)
    )
    return tuple(
        MetricSummary(
            key=row.key,
            last=_number(row.value, is_nan=row.is_nan),
            lowest=row.lowest,
            highest=row.highest,
            points=row.points,
        )
        for row in tx.execute(query)
    )


def latest_metrics(tx: Transaction, run_id: str) -> dict[str, float]:
    """Return the latest value of each metric of a run."""
    return _metrics_of(tx, [run_id])[run_id]


def latest_metrics_of(tx: Transaction, run_ids: list[str]) -> dict[str, dict[str, float]]:
    """Return the latest value of each metric of several runs."""
    return dict(_metrics_of(tx, run_ids)) if run_ids else {}


def count_by_status(tx: Transaction, statuses: Iterable[str]) -> dict[str, int]:
    """Return how many active runs there are of each status."""
    # One look at every row; grouping would sort them all to learn the same.
    counts = (func.count().filter(runs.c.status == status).label(status) for status in statuses)
    query = select(*counts).where(runs.c.lifecycle_stage == "active")
    return dict(tx.execute(query).mappings().one())


def runs_using(tx: Transaction, ref: str, *, limit: int) -> tuple[Run, ...]:
    """Return the newest runs that have an input of a ref, newest first."""
    using = select(run_inputs.c.run_id).where(run_inputs.c.ref == ref)
    query = _runs().where(runs.c.id.in_(using)).order_by(runs.c.started_at.desc(), runs.c.id.desc())
    return _whole(tx, tx.execute(query.limit(limit)).mappings().all())


def find_run(tx: Transaction, run_id: str) -> Run | None:
    """Return a run with all it logged, or None when it is not there."""
    found = _whole(tx, tx.execute(_runs().where(runs.c.id == run_id)).mappings().all())
    return found[0] if found else None


def search_runs(
    tx: Transaction,
    *,
    experiment: str | None,
    status: str | None,
    parent_id: str | None,
    conditions: Sequence[Condition],
    order: Order,
    limit: int,
    offset: int,
) -> tuple[tuple[Run, ...], int]:
    """Return some of the active runs that match, in order, and how many match in all."""
    wanted = [runs.c.lifecycle_stage == "active"]
    if experiment is not None:
        wanted.append(experiments.c.name == experiment)
    if status is not None:
        wanted.append(runs.c.status == status)
    if parent_id is not None:
        wanted.append(runs.c.parent_id == parent_id)
    wanted += [_holds(condition) for condition in conditions]
    names_experiment = experiment is not None or any(c.field == "experiment" for c in conditions)
    matching = select(func.count()).select_from(_joined() if names_experiment else runs)
    total = int(tx.execute(matching.where(*wanted)).scalar_one())
    matching_runs = _runs().where(*wanted)
    if order.field == "metric":
        # Runs with the metric come first, and an index has them in order: when they fill the page,
        # the others need not be looked at.
        measured = _measured(matching_runs, order).limit(limit).offset(offset)
        rows = tx.execute(measured).mappings().all()
        if len(rows) == limit:
            return _whole(tx, rows), total
    page = _ordered(matching_runs, order).limit(limit).offset(offset)
    return _whole(tx, tx.execute(page).mappings().all()), total


def _holds(condition: Condition) -> ColumnElement[bool]:
    keyed = {"metric": run_metrics, "param": run_params, "tag": run_tags}
    compare = _COMPARE[condition.operator]
    table = keyed.get(condition.field)
    if table is None:
        names = experiments.c.name if condition.field == "experiment" else runs.c[condition.field]
        return compare(names, condition.value)
    # Not correlated: the index on key and value finds the runs, however many there are.
    found = [table.c.key == condition.key, compare(table.c.value, condition.value)]
    if table is run_metrics:
        found.append(not_(run_metrics.c.is_nan))
    return runs.c.id.in_(select(table.c.run_id).where(*found))


def _experiments() -> Select[Any]:
    return select(experiments.c.id, experiments.c.name, experiments.c.created_at)


def _joined() -> Any:
    return runs.join(experiments, experiments.c.id == runs.c.experiment_id)


def _runs() -> Select[Any]:
    c = runs.c
    columns = (c.id, c.name, c.status, c.parent_id, c.actor, c.started_at, c.ended_at, c.error)
    return select(*columns, experiments.c.name.label("experiment")).select_from(_joined())


def _measured(query: Select[Any], order: Order) -> Select[Any]:
    c, turn = run_metrics.c, desc if order.descending else asc
    query = query.join(run_metrics, and_(c.run_id == runs.c.id, c.key == order.key))
    return query.where(not_(c.is_nan)).order_by(turn(c.value), turn(c.run_id))


def _ordered(query: Select[Any], order: Order) -> Select[Any]:
    table, value = _order_value(order)
    if order.key:
        same_run = and_(table.c.run_id == runs.c.id, table.c.key == order.key)
        query = query.outerjoin(table, same_run)
    # Both dialects: missing values last in either direction, and ids to make the order total.
    # What is never missing is ordered by its column alone: an index has that order already.
    keys: list[Any] = [value.is_(None)] if order.key or order.field == "ended_at" else []
    keys += [table.c.is_nan] if order.field == "metric" else []
    turn = desc if order.descending else asc
    return query.order_by(*keys, turn(value), turn(runs.c.id))


def _order_value(order: Order) -> tuple[Table, ColumnElement[Any]]:
    if order.field == "experiment":
        return experiments, experiments.c.name
    keyed = {"metric": run_metrics, "param": run_params, "tag": run_tags}
    if order.field in keyed:
        return keyed[order.field], keyed[order.field].c.value
    return runs, runs.c[order.field]


def _whole(tx: Transaction, rows: Sequence[Mapping[Any, Any]]) -> tuple[Run, ...]:
    ids = [row["id"] for row in rows]
    if not ids:
        return ()
    params, tags = _texts_of(tx, run_params, ids), _texts_of(tx, run_tags, ids)
    metrics, inputs = _metrics_of(tx, ids), _inputs_of(tx, ids)
    return tuple(
        Run(
            **row,
            params=params[row["id"]],
            metrics=metrics[row["id"]],
            tags=tags[row["id"]],
            inputs=tuple(inputs[row["id"]]),
        )
        for row in rows
    )


def _texts_of(tx: Transaction, table: Table, ids: list[str]) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    query = select(table.c.run_id, table.c.key, table.c.value).where(table.c.run_id.in_(ids))
    for row in tx.execute(query.order_by(table.c.key)):
        found[row.run_id][row.key] = row.value
    return found


def _metrics_of(tx: Transaction, ids: list[str]) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = defaultdict(dict)
    c = run_metrics.c
    query = select(c.run_id, c.key, c.value, c.is_nan).where(c.run_id.in_(ids)).order_by(c.key)
    for row in tx.execute(query):
        found[row.run_id][row.key] = _number(row.value, is_nan=row.is_nan)
    return found


def _inputs_of(tx: Transaction, ids: list[str]) -> dict[str, list[RunInput]]:
    found: dict[str, list[RunInput]] = defaultdict(list)
    c = run_inputs.c
    query = select(c.run_id, c.kind, c.ref, c.digest, c.context).where(c.run_id.in_(ids))
    for row in tx.execute(query.order_by(c.logged_at, c.kind, c.ref)):
        found[row.run_id].append(
            RunInput(kind=row.kind, ref=row.ref, digest=row.digest, context=row.context)
        )
    return found


def _move_latest(tx: Transaction, rows: list[tuple[str, str, int, int, float, bool]]) -> None:
    latest: dict[str, tuple[str, str, int, int, float, bool]] = {}
    for row in rows:
        known = latest.get(row[1])
        if known is None or _rank(row) > _rank(known):
            latest[row[1]] = row
    statement = _insert(tx, run_metrics)
    new = statement.excluded
    names = ("step", "at", "value", "is_nan")
    later = tuple_(*_places(new)) > tuple_(*_places(run_metrics.c))
    statement = statement.on_conflict_do_update(
        index_elements=["run_id", "key"], set_={name: new[name] for name in names}, where=later
    )
    columns = ("run_id", "key", *names)
    # In the order of their keys: two batches for one run never wait for each other in a circle.
    tx.execute(statement, [dict(zip(columns, latest[k], strict=True)) for k in sorted(latest)])


def _rank(row: tuple[str, str, int, int, float, bool]) -> tuple[int, int, bool, float]:
    return row[2], row[3], not row[5], row[4]


def _places(columns: Any) -> tuple[Any, ...]:
    # What `_rank` says in Python.
    return columns.step, columns.at, not_(columns.is_nan), columns.value


def _number(value: float, *, is_nan: bool) -> float:
    return math.nan if is_nan else value


def _added(tx: Transaction, table: Table, row: dict[str, Any]) -> bool:
    statement = _insert(tx, table).values(row).on_conflict_do_nothing()
    return tx.execute(statement.returning(*table.primary_key)).first() is not None


def _insert(tx: Transaction, table: Table) -> Any:
    # Both dialects spell ON CONFLICT alike; SQLAlchemy has it on each one's own insert.
    return postgresql.insert(table) if _is_postgres(tx) else sqlite.insert(table)


def _is_postgres(tx: Transaction) -> bool:
    return tx.connection.dialect.name == "postgresql"
