"""Judging a stored version: its table is laid beside the scan as a file, never held in memory."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from treadle.data.checks import check_table
from treadle.data.checks.splits import compare_splits

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.data.contracts import ContractBody
    from treadle.data.entities import CheckResult, DatasetVersion
    from treadle.storage.ports import ObjectStore


def check_version(
    objects: ObjectStore,
    version: DatasetVersion,
    body: ContractBody,
    *,
    others: Mapping[str, DatasetVersion],
    now: int,
) -> tuple[CheckResult, ...]:
    """Check a version against a contract; `others` are the versions that it refers to.

    Raises Corrupt when a stored table is damaged: copying it verifies it.
    """
    with tempfile.TemporaryDirectory(prefix="treadle-") as name:
        folder = Path(name)
        table = _laid_out(objects, version, folder)
        beside = {ref: _laid_out(objects, other, folder) for ref, other in others.items()}
        return check_table(table, body, now=now, others=beside)


def compare_versions(
    objects: ObjectStore, train: DatasetVersion, test: DatasetVersion, body: ContractBody
) -> tuple[CheckResult, ...]:
    """Say what a test shares with its train that it must not."""
    with tempfile.TemporaryDirectory(prefix="treadle-") as name:
        folder = Path(name)
        return compare_splits(
            _laid_out(objects, train, folder), _laid_out(objects, test, folder), body
        )


def _laid_out(objects: ObjectStore, version: DatasetVersion, folder: Path) -> Path:
    path = folder / f"{version.table}.parquet"
    if not path.exists():
        with objects.open(version.table) as stream, path.open("wb") as file:
            shutil.copyfileobj(stream, file, 1 << 20)
    return path
