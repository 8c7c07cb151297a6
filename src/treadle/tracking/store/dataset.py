"""SQL of datasets as runs describe them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.digests import canonical_json
from treadle.kernel.ids import new_id
from treadle.tracking.entities import LoggedDataset
from treadle.tracking.store import driver
from treadle.tracking.store.driver import fetch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction

SUMMARIES_MOST = 1000

_ADD = """
    INSERT INTO logged_datasets (
        id, experiment_id, name, digest, source_type, source, schema, profile
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING
"""
_FIND = "SELECT id FROM logged_datasets WHERE experiment_id = ? AND name = ? AND digest = ?"
_USE = """
    INSERT INTO run_datasets (run_id, dataset_id, tags, logged_at) VALUES (?, ?, ?, ?)
    ON CONFLICT DO NOTHING
"""


def use_dataset(tx: Transaction, run_id: str, used: LoggedDataset, *, experiment_id: str) -> bool:
    """Insert a dataset unless its experiment has it, and its use; say whether the use is new."""
    named = (experiment_id, used.name, used.digest)
    described = (used.source_type, used.source, used.schema, used.profile)
    driver.run(tx, _ADD, (new_id(), *named, *described))
    dataset_id = driver.run(tx, _FIND, named).scalar_one()
    tags = canonical_json(used.tags).decode()
    return driver.run(tx, _USE, (run_id, dataset_id, tags, tx.at)).rowcount > 0


def datasets_in(
    tx: Transaction, experiment_ids: Sequence[str]
) -> tuple[tuple[str, LoggedDataset], ...]:
    """Return the datasets that runs of some experiments use, each once per way it is used."""
    query = """
        SELECT DISTINCT d.experiment_id, d.id, d.name, d.digest, d.source_type, u.tags
        FROM logged_datasets d JOIN run_datasets u ON u.dataset_id = d.id
        WHERE d.experiment_id IN (??) ORDER BY d.experiment_id, d.id LIMIT ?
    """
    rows = fetch(tx, query, list(experiment_ids), SUMMARIES_MOST)
    return tuple(
        (
            experiment_id,
            LoggedDataset(
                id=dataset_id,
                name=name,
                digest=digest,
                source_type=source_type,
                tags=msgspec.json.decode(tags),
            ),
        )
        for experiment_id, dataset_id, name, digest, source_type, tags in rows
    )
