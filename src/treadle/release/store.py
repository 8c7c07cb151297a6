"""SQL of releases and policies."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Column, Index, Table, Text, delete, insert, select, update

from treadle.release.entities import ACTIVE, Release
from treadle.release.policy import Policy
from treadle.storage.schema import MENTIONS, Instant, Json, metadata, plain

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

releases = Table(
    "releases",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("candidate", Text, nullable=False),
    Column("champion", Text, nullable=False),
    Column("why", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("stages", Json, nullable=False),
    Column("reason", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("ended_at", Instant),
    Index("ix_releases_endpoint_id", "endpoint", "id"),
)

policies = Table(
    "policies",
    metadata,
    Column("endpoint", Text, primary_key=True),
    Column("body", Json, nullable=False),
    Column("digest", Text, nullable=False, info=MENTIONS),
    Column("set_at", Instant, nullable=False),
    # When a challenger was last decided on, and why if its training has not come to an end.
    Column("retrained_at", Instant),
    Column("retraining", Text, nullable=False),
)


def put_release(tx: Transaction, release: Release) -> None:
    """Insert a release or overwrite the one of its id."""
    row = msgspec.to_builtins(release)
    if not tx.execute(update(releases).where(releases.c.id == release.id), row).rowcount:
        tx.execute(insert(releases), row)


def find_release(tx: Transaction, release_id: str) -> Release | None:
    """Return the release of an id."""
    row = tx.execute(select(releases).where(releases.c.id == release_id)).mappings().first()
    return None if row is None else msgspec.convert(plain(row), Release)


def open_release(tx: Transaction, endpoint: str) -> Release | None:
    """Return the release under way on an endpoint."""
    query = select(releases).where((releases.c.endpoint == endpoint) & releases.c.state.in_(ACTIVE))
    row = tx.execute(query.order_by(releases.c.id.desc())).mappings().first()
    return None if row is None else msgspec.convert(plain(row), Release)


def list_releases(
    tx: Transaction, *, endpoint: str | None, state: str | None = None, limit: int = 100
) -> tuple[Release, ...]:
    """Return releases, newest first."""
    query = select(releases).order_by(releases.c.id.desc()).limit(limit)
    if endpoint is not None:
        query = query.where(releases.c.endpoint == endpoint)
    if state is not None:
        query = query.where(releases.c.state == state)
    return tuple(msgspec.convert(plain(row), Release) for row in tx.execute(query).mappings())


def put_policy(tx: Transaction, policy: Policy, *, at: int) -> None:
    """Store an endpoint's policy in place of the one before."""
    row = {
        "endpoint": policy.endpoint,
        "body": msgspec.to_builtins(policy),
        "digest": policy.digest,
        "set_at": at,
    }
    where = policies.c.endpoint == policy.endpoint
    if not tx.execute(update(policies).where(where), row).rowcount:
        tx.execute(insert(policies), {**row, "retraining": ""})


def lock_policy(tx: Transaction, endpoint: str) -> bool:
    """Hold an endpoint's releases until the transaction ends; say whether it has a policy."""
    query = select(policies.c.endpoint).where(policies.c.endpoint == endpoint)
    return tx.execute(query.with_for_update()).first() is not None


def find_policy(tx: Transaction, endpoint: str) -> Policy | None:
    """Return the policy of an endpoint."""
    query = select(policies.c.body).where(policies.c.endpoint == endpoint)
    body = tx.execute(query).scalar_one_or_none()
    return None if body is None else msgspec.convert(body, Policy)


def list_policies(tx: Transaction) -> tuple[Policy, ...]:
    """Return every policy by endpoint."""
    bodies = tx.execute(select(policies.c.body).order_by(policies.c.endpoint)).scalars()
    return tuple(msgspec.convert(body, Policy) for body in bodies)


def retrained(tx: Transaction, endpoint: str) -> tuple[int | None, str]:
    """Return when a challenger was last decided on, and why if its training did not end."""
    c = policies.c
    row = tx.execute(select(c.retrained_at, c.retraining).where(c.endpoint == endpoint)).first()
    return (None, "") if row is None else (row.retrained_at, row.retraining)


def begin_retrain(tx: Transaction, endpoint: str, *, at: int, reason: str) -> None:
    """Remember when a challenger was decided on and that its training is under way."""
    values = {"retrained_at": at, "retraining": reason}
    tx.execute(update(policies).where(policies.c.endpoint == endpoint), values)


def end_retrain(tx: Transaction, endpoint: str) -> None:
    """Remember that no training is under way."""
    tx.execute(update(policies).where(policies.c.endpoint == endpoint), {"retraining": ""})


def clear(tx: Transaction) -> None:
    """Empty the tables, before they are rebuilt from the log."""
    tx.execute(delete(releases))
    tx.execute(delete(policies))
