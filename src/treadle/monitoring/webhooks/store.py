"""SQL of webhooks and of how far each has been told."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Integer,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from treadle.monitoring.webhooks.entities import Waiting, Webhook
from treadle.storage import events
from treadle.storage.schema import Instant, Json, metadata, plain

if TYPE_CHECKING:
    from collections.abc import Iterable

    from treadle.storage.events import Event
    from treadle.storage.transaction import Transaction

webhooks = Table(
    "webhooks",
    metadata,
    Column("id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("url", Text, nullable=False),
    Column("topics", Json, nullable=False),
    Column("description", Text, nullable=False),
    Column("status", Text, nullable=False),
    # Encrypted by the home that took it; empty for none.
    Column("secret", Text, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    # The last event of the log that it was told of, or that did not concern it.
    Column("told", BigInteger, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("due_at", Instant, nullable=False),
    Column("last_error", Text, nullable=False),
)


def add(tx: Transaction, webhook: Webhook, *, secret: str, told: int) -> None:
    """Insert a webhook that is told of what comes after an event."""
    row = _fields(webhook) | {"secret": secret, "told": told, "attempts": 0, "due_at": 0}
    tx.execute(insert(webhooks), row)


def change(tx: Transaction, webhook: Webhook, *, secret: str | None, told: int | None) -> None:
    """Write a webhook over what it was; its secret and how far it was told only when given."""
    values: dict[str, Any] = _fields(webhook) | {"attempts": 0, "due_at": 0}
    if secret is not None:
        values["secret"] = secret
    if told is not None:
        values["told"] = told
    tx.execute(update(webhooks).where(webhooks.c.id == webhook.id).values(**values))


def remove(tx: Transaction, webhook_id: str) -> None:
    """Delete a webhook."""
    tx.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


def find(tx: Transaction, webhook_id: str, *, lock: bool = False) -> Waiting | None:
    """Return a webhook; with `lock` it is held until the transaction ends."""
    query = select(webhooks).where(webhooks.c.id == webhook_id)
    row = tx.execute(query.with_for_update() if lock else query).mappings().first()
    return None if row is None else _waiting(row)


def page(tx: Transaction, *, limit: int, offset: int) -> tuple[tuple[Webhook, ...], int]:
    """Return webhooks, newest first, and how many there are."""
    c = webhooks.c
    query = select(webhooks).order_by(c.created_at.desc(), c.id.desc()).limit(limit).offset(offset)
    found = tuple(_waiting(row).webhook for row in tx.execute(query).mappings())
    total = tx.execute(select(func.count()).select_from(webhooks)).scalar_one()
    return found, int(total)


def due(tx: Transaction, *, now: int, end: int) -> tuple[Waiting, ...]:
    """Return the webhooks behind an event that may be told now, those that wait longest first."""
    c = webhooks.c
    query = select(webhooks).where(c.status == "active", c.due_at <= now, c.told < end)
    return tuple(_waiting(row) for row in tx.execute(query.order_by(c.due_at, c.id)).mappings())


def is_any_behind(tx: Transaction) -> bool:
    """Say whether an active webhook stands before the end of the log."""
    c = webhooks.c
    behind = select(c.id).where(c.status == "active", c.told < end_of_log(tx))
    return tx.execute(behind.limit(1)).first() is not None


def claim(tx: Transaction, webhook_id: str, *, now: int, until: int) -> Waiting | None:
    """Keep a webhook that is due to oneself until an instant; None when it is not, or not now."""
    c = webhooks.c
    due_now = update(webhooks).where(c.id == webhook_id, c.status == "active", c.due_at <= now)
    row = tx.execute(due_now.values(due_at=until).returning(webhooks)).mappings().first()
    return None if row is None else _waiting(row)


def advance(
    tx: Transaction, webhook_id: str, *, told: int, attempts: int, due_at: int, error: str
) -> bool:
    """Write how far a webhook has been told and when it is due again; never back to before.

    False when it is gone or has been told more: of two who deliver at once the slower must not undo
    what the faster has written.
    """
    c = webhooks.c
    written = update(webhooks).where(c.id == webhook_id, c.told <= told)
    values = {"told": told, "attempts": attempts, "due_at": due_at, "last_error": error}
    return tx.execute(written.values(**values)).rowcount == 1


def end_of_log(tx: Transaction) -> int:
    """Return the place of the newest event."""
    last = events.last(tx.connection)
    return last.seq if last else 0


def events_after(
    tx: Transaction, seq: int, *, kinds: Iterable[str], limit: int
) -> tuple[Event, ...]:
    """Return the next events of some kinds."""
    return tuple(events.read(tx.connection, after=seq, kinds=kinds, limit=limit))


def _fields(webhook: Webhook) -> dict[str, Any]:
    fields: dict[str, Any] = msgspec.to_builtins(webhook)
    del fields["has_secret"]
    return fields


def _waiting(row: Any) -> Waiting:
    values = plain(row)
    secret, told, attempts, due_at = (
        values.pop(name) for name in ("secret", "told", "attempts", "due_at")
    )
    webhook = msgspec.convert({**values, "has_secret": bool(secret)}, Webhook)
    return Waiting(webhook=webhook, secret=secret, told=told, attempts=attempts, due_at=due_at)
