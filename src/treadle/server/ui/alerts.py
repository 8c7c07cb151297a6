"""Alerts as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import format_day
from treadle.server.ui.contexts import AlertRow
from treadle.server.ui.formats import number, signed
from treadle.server.ui.places import monitor_place, release_place
from treadle.server.ui.widgets import Link

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.monitoring.entities import Alert
    from treadle.release.entities import Release

_STATES = {"open": "open", "closed": "resolved"}


def alert_rows(alerts: Iterable[Alert], *, releases: Sequence[Release]) -> tuple[AlertRow, ...]:
    """Return alerts as rows, each with the release that answered it."""
    return tuple(_row(alert, action=_answer(alert, releases)) for alert in alerts)


def effect(kind: str, size: float) -> str:
    """Say how large a finding is in the unit of its kind."""
    if kind == "calibration":
        return f"observed / predicted {number(size)}"
    if kind == "loss":
        return f"{signed(size)} log-loss"
    if kind == "contract":
        return f"{size:.1%} of rows"
    return f"PSI {number(size)}" if kind == "distance" else number(size)


def _row(alert: Alert, *, action: Link | None) -> AlertRow:
    return AlertRow(
        state=_STATES[alert.state],
        opened_us=alert.opened_at,
        day=format_day(alert.window_start),
        rule=alert.title,
        cause=alert.cause,
        effect=effect(alert.kind, alert.size),
        href=f"{monitor_place(alert.monitor)}#alerts",
        monitor=alert.monitor,
        action=action,
    )


def _answer(alert: Alert, releases: Sequence[Release]) -> Link | None:
    # Releases come newest first; the first that began while the alert was open answered it.
    closed = alert.closed_at
    for release in reversed(releases):
        began = release.created_at >= alert.opened_at
        in_time = closed is None or release.created_at <= closed
        if release.endpoint == alert.endpoint and began and in_time:
            return Link(release.candidate, release_place(release.endpoint, release.id))
    return None
