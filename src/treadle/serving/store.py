"""SQL of serving: endpoints, the catalogue of prediction parts, label batches."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Index,
    Integer,
    Table,
    Text,
    UniqueConstraint,
    delete,
    func,
    insert,
    select,
    update,
)

from treadle.serving.entities import Endpoint, LabelBatch, LabelState, PredictionPart
from treadle.storage import events
from treadle.storage.schema import Instant, Json, metadata, needs_objects

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import RowMapping

    from treadle.storage.events import Event
    from treadle.storage.transaction import Transaction

E = TypeVar("E", bound=msgspec.Struct)

endpoints = Table(
    "endpoints",
    metadata,
    Column("name", Text, primary_key=True),
    Column("model", Text, nullable=False),
    Column("variants", Json, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("updated_at", Instant, nullable=False),
    Column("contract", Text, nullable=False, server_default="warn"),
)

prediction_parts = Table(
    "prediction_parts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, nullable=False),
    # Where the rows came from, a segment or a scored table: nothing is logged twice.
    Column("source", Text, nullable=False),
    Column("piece", Integer, nullable=False),
    Column("first_id", Text, nullable=False),
    Column("last_id", Text, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("shadows_dropped", BigInteger, nullable=False),
    Column("digest", Text, nullable=False, info=needs_objects("predictions of {endpoint}")),
    Column("size_bytes", BigInteger, nullable=False),
    Column("created_at", Instant, nullable=False),
    UniqueConstraint("source", "endpoint", "piece"),
    Index("ix_prediction_parts_last_id", "last_id"),
    Index("ix_prediction_parts_endpoint_last_at", "endpoint", "last_at"),
)

label_parts = Table(
    "label_parts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("source_ref", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("joined", BigInteger, nullable=False),
    Column("at", Instant, nullable=False),
    Column("first_at", Instant, nullable=False),
    Column("last_at", Instant, nullable=False),
    Column("digest", Text, nullable=False, info=needs_objects("labels of {endpoint}")),
    UniqueConstraint("endpoint", "source_ref", "digest"),
    Index("ix_label_parts_endpoint_at", "endpoint", "at"),
)


# --- endpoints ---


def insert_endpoint(tx: Transaction, endpoint: Endpoint) -> None:
    """Add an endpoint."""
    tx.execute(insert(endpoints), msgspec.to_builtins(endpoint))


def update_traffic(tx: Transaction, endpoint: Endpoint) -> None:
    """Write an endpoint's variants, contract mode and revision."""
    row = msgspec.to_builtins(endpoint)
    changed = {name: row[name] for name in ("variants", "revision", "updated_at", "contract")}
    tx.execute(update(endpoints).where(endpoints.c.name == endpoint.name).values(changed))


def find_endpoint(tx: Transaction, name: str) -> Endpoint | None:
    """Return the endpoint of a name."""
    row = tx.execute(select(endpoints).where(endpoints.c.name == name)).mappings().first()
    return None if row is None else _entity(row, Endpoint)


def all_endpoints(tx: Transaction) -> tuple[Endpoint, ...]:
    """Return every endpoint by name."""
    rows = tx.execute(select(endpoints).order_by(endpoints.c.name)).mappings()
    return tuple(_entity(row, Endpoint) for row in rows)


def revisions(tx: Transaction) -> dict[str, int]:
    """Return the revision of every endpoint."""
    rows = tx.execute(select(endpoints.c.name, endpoints.c.revision))
    return {row.name: row.revision for row in rows}


def clear_endpoints(tx: Transaction) -> None:
    """Remove every endpoint, to rebuild them from the log."""
    tx.execute(delete(endpoints))


def traffic_events(tx: Transaction, *, subject: str, kind: str) -> list[Event]:
    """Return what happened to an endpoint's traffic, in log order."""
    return list(events.read(tx.connection, kinds=(kind,), subject=subject))


# --- parts of the request log ---


def insert_part(tx: Transaction, part: PredictionPart) -> None:
    """Catalogue a part."""
    tx.execute(insert(prediction_parts), msgspec.to_builtins(part))


def parts_of_source(tx: Transaction, source: str) -> list[PredictionPart]:
    """Return the parts made from a segment or a scored table, piece by piece."""
    chosen = select(prediction_parts).where(prediction_parts.c.source == source)
    return _parts(tx, chosen.order_by(prediction_parts.c.endpoint, prediction_parts.c.piece))


def catalogued(tx: Transaction, sources: Iterable[str]) -> set[str]:
    """Return those of some sources that are in the catalogue."""
    known = select(prediction_parts.c.source).where(prediction_parts.c.source.in_(list(sources)))
    return {row.source for row in tx.execute(known.distinct())}


def parts_around_id(tx: Transaction, identifier: str) -> list[PredictionPart]:
    """Return the parts whose range of ids holds an id, narrowest first."""
    holds = select(prediction_parts).where(
        prediction_parts.c.last_id >= identifier, prediction_parts.c.first_id <= identifier
    )
    return _parts(tx, holds.order_by(prediction_parts.c.rows))


def parts_between(
    tx: Transaction, endpoint: str, *, start: int | None, end: int | None
) -> list[PredictionPart]:
    """Return the parts of an endpoint that may hold predictions with `start <= at < end`."""
    chosen = select(prediction_parts).where(prediction_parts.c.endpoint == endpoint)
    if start is not None:
        chosen = chosen.where(prediction_parts.c.last_at >= start)
    if end is not None:
        chosen = chosen.where(prediction_parts.c.first_at < end)
    return _parts(tx, chosen.order_by(prediction_parts.c.first_id))


def newest_parts(tx: Transaction, endpoint: str, *, until: int, limit: int) -> list[PredictionPart]:
    """Return parts of an endpoint that begin by an instant, the latest first."""
    chosen = select(prediction_parts).where(
        prediction_parts.c.endpoint == endpoint, prediction_parts.c.first_at <= until
    )
    return _parts(tx, chosen.order_by(prediction_parts.c.last_at.desc()).limit(limit))


def first_prediction_at(tx: Transaction, endpoint: str) -> int | None:
    """Return the earliest instant that a compacted prediction is about."""
    earliest = select(func.min(prediction_parts.c.first_at))
    found: int | None = tx.execute(
        earliest.where(prediction_parts.c.endpoint == endpoint)
    ).scalar_one()
    return found


# --- labels ---


def insert_labels(tx: Transaction, batch: LabelBatch) -> None:
    """Catalogue a batch of labels."""
    tx.execute(insert(label_parts), msgspec.to_builtins(batch))


def find_labels(tx: Transaction, batch: str) -> LabelBatch | None:
    """Return a batch of labels by its id."""
    return _first_labels(tx, select(label_parts).where(label_parts.c.id == batch))


def same_labels(
    tx: Transaction, endpoint: str, *, source_ref: str, digest: str
) -> LabelBatch | None:
    """Return the batch with the same labels from the same source."""
    return _first_labels(
        tx,
        select(label_parts).where(
            label_parts.c.endpoint == endpoint,
            label_parts.c.source_ref == source_ref,
            label_parts.c.digest == digest,
        ),
    )


def label_batches(
    tx: Transaction,
    endpoint: str,
    *,
    state: LabelState | None = None,
    since: int | None = None,
    limit: int | None = None,
) -> list[LabelBatch]:
    """Return an endpoint's batches of labels, newest first."""
    chosen = select(label_parts).where(label_parts.c.endpoint == endpoint)
    if state is not None:
        chosen = chosen.where(label_parts.c.state == state)
    if since is not None:
        chosen = chosen.where(label_parts.c.at >= since)
    chosen = chosen.order_by(label_parts.c.at.desc(), label_parts.c.id.desc()).limit(limit)
    return [_entity(row, LabelBatch) for row in tx.execute(chosen).mappings()]


def set_label_state(tx: Transaction, batch: str, *, state: LabelState) -> None:
    """Accept a batch of labels, or set it aside."""
    tx.execute(update(label_parts).where(label_parts.c.id == batch).values(state=state))


def _entity(row: RowMapping, kind: type[E]) -> E:
    # Names of columns are a subclass of str, which msgspec does not take for a key.
    return msgspec.convert({str(name): value for name, value in row.items()}, kind)


def _parts(tx: Transaction, chosen: Any) -> list[PredictionPart]:
    return [_entity(row, PredictionPart) for row in tx.execute(chosen).mappings()]


def _first_labels(tx: Transaction, chosen: Any) -> LabelBatch | None:
    row = tx.execute(chosen).mappings().first()
    return None if row is None else _entity(row, LabelBatch)
