"""How a version comes to be: the rule for tables and files alike."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from treadle.data import store as sql
from treadle.data.facts import DatasetCommitted
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from treadle.data.entities import DatasetVersion
    from treadle.storage.transaction import Transaction

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")


def require_name(name: str) -> None:
    """Raise InvalidInput unless a text can name a dataset."""
    if not _NAME.fullmatch(name):
        raise InvalidInput(
            f"{name!r} cannot name a dataset.",
            hint="Use letters, digits, '_', '-' and '.', and begin with a letter or digit.",
        )


def add_version(tx: Transaction, draft: DatasetVersion) -> DatasetVersion:
    """Make a version visible under the next number, or return the one with the same content."""
    sql.lock_dataset(tx, draft.dataset)
    known = sql.version_by_digest(tx, draft.dataset, draft.digest)
    if known is not None:
        return known
    number = sql.latest_number(tx, draft.dataset) + 1
    version = msgspec.structs.replace(draft, number=number, created_at=tx.at)
    sql.insert_version(tx, version)
    fields = msgspec.structs.asdict(version)
    tx.emit(
        DatasetCommitted(**{k: v for k, v in fields.items() if k not in {"actor", "created_at"}})
    )
    return version
