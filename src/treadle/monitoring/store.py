"""SQL of monitors, windows and alerts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import (
    BigInteger,
    Column,
    Double,
    Index,
    Table,
    Text,
    delete,
    func,
    insert,
    select,
    update,
)

from treadle.monitoring.entities import Alert, Monitor, Reference, WindowReport
from treadle.storage.schema import Instant, Json, metadata, needs_objects, plain

if TYPE_CHECKING:
    from treadle.storage.transaction import Transaction

monitors = Table(
    "monitors",
    metadata,
    Column("name", Text, primary_key=True),
    Column("endpoint", Text, nullable=False, index=True),
    Column("rules", Json, nullable=False),
    Column("reference", Json, info=needs_objects("monitor {name}")),
    Column("created_at", Instant, nullable=False),
)

# One per version that served: a window is measured against the version that answered it, also when
# its labels arrive after the next version went live.
monitor_references = Table(
    "monitor_references",
    metadata,
    Column("monitor", Text, primary_key=True),
    Column("version", Text, primary_key=True),
    Column("reference", Json, nullable=False, info=needs_objects("monitor {monitor}")),
)

windows = Table(
    "windows",
    metadata,
    Column("id", Text, primary_key=True),
    Column("monitor", Text, nullable=False),
    Column("start", Instant, nullable=False),
    Column("end", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("report", Json, nullable=False),
    Index("uq_windows_monitor_start", "monitor", "start", "end", unique=True),
)

alerts = Table(
    "alerts",
    metadata,
    Column("id", Text, primary_key=True),
    Column("monitor", Text, nullable=False, index=True),
    Column("endpoint", Text, nullable=False, index=True),
    Column("kind", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("size", Double, nullable=False),
    Column("interval", Json),
    Column("window_start", Instant, nullable=False),
    Column("window_end", Instant, nullable=False),
    Column("state", Text, nullable=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
)


def put_monitor(tx: Transaction, monitor: Monitor) -> None:
    """Insert a monitor or overwrite the one of its name."""
    row = msgspec.to_builtins(monitor)
    if not tx.execute(update(monitors).where(monitors.c.name == monitor.name), row).rowcount:
        tx.execute(insert(monitors), row)


def lock_monitor(tx: Transaction, name: str) -> None:
    """Let nobody else judge a monitor's windows until the transaction ends."""
    tx.execute(select(monitors.c.name).where(monitors.c.name == name).with_for_update())


def put_reference(tx: Transaction, monitor: str, *, reference: Reference) -> None:
    """Keep what a version did on its held-out rows, in place of an earlier answer."""
    c = monitor_references.c
    where = (c.monitor == monitor) & (c.version == reference.version)
    tx.execute(delete(monitor_references).where(where))
    row = {
        "monitor": monitor,
        "version": reference.version,
        "reference": msgspec.to_builtins(reference),
    }
    tx.execute(insert(monitor_references), row)


def find_reference(tx: Transaction, monitor: str, *, version: str) -> Reference | None:
    """Return a version's own reference."""
    c = monitor_references.c
    query = select(c.reference).where(c.monitor == monitor, c.version == version)
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else msgspec.convert(found, Reference)


def find_monitor(tx: Transaction, name: str) -> Monitor | None:
    """Return the monitor of a name."""
    row = tx.execute(select(monitors).where(monitors.c.name == name)).mappings().first()
    return None if row is None else msgspec.convert(plain(row), Monitor)


def list_monitors(tx: Transaction) -> tuple[Monitor, ...]:
    """Return every monitor by name."""
    rows = tx.execute(select(monitors).order_by(monitors.c.name)).mappings()
    return tuple(msgspec.convert(plain(row), Monitor) for row in rows)


def put_window(tx: Transaction, report: WindowReport) -> None:
    """Store a window's report in place of an earlier one of the same id."""
    tx.execute(delete(windows).where(windows.c.id == report.id))
    tx.execute(
        insert(windows),
        {
            "id": report.id,
            "monitor": report.monitor,
            "start": report.start,
            "end": report.end,
            "state": report.state,
            "rows": report.rows,
            "report": msgspec.to_builtins(report),
        },
    )


def find_window(tx: Transaction, monitor: str, *, start: int, end: int) -> WindowReport | None:
    """Return the report of a span."""
    c = windows.c
    query = select(c.report).where(c.monitor == monitor, c.start == start, c.end == end)
    found = tx.execute(query).scalar_one_or_none()
    return None if found is None else msgspec.convert(found, WindowReport)


def is_followed(tx: Transaction, monitor: str, *, start: int) -> bool:
    """Say whether a later window of a monitor was judged by its labels."""
    c = windows.c
    judged = c.state.in_(("ok", "alert"))
    query = select(c.id).where(c.monitor == monitor, c.start > start, judged).limit(1)
    return tx.execute(query).first() is not None


def list_windows(tx: Transaction, monitor: str, *, limit: int) -> tuple[WindowReport, ...]:
    """Return a monitor's newest windows, oldest first."""
    query = select(windows.c.report).where(windows.c.monitor == monitor)
    rows = tx.execute(query.order_by(windows.c.start.desc()).limit(limit)).scalars().all()
    return tuple(msgspec.convert(row, WindowReport) for row in reversed(rows))


def insert_alert(tx: Transaction, alert: Alert) -> None:
    """Store a new alert."""
    tx.execute(insert(alerts), msgspec.to_builtins(alert))


def close_alert(tx: Transaction, alert_id: str, *, at: int) -> None:
    """Mark an alert closed."""
    tx.execute(update(alerts).where(alerts.c.id == alert_id).values(state="closed", closed_at=at))


def find_alert(tx: Transaction, alert_id: str) -> Alert | None:
    """Return the alert of an id."""
    row = tx.execute(select(alerts).where(alerts.c.id == alert_id)).mappings().first()
    return None if row is None else msgspec.convert(plain(row), Alert)


def list_alerts(
    tx: Transaction,
    *,
    endpoint: str | None = None,
    monitor: str | None = None,
    state: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> tuple[tuple[Alert, ...], int]:
    """Return alerts, newest first, and how many there are in all."""
    wanted = {"endpoint": endpoint, "monitor": monitor, "state": state}
    where: list[Any] = [alerts.c[k] == v for k, v in wanted.items() if v is not None]
    query = select(alerts).where(*where).order_by(alerts.c.opened_at.desc(), alerts.c.id.desc())
    rows = tx.execute(query.limit(limit).offset(offset)).mappings()
    total = tx.execute(select(func.count()).select_from(alerts).where(*where)).scalar_one()
    return tuple(msgspec.convert(plain(row), Alert) for row in rows), int(total)
