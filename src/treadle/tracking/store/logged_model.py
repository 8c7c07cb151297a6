"""SQL of logged models, and of the runs that read or made them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import insert, update

from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch
from treadle.tracking.store.rows import logged_models_of
from treadle.tracking.store.tables import logged_models

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracking.entities import LoggedModel, ModelMetric, RunModel

_ADD_PARAM = "INSERT INTO logged_model_params (model_id, key, value) VALUES (?, ?, ?)"
_PUT_TAG = """
    INSERT INTO logged_model_tags (model_id, key, value) VALUES (?, ?, ?)
    ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value
"""
_ADD_METRIC = """
    INSERT INTO logged_model_metrics (
        model_id, key, at, step, run_id, value, is_nan, dataset_name, dataset_digest
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_ADD_USE = """
    INSERT INTO run_models (run_id, direction, model_id, step, logged_at) VALUES (?, ?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""


def add_logged_model(tx: Transaction, made: LoggedModel) -> None:
    """Insert a logged model with its params and tags."""
    fields = msgspec.structs.asdict(made)
    row = {c.name: fields[c.name] for c in logged_models.columns}
    tx.execute(insert(logged_models), row)
    add_model_params(tx, made.id, made.params)
    put_model_tags(tx, made.id, made.tags)


def find_logged_model(tx: Transaction, model_id: str) -> LoggedModel | None:
    """Return a logged model, deleted or not, or None when it is not there."""
    found = logged_models_of(tx, [model_id])
    return found[0] if found else None


def change_logged_model(tx: Transaction, model_id: str, changed: Mapping[str, object]) -> None:
    """Write some columns of a logged model."""
    row = {**changed, "updated_at": tx.at}
    tx.execute(update(logged_models).where(logged_models.c.id == model_id), row)


def model_params_among(tx: Transaction, model_id: str, keys: Collection[str]) -> dict[str, str]:
    """Return those params of a logged model that are already there."""
    query = "SELECT key, value FROM logged_model_params WHERE model_id = ? AND key IN (??)"
    return dict(fetch(tx, query, model_id, list(keys)))


def add_model_params(tx: Transaction, model_id: str, params: Mapping[str, str]) -> None:
    """Insert params whose keys are new to the logged model."""
    if params:
        driver.run(tx, _ADD_PARAM, [(model_id, key, params[key]) for key in sorted(params)])


def put_model_tags(tx: Transaction, model_id: str, tags: Mapping[str, str]) -> None:
    """Insert tags of a logged model or move those that are there."""
    if tags:
        driver.run(tx, _PUT_TAG, [(model_id, key, tags[key]) for key in sorted(tags)])


def drop_model_tag(tx: Transaction, model_id: str, key: str) -> bool:
    """Delete a tag of a logged model; say whether it was there."""
    gone = "DELETE FROM logged_model_tags WHERE model_id = ? AND key = ?"
    return driver.run(tx, gone, (model_id, key)).rowcount > 0


def add_model_metrics(tx: Transaction, metrics: Iterable[tuple[str, ModelMetric]]) -> None:
    """Insert metrics of logged models; what is there at the same step and instant stays."""
    rows = sorted(
        (model_id, m.key, m.at, m.step, m.run_id, *_stored(m.value), m.dataset_name,
         m.dataset_digest)
        for model_id, m in metrics
    )  # fmt: skip
    if rows:
        driver.run(tx, _ADD_METRIC, rows)


def add_uses(tx: Transaction, run_id: str, models: Iterable[RunModel]) -> int:
    """Insert which logged models a run read or made; say how many were not there yet."""
    rows = [(run_id, m.direction, m.model_id, m.step, tx.at) for m in models]
    return driver.run(tx, _ADD_USE, rows).rowcount if rows else 0


def _stored(value: float) -> tuple[float, bool]:
    return (0.0, True) if math.isnan(value) else (value, False)
