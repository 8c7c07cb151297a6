"""The SQL of history: versions by their numbers, and those that are gone for good."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import delete, func, select, update

from treadle.data import store as sql
from treadle.data.branches.store import dataset_refs
from treadle.data.entities import DatasetVersion
from treadle.storage.schema import plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from sqlalchemy import ColumnElement

    from treadle.storage.transaction import Transaction

versions = sql.dataset_versions
AT_ONCE = 500


def versions_of(tx: Transaction, name: str, numbers: Sequence[int]) -> tuple[DatasetVersion, ...]:
    """Return versions by their numbers, in the order of these; removed ones too."""
    found: dict[int, DatasetVersion] = {}
    for start in range(0, len(numbers), AT_ONCE):
        part = list(numbers[start : start + AT_ONCE])
        rows = _versions(tx, versions.c.dataset == name, versions.c.number.in_(part))
        found |= {version.number: version for version in rows}
    return tuple(found[number] for number in numbers if number in found)


def every_version(tx: Transaction, name: str) -> tuple[DatasetVersion, ...]:
    """Return all versions of a dataset, removed ones too, oldest first."""
    return _versions(tx, versions.c.dataset == name)


def removed_until(tx: Transaction, until: int) -> tuple[DatasetVersion, ...]:
    """Return the versions of all datasets that were removed at an instant or before."""
    return _versions(tx, versions.c.removed_at <= until)


def set_parents(tx: Transaction, name: str, parents: Mapping[int, tuple[int, ...]]) -> None:
    """Have versions descend from others than they did."""
    for number, found in parents.items():
        mine = (versions.c.dataset == name, versions.c.number == number)
        tx.execute(update(versions).where(*mine).values(parents=list(found)))


def forget(tx: Transaction, name: str, numbers: Collection[int]) -> None:
    """Take versions away for good, with the branches, tags, verdicts and quarantines of them.

    A version that says that it is the same as one of them says so of the oldest left, and what
    was decided on their content as a whole stays decided under that one.
    """
    _pass_quarantines_on(tx, name, numbers)
    for number in numbers:
        mine = (versions.c.dataset == name, versions.c.number == number)
        tx.execute(delete(versions).where(*mine))
        pointing = (dataset_refs.c.dataset == name, dataset_refs.c.number == number)
        tx.execute(delete(dataset_refs).where(*pointing))
        for table in (sql.validations, sql.quarantines):
            about = (table.c.dataset == name, table.c.version_number == number)
            tx.execute(delete(table).where(*about))
    for number in numbers:
        _mend_same_as(tx, name, number)


def _pass_quarantines_on(tx: Transaction, name: str, gone: Collection[int]) -> None:
    for version in versions_of(tx, name, sorted(gone)):
        equal = sql.versions_with(tx, name, version.digest)
        left = next((each.number for each in equal if each.number not in gone), None)
        if left is not None:
            sql.move_quarantines(tx, name, version.number, to=left)


def _mend_same_as(tx: Transaction, name: str, gone: int) -> None:
    referring = (versions.c.dataset == name, versions.c.same_as == gone)
    query = select(versions.c.number, versions.c.digest).where(*referring)
    for number, digest in [(row.number, row.digest) for row in tx.execute(query)]:
        equal = (versions.c.dataset == name, versions.c.digest == digest)
        oldest = tx.execute(select(func.min(versions.c.number)).where(*equal)).scalar_one()
        left = None if oldest == number else oldest
        mine = (versions.c.dataset == name, versions.c.number == number)
        tx.execute(update(versions).where(*mine).values(same_as=left))


def _versions(tx: Transaction, *narrowed: ColumnElement[bool]) -> tuple[DatasetVersion, ...]:
    query = select(versions).where(*narrowed).order_by(versions.c.dataset, versions.c.number)
    rows = tx.execute(query).mappings()
    return tuple(msgspec.convert(plain(row), DatasetVersion) for row in rows)
