"""The page of a monitor, and monitors as rows."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.clock import format_day
from treadle.kernel.errors import noun_of
from treadle.server.ui.alerts import alert_rows, effect
from treadle.server.ui.contexts import FindingRow, MonitorContext, MonitorRow, WindowRow
from treadle.server.ui.places import endpoint_place, monitor_place
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Chart, Level, Link, Marker, Notice, Page, Series, Stat

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.app import App
    from treadle.monitoring.entities import Alert, Distance, Finding, Monitor, WindowReport
    from treadle.release.entities import Release

WINDOWS = 200
ALERTS = 20
FINDINGS = 40
RELEASES = 50
STATES = {"ok": "quiet", "alert": "alert", "quarantined": "quarantined", "waiting": "waiting"}
Windows = tuple["WindowReport", ...]


def monitor_row(app: App, monitor: Monitor) -> MonitorRow:
    """Return a monitor as a row, with its newest window."""
    windows = app.monitoring.windows(monitor.name, limit=WINDOWS)
    newest = windows[-1] if windows else None
    calibration = newest.calibration if newest else None
    return MonitorRow(
        name=monitor.name,
        href=monitor_place(monitor.name),
        endpoint=Link(monitor.endpoint, endpoint_place(monitor.endpoint)),
        state=state_of(windows),
        windows=len(windows),
        newest=format_day(newest.start) if newest else "–",
        log_loss=newest.log_loss if newest else None,
        ratio=calibration.estimate if calibration else None,
        alerts_open=_open_alerts(app, monitor),
        ignored=_ignored(windows),
    )


def monitor_context(app: App, name: str) -> MonitorContext:
    """Return a monitor with its windows, what it found in them, and its alerts."""
    monitor = app.monitoring.monitor(name)
    windows = app.monitoring.windows(name, limit=WINDOWS)
    releases = app.releases.releases(monitor.endpoint, limit=RELEASES)
    found = app.monitoring.alerts(endpoint=monitor.endpoint, limit=ALERTS).items
    alerts = tuple(alert for alert in found if alert.monitor == name)
    markers = _markers(windows, alerts, releases)
    return MonitorContext(
        page=_page(app, name),
        name=name,
        state=state_of(windows),
        endpoint=Link(monitor.endpoint, endpoint_place(monitor.endpoint)),
        stats=_stats(monitor, windows, alerts),
        quality=_quality(monitor, windows, markers),
        calibration=_calibration(monitor, windows, markers),
        distance=_distance(monitor, windows),
        alerts=alert_rows(alerts, releases=releases),
        findings=tuple(_findings(windows))[:FINDINGS],
        windows=tuple(_window(window) for window in reversed(windows)),
        notice=None if windows else _waiting(monitor),
    )


def state_of(windows: Sequence[WindowReport]) -> str:
    """Say in one word what the newest window says."""
    return STATES[windows[-1].state] if windows else "waiting"


def _page(app: App, name: str) -> Page:
    return Page(
        title=name,
        nav="monitors",
        crumbs=(Link("Monitors", "/monitors"),),
        snippets=snippets(
            app.home, command=f"report {name}", python=f"client.monitoring.windows({name!r})"
        ),
        live="monitor. alert. release.",
    )


def _waiting(monitor: Monitor) -> Notice:
    if monitor.reference is None:
        text = "Its endpoint has no live version with held-out rows to measure against yet."
    else:
        text = f"A window is judged when its {monitor.rules.window_days} days have labels."
    return Notice("empty", "No window judged yet", text)


def _open_alerts(app: App, monitor: Monitor) -> int:
    found = app.monitoring.alerts(endpoint=monitor.endpoint, state="open").items
    return sum(alert.monitor == monitor.name for alert in found)


def _ignored(windows: Iterable[WindowReport]) -> int:
    return sum(f.kind == "distance" and not f.alerts for w in windows for f in w.findings)


def _stats(monitor: Monitor, windows: Windows, alerts: Sequence[Alert]) -> tuple[Stat, ...]:
    newest = next((w for w in reversed(windows) if w.calibration is not None), None)
    ratio = newest.calibration if newest else None
    reference = monitor.reference
    return (
        Stat("Windows judged", len(windows), note=f"of {monitor.rules.window_days} days"),
        Stat(
            "Log-loss",
            newest.log_loss if newest else None,
            note=f"held out {reference.log_loss:.4f}, {reference.version}" if reference else "",
        ),
        Stat(
            "Observed / predicted",
            ratio.estimate if ratio else None,
            note=f"95 % [{ratio.low:.2f}, {ratio.high:.2f}]" if ratio else "",
        ),
        Stat("Alerts", len(alerts), note="each with an effect"),
        Stat("Distance alarms ignored", _ignored(windows), note=f"in {len(windows)} windows"),
    )


def _days(windows: Windows) -> tuple[float, ...]:
    return tuple(float(window.start) for window in windows)


def _quality(monitor: Monitor, windows: Windows, markers: tuple[Marker, ...]) -> Chart | None:
    if not windows:
        return None
    reference = monitor.reference
    missing = sum(window.log_loss is None for window in windows)
    return Chart(
        id="quality",
        title="Log-loss by window",
        x_label="Window from",
        x=_days(windows),
        series=(Series("served", tuple(window.log_loss for window in windows)),),
        x_kind="day",
        y_label="Log-loss, lower is better",
        levels=(Level(f"held out {reference.log_loss:.4f}", reference.log_loss),)
        if reference
        else (),
        markers=markers,
        note=f"{missing} {noun_of(missing, 'window')} without a loss: labels are not there yet, "
        "or quarantined."
        if missing
        else "",
    )


def _calibration(monitor: Monitor, windows: Windows, markers: tuple[Marker, ...]) -> Chart | None:
    if not windows:
        return None
    bands = [window.calibration for window in windows]
    band = monitor.rules.calibration_band
    return Chart(
        id="calibration",
        title="Observed over predicted rate",
        x_label="Window from",
        x=_days(windows),
        series=(
            Series(
                "ratio",
                tuple(b.estimate if b else None for b in bands),
                low=tuple(b.low if b else None for b in bands),
                high=tuple(b.high if b else None for b in bands),
            ),
        ),
        x_kind="day",
        y_label=f"Ratio, {monitor.rules.level:.0%} interval",
        levels=(Level(f"{band:g}", band), Level("1", 1.0), Level(f"1 / {band:g}", 1 / band)),
        markers=markers,
    )


def _distance(monitor: Monitor, windows: Windows) -> Chart | None:
    if not any(window.distances for window in windows):
        return None
    limit = monitor.rules.distance_threshold
    above = sum(window.distance_max > limit for window in windows)
    return Chart(
        id="distance",
        title="Largest PSI of any input",
        x_label="Window from",
        x=_days(windows),
        series=(Series("PSI", tuple(window.distance_max for window in windows), "muted"),),
        x_kind="day",
        y_label="PSI, 10 reference quantiles",
        levels=(Level(f"{limit:g}", limit),),
        note=f"Above {limit:g} in {above} of {len(windows)} windows: "
        "alone it says nothing about the predictions.",
    )


def _markers(
    windows: Windows, alerts: Sequence[Alert], releases: Sequence[Release]
) -> tuple[Marker, ...]:
    if not windows:
        return ()
    held = [
        Marker(float(w.start), "labels quarantined", "warn")
        for w in windows
        if w.state == "quarantined"
    ]
    opened = [Marker(float(a.window_start), f"alert: {a.kind}", "bad") for a in alerts]
    live = [
        Marker(float(r.ended_at or r.created_at), f"{r.candidate} live", "ok")
        for r in releases
        if r.state == "live"
    ]
    first, last = windows[0].start, windows[-1].end
    shown = [m for m in (*held, *opened, *live) if first <= m.x <= last]
    return tuple(sorted(shown, key=lambda marker: marker.x))


def _findings(windows: Windows) -> Iterable[FindingRow]:
    for window in reversed(windows):
        for finding in window.findings:
            yield _finding(window, finding)


def _finding(window: WindowReport, finding: Finding) -> FindingRow:
    is_distance = finding.kind == "distance"
    worst = _farthest(window)
    return FindingRow(
        window=format_day(window.start),
        detector="PSI" if is_distance else finding.kind,
        column=worst.feature if is_distance and worst else "outcome",
        value=worst.psi if is_distance and worst else finding.size,
        effect=_effect(worst) if is_distance else effect(finding.kind, finding.size),
        verdict="alert" if finding.alerts else "ignored",
        # What moved where stands with the alert; an ignored one is told here alone.
        reason=finding.title if finding.alerts else finding.cause or finding.title,
    )


def _effect(worst: Distance | None) -> str:
    if worst is None or worst.effect is None:
        return "not estimated"
    return f"{worst.effect:+.4f} mean prediction"


def _farthest(window: WindowReport) -> Distance | None:
    return max(window.distances, key=lambda d: d.psi, default=None)


def _window(window: WindowReport) -> WindowRow:
    worst, ratio = _farthest(window), window.calibration
    return WindowRow(
        label=format_day(window.start),
        state=STATES[window.state],
        rows=window.rows,
        labelled=window.labelled,
        log_loss=window.log_loss,
        ratio=ratio.estimate if ratio else None,
        low=ratio.low if ratio else None,
        high=ratio.high if ratio else None,
        distance=worst.psi if worst else None,
        distance_column=worst.feature if worst else "",
        note=_note(window),
    )


def _note(window: WindowReport) -> str:
    if window.state == "quarantined":
        return f"{window.quarantined:,} labels kept out"
    if window.state == "waiting":
        return "too few labels yet"
    return ", ".join(f.kind for f in window.findings if f.alerts)
