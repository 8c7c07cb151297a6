"""The SQL of remotes: their names, and what was found out about the places."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import Boolean, Column, Table, Text, delete, false, insert, select, update

from treadle.data import store as data_sql
from treadle.data.branches import store as pointers_sql
from treadle.data.contracts import Contract
from treadle.data.facts import DatasetCommitted, DatasetPulled
from treadle.data.remotes.entities import Remote
from treadle.data.remotes.pointers import Graph
from treadle.data.store import contracts, dataset_versions
from treadle.storage.events import events
from treadle.storage.schema import Instant, metadata

if TYPE_CHECKING:
    from collections.abc import Collection

    from sqlalchemy import Row

    from treadle.data.remotes.entities import State
    from treadle.storage.transaction import Transaction

S = TypeVar("S", bound=msgspec.Struct)

remotes = Table(
    "remotes",
    metadata,
    Column("name", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("is_plain", Boolean, nullable=False, server_default=false()),
)

probes = Table(
    "remote_probes",
    metadata,
    Column("url", Text, primary_key=True),
    Column("is_honest", Boolean, nullable=False),
    Column("at", Instant, nullable=False),
)


def all_remotes(tx: Transaction) -> tuple[Remote, ...]:
    """Return every remote by name."""
    query = select(remotes).order_by(remotes.c.name)
    return tuple(_as(Remote, row) for row in tx.execute(query))


def insert_remote(tx: Transaction, remote: Remote) -> None:
    """Store a remote."""
    tx.execute(insert(remotes), msgspec.to_builtins(remote))


def let_be_plain(tx: Transaction, name: str) -> None:
    """Let a remote hold plain what is encrypted here."""
    tx.execute(update(remotes).where(remotes.c.name == name).values(is_plain=True))


def delete_remote(tx: Transaction, name: str) -> None:
    """Forget a remote."""
    tx.execute(delete(remotes).where(remotes.c.name == name))


def honesty(tx: Transaction, url: str) -> bool | None:
    """Return what a probe of a place has shown, None when there was none."""
    return tx.execute(select(probes.c.is_honest).where(probes.c.url == url)).scalar_one_or_none()


def save_honesty(tx: Transaction, url: str, *, is_honest: bool) -> None:
    """Remember what a probe has shown."""
    tx.execute(delete(probes).where(probes.c.url == url))
    tx.execute(insert(probes), {"url": url, "is_honest": is_honest, "at": tx.at})


def identities_of(tx: Transaction, dataset: str) -> dict[int, str]:
    """Return the identity of every version of a dataset by its number."""
    query = select(dataset_versions.c.number, dataset_versions.c.identity)
    rows = tx.execute(query.where(dataset_versions.c.dataset == dataset))
    return {row.number: row.identity for row in rows}


def firsts_meant(tx: Transaction, state: State) -> dict[int, str]:
    """Return first versions here that a remote has with a history, and their identities there.

    The same bytes were committed there on others, and here on nothing: they are one version.
    """
    query = select(dataset_versions.c.number, dataset_versions.c.identity).where(
        dataset_versions.c.dataset == state.dataset,
        dataset_versions.c.identity == dataset_versions.c.digest,
    )
    links = data_sql.links(tx, state.dataset)
    firsts = {row.identity: row.number for row in tx.execute(query) if not links[row.number]}
    there = {held.name for held in state.versions}
    here = set(identities_of(tx, state.dataset).values())
    found: dict[int, str] = {}
    for held in state.versions:
        number = firsts.get(held.digest)
        if number and held.digest not in there and held.name not in here:
            found.setdefault(number, held.name)
    return found


def set_identities(tx: Transaction, dataset: str, found: dict[int, str]) -> None:
    """Have versions be those that a remote has under an identity."""
    for number, identity in found.items():
        mine = (dataset_versions.c.dataset == dataset, dataset_versions.c.number == number)
        tx.execute(update(dataset_versions).where(*mine).values(identity=identity))


def graph_of(tx: Transaction, dataset: str) -> Graph:
    """Return how the versions of a dataset descend from each other, and what names them."""
    removed = select(dataset_versions.c.number).where(
        dataset_versions.c.dataset == dataset, dataset_versions.c.removed_at.is_not(None)
    )
    return Graph(
        dataset=dataset,
        names=identities_of(tx, dataset),
        links=data_sql.links(tx, dataset),
        pointers=pointers_sql.pointers(tx, dataset),
        removed=frozenset(tx.execute(removed).scalars()),
    )


def was_here(tx: Transaction, dataset: str, digest: str) -> bool:
    """Say whether a version was ever committed or pulled here; the log alone remembers some."""
    kinds = (DatasetCommitted.kind, DatasetPulled.kind)
    mine = events.c.subject == f"dataset/{dataset}", events.c.kind.in_(kinds)
    query = select(events.c.seq).where(*mine, events.c.body.contains(digest)).limit(1)
    return tx.execute(query).first() is not None


def mend_parents(tx: Transaction, state: State) -> None:
    """Have versions know their parents that came before these, now that they are here."""
    numbers = {identity: number for number, identity in identities_of(tx, state.dataset).items()}
    links = data_sql.links(tx, state.dataset)
    for held in state.versions:
        number = numbers.get(held.name, 0)
        parents = tuple(numbers[p] for p in held.parents if p in numbers)
        if number and not links[number] and parents and max(parents) < number:
            mine = (
                dataset_versions.c.dataset == state.dataset,
                dataset_versions.c.number == number,
            )
            tx.execute(update(dataset_versions).where(*mine).values(parents=parents))


def taken_ids(tx: Transaction, ids: Collection[str]) -> set[str]:
    """Return those of the ids that some version has."""
    query = select(dataset_versions.c.id).where(dataset_versions.c.id.in_(ids))
    return set(tx.execute(query).scalars())


def contracts_of(tx: Transaction, dataset: str) -> tuple[Contract, ...]:
    """Return every contract of a dataset, oldest first."""
    query = select(contracts).where(contracts.c.dataset == dataset).order_by(contracts.c.number)
    return tuple(_as(Contract, row) for row in tx.execute(query))


def _as(kind: type[S], row: Row[Any]) -> S:
    return msgspec.convert({name: getattr(row, name) for name in kind.__struct_fields__}, kind)
