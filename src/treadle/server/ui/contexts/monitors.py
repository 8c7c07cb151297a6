"""What the pages of monitors are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import AlertRow
    from treadle.server.ui.widgets import Chart, Link, Notice, Page, Pager, Stat


@dataclass(frozen=True, slots=True)
class MonitorRow:
    """A monitor with its newest window."""

    name: str
    href: str
    endpoint: Link
    state: str
    windows: int
    newest: str
    log_loss: float | None
    ratio: float | None
    alerts_open: int
    ignored: int


@dataclass(frozen=True, slots=True)
class MonitorsContext:
    """Monitors: every monitor and what it says now."""

    page: Page
    rows: tuple[MonitorRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class WindowRow:
    """One judged window: quality, calibration with interval, and the distance shown but ignored."""

    label: str
    state: str
    rows: int
    labelled: int
    log_loss: float | None
    ratio: float | None
    low: float | None
    high: float | None
    distance: float | None
    distance_column: str
    note: str


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What a detector said of a window, its estimated effect, and whether that made an alert."""

    window: str
    detector: str
    column: str
    value: float | None
    effect: str
    verdict: str
    reason: str


@dataclass(frozen=True, slots=True)
class MonitorContext:
    """Monitor: weekly quality and calibration, findings, alerts."""

    page: Page
    name: str
    state: str
    endpoint: Link
    stats: tuple[Stat, ...]
    quality: Chart | None
    calibration: Chart | None
    distance: Chart | None
    alerts: tuple[AlertRow, ...]
    findings: tuple[FindingRow, ...]
    windows: tuple[WindowRow, ...]
    notice: Notice | None = None
