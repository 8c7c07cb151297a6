"""From rows to entities, for a whole page at once: a handful of queries however many there are.

Ids of what is not there are left out.
"""

from __future__ import annotations

import math
from collections import defaultdict
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.tracking.entities import (
    Experiment,
    LoggedDataset,
    LoggedModel,
    MetricPoint,
    ModelMetric,
    Run,
    RunInput,
    RunModel,
)
from treadle.tracking.store.driver import fetch, first, is_postgres

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction

_EXPERIMENT_FIELDS = (
    "id", "name", "created_at", "updated_at", "lifecycle_stage", "artifact_location",
)  # fmt: skip
_EXPERIMENT = f"SELECT {', '.join(_EXPERIMENT_FIELDS)} FROM experiments WHERE "  # noqa: S608 - names of ours
_EXPERIMENTS = _EXPERIMENT + "id IN (??)"
_RUN_COLUMNS = """
    r.id, e.name, r.name, r.status, r.parent_id, r.actor, r.started_at, r.ended_at, r.error,
    r.experiment_id, r.user_id, r.lifecycle_stage, r.deleted_at, e.artifact_location
"""
_JOINS = """
    EXISTS (SELECT 1 FROM run_inputs i WHERE i.run_id = r.id)
    OR EXISTS (SELECT 1 FROM run_datasets d WHERE d.run_id = r.id)
    OR EXISTS (SELECT 1 FROM run_models m WHERE m.run_id = r.id)
"""
_FROM_RUNS = "FROM runs r JOIN experiments e ON e.id = r.experiment_id WHERE r.id IN (??)"
_RUN = f"SELECT {_RUN_COLUMNS} {_FROM_RUNS}"
_RUNS = f"SELECT {_RUN_COLUMNS}, {_JOINS} {_FROM_RUNS}"
_RUN_FIELDS = (
    "id", "experiment", "name", "status", "parent_id", "actor", "started_at", "ended_at", "error",
    "experiment_id", "user_id", "lifecycle_stage", "deleted_at", "artifact_location",
)  # fmt: skip
_MODELS = """
    SELECT id, experiment_id, name, model_type, source_run_id, status, status_message,
        lifecycle_stage, artifact_location, created_at, updated_at
    FROM logged_models WHERE id IN (??)
"""
_MODEL_FIELDS = (
    "id", "experiment_id", "name", "model_type", "source_run_id", "status", "status_message",
    "lifecycle_stage", "artifact_location", "created_at", "updated_at",
)  # fmt: skip
_DATASET_FIELDS = ("id", "name", "digest", "source_type", "source", "schema", "profile")
_METRIC_FIELDS = ("step", "at", "run_id", "dataset_name", "dataset_digest")
# Keys and values as one JSON object of each owner: a hundred rows instead of thousands.
# SQLite reads them by the primary key, which is the order of the keys; it cannot be told to sort.
_TEXTS_SQLITE = """
    SELECT {owner}, json_group_object(key, value)
    FROM {table} WHERE {owner} IN (??) GROUP BY {owner}
"""
_TEXTS_POSTGRES = """
    SELECT {owner}, json_object_agg(key, value ORDER BY key)::text
    FROM {table} WHERE {owner} IN (??) GROUP BY {owner}
"""
_read_texts = msgspec.json.Decoder(dict[str, str]).decode


def number(value: float, *, is_nan: bool) -> float:
    """Return a stored value as the number it stands for."""
    return math.nan if is_nan else value


def experiments_of(tx: Transaction, ids: Sequence[str]) -> tuple[Experiment, ...]:
    """Return experiments with their tags, in the order of their ids."""
    if not ids:
        return ()
    found = {row[0]: row for row in fetch(tx, _EXPERIMENTS, list(ids))}
    tags = _texts_of(tx, "experiment_tags", ids, owner="experiment_id")
    return tuple(
        Experiment(**dict(zip(_EXPERIMENT_FIELDS, found[i], strict=True)), tags=tags[i])
        for i in ids
        if i in found
    )


def untagged_experiment(tx: Transaction, *, of_id: str = "", name: str = "") -> Experiment | None:
    """Return the experiment of an id or else of a name, without its tags, in one query."""
    query, value = ("id = ?", of_id) if of_id else ("name = ?", name)
    row = first(tx, _EXPERIMENT + query, value)
    return None if row is None else Experiment(**dict(zip(_EXPERIMENT_FIELDS, row, strict=True)))


def locked_run(tx: Transaction, run_id: str) -> Run | None:
    """Return a run without what it logged, and let others who change it wait for us."""
    row = first(tx, _RUN + (" FOR UPDATE OF r" if is_postgres(tx) else ""), [run_id])
    return None if row is None else Run(**dict(zip(_RUN_FIELDS, row, strict=True)))


def runs_of(tx: Transaction, ids: Sequence[str]) -> tuple[Run, ...]:
    """Return runs with all they logged, in the order of their ids."""
    if not ids:
        return ()
    found = {row[0]: row for row in fetch(tx, _RUNS, list(ids))}
    params, tags = (
        _texts_of(tx, f"run_{kind}", ids, owner="run_id") for kind in ("params", "tags")
    )
    latest = latest_points(tx, ids)
    # Most runs read and made nothing that is told apart; then three questions need not be asked.
    joined = [run_id for run_id, row in found.items() if row[-1]]
    inputs, datasets = _inputs_of(tx, joined), _datasets_of(tx, joined)
    models = _models_of(tx, joined)
    return tuple(
        Run(
            **dict(zip(_RUN_FIELDS, found[i][:-1], strict=True)),
            params=params[i],
            tags=tags[i],
            metrics={point.key: point.value for point in latest[i]},
            latest=tuple(latest[i]),
            inputs=tuple(inputs[i]),
            datasets=tuple(datasets[i]),
            model_inputs=tuple(m for m in models[i] if m.direction == "input"),
            model_outputs=tuple(m for m in models[i] if m.direction == "output"),
        )
        for i in ids
        if i in found
    )


def logged_models_of(tx: Transaction, ids: Sequence[str]) -> tuple[LoggedModel, ...]:
    """Return logged models with params, tags and metrics, in the order of their ids."""
    if not ids:
        return ()
    found = {row[0]: row for row in fetch(tx, _MODELS, list(ids))}
    params = _texts_of(tx, "logged_model_params", ids, owner="model_id")
    tags = _texts_of(tx, "logged_model_tags", ids, owner="model_id")
    metrics = _model_metrics_of(tx, ids)
    return tuple(
        LoggedModel(
            **dict(zip(_MODEL_FIELDS, found[i], strict=True)),
            params=params[i],
            tags=tags[i],
            metrics=tuple(metrics[i]),
        )
        for i in ids
        if i in found
    )


def latest_points(tx: Transaction, ids: Sequence[str]) -> dict[str, list[MetricPoint]]:
    """Return the latest point of each metric of several runs, by key."""
    query = """
        SELECT run_id, key, value, is_nan, step, at FROM run_metrics
        WHERE run_id IN (??) ORDER BY run_id, key
    """
    found: dict[str, list[MetricPoint]] = defaultdict(list)
    for run_id, key, value, is_nan, step, at in fetch(tx, query, list(ids)):
        found[run_id].append(
            MetricPoint(key=key, value=math.nan if is_nan else value, step=step, at=at)
        )
    return found


def _texts_of(
    tx: Transaction, table: str, ids: Sequence[str], *, owner: str
) -> dict[str, dict[str, str]]:
    query = _TEXTS_POSTGRES if is_postgres(tx) else _TEXTS_SQLITE
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for owner_id, texts in fetch(tx, query.format(table=table, owner=owner), list(ids)):
        found[owner_id] = _read_texts(texts)
    return found


def _asked(tx: Transaction, query: str, ids: Sequence[str]) -> Sequence[Any]:
    return fetch(tx, query, list(ids)) if ids else ()


def inputs_of(tx: Transaction, run_id: str) -> list[RunInput]:
    """Return what a run was made from, in the order it was told."""
    return _inputs_of(tx, [run_id])[run_id]


def _inputs_of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[RunInput]]:
    query = """
        SELECT run_id, kind, ref, digest, context FROM run_inputs
        WHERE run_id IN (??) ORDER BY logged_at, kind, ref
    """
    found: dict[str, list[RunInput]] = defaultdict(list)
    for run_id, kind, ref, digest, context in _asked(tx, query, ids):
        found[run_id].append(RunInput(kind=kind, ref=ref, digest=digest, context=context))
    return found


def _datasets_of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[LoggedDataset]]:
    query = """
        SELECT u.run_id, u.tags, d.id, d.name, d.digest, d.source_type, d.source, d.schema,
            d.profile
        FROM run_datasets u JOIN logged_datasets d ON d.id = u.dataset_id
        WHERE u.run_id IN (??) ORDER BY u.logged_at, d.id
    """
    found: dict[str, list[LoggedDataset]] = defaultdict(list)
    for run_id, tags, *described in _asked(tx, query, ids):
        fields = dict(zip(_DATASET_FIELDS, described, strict=True))
        found[run_id].append(LoggedDataset(**fields, tags=msgspec.json.decode(tags)))
    return found


def _models_of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[RunModel]]:
    query = """
        SELECT run_id, model_id, direction, step FROM run_models
        WHERE run_id IN (??) ORDER BY logged_at, model_id
    """
    found: dict[str, list[RunModel]] = defaultdict(list)
    for run_id, model_id, direction, step in _asked(tx, query, ids):
        found[run_id].append(RunModel(model_id=model_id, direction=direction, step=step))
    return found


def _model_metrics_of(tx: Transaction, ids: Sequence[str]) -> dict[str, list[ModelMetric]]:
    query = """
        SELECT model_id, key, value, is_nan, step, at, run_id, dataset_name, dataset_digest
        FROM logged_model_metrics WHERE model_id IN (??) ORDER BY key, at, step, run_id
    """
    found: dict[str, list[ModelMetric]] = defaultdict(list)
    for model_id, key, value, is_nan, *fields in fetch(tx, query, list(ids)):
        named = dict(zip(_METRIC_FIELDS, fields, strict=True))
        found[model_id].append(ModelMetric(key=key, value=number(value, is_nan=is_nan), **named))
    return found
