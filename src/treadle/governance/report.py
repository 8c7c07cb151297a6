"""One HTML file that opens offline: what happened to an endpoint, computed from log and tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
from jinja2 import Environment, PackageLoader, StrictUndefined

from treadle import __version__
from treadle.governance.entities import GateReport, GatesEvaluated
from treadle.governance.verify_log import LogVerdict
from treadle.kernel.clock import format_day, format_instant
from treadle.kernel.paging import Page
from treadle.monitoring.entities import Alert, WindowReport
from treadle.serving.facts import EndpointCreated

if TYPE_CHECKING:
    from treadle.data.service import Data
    from treadle.governance.service import Governance
    from treadle.monitoring.service import Monitoring
    from treadle.storage.log import EventLog

WIDTH, HEIGHT, MARGIN = 900.0, 200.0, 40.0
MOVED = "release.moved"


class Series(msgspec.Struct, frozen=True, kw_only=True):
    """A chart: its SVG path and points, its scale, and a band that is tolerated."""

    title: str
    path: str
    points: tuple[tuple[float, float, str, str], ...]
    ticks: tuple[tuple[float, str], ...]
    band: tuple[float, float] | None


class ReportContext(msgspec.Struct, frozen=True, kw_only=True):
    """Everything the report's template may use."""

    endpoint: str
    written: str
    version: str
    head: str
    audit: LogVerdict
    windows: tuple[WindowReport, ...]
    loss: Series | None
    calibration: Series | None
    gates: tuple[GateReport, ...]
    releases: tuple[dict[str, Any], ...]
    alerts: Page[Alert]
    quarantines: tuple[dict[str, str], ...]
    datasets: tuple[tuple[str, int, str], ...]
    lineage: tuple[str, ...]
    day: Any


def write_report(
    endpoint: str,
    *,
    at: int,
    log: EventLog,
    governance: Governance,
    monitoring: Monitoring,
    data: Data,
) -> str:
    """Return the report of an endpoint as one HTML document with nothing outside it."""
    windows = monitoring.windows(endpoint, limit=1000)
    audit = governance.verify()
    releases = _releases(log, endpoint)
    live = [r["candidate"] for r in releases if r["state"] == "live"]
    context = ReportContext(
        endpoint=endpoint,
        written=format_instant(at),
        version=__version__,
        head=audit.head,
        audit=audit,
        windows=windows,
        loss=_series("Log-loss by week", [(w, w.log_loss) for w in windows], band=None),
        calibration=_series(
            "Observed rate over predicted rate by week",
            [(w, w.calibration.estimate if w.calibration else None) for w in windows],
            band=_band(monitoring, endpoint),
        ),
        gates=_gates(log, endpoint),
        releases=releases,
        alerts=monitoring.alerts(endpoint=endpoint, limit=1000),
        quarantines=_quarantines(data),
        datasets=_datasets(data),
        lineage=tuple(governance.trace_version(live[-1]).lines()) if live else (),
        day=format_day,
    )
    environment = Environment(
        loader=PackageLoader("treadle.governance"), autoescape=True, undefined=StrictUndefined
    )
    return environment.get_template("report.html").render(msgspec.structs.asdict(context))


def _gates(log: EventLog, endpoint: str) -> tuple[GateReport, ...]:
    created = log.read(kinds=[EndpointCreated.kind], subject=f"endpoint/{endpoint}")
    models = {event.as_fact(EndpointCreated).model for event in created}
    found = (e.as_fact(GatesEvaluated).report for e in log.read(kinds=[GatesEvaluated.kind]))
    return tuple(report for report in found if report.model in models)


def _releases(log: EventLog, endpoint: str) -> tuple[dict[str, Any], ...]:
    newest: dict[str, dict[str, Any]] = {}
    for event in log.read(kinds=[MOVED], subject=f"endpoint/{endpoint}"):
        release = event.facts()["release"]
        newest[release["id"]] = release
    return tuple(newest.values())


def _band(monitoring: Monitoring, endpoint: str) -> tuple[float, float]:
    width = monitoring.monitor(endpoint).rules.calibration_band
    return 1 / width, width


def _quarantines(data: Data) -> tuple[dict[str, str], ...]:
    return tuple(
        {"ref": f"{q.dataset}@{q.version_number}", "state": q.state, "reason": q.reason}
        for q in data.quarantines()
    )


def _datasets(data: Data) -> tuple[tuple[str, int, str], ...]:
    summaries = data.datasets(limit=1000).items
    return tuple((d.name, d.versions, data.version(d.name).digest) for d in summaries)


def _series(
    title: str,
    values: list[tuple[WindowReport, float | None]],
    *,
    band: tuple[float, float] | None,
) -> Series | None:
    known = [(i, w, v) for i, (w, v) in enumerate(values) if v is not None]
    if not known:
        return None
    numbers = [v for _, _, v in known] + list(band or ())
    low, high = min(numbers), max(numbers)
    span = (high - low) or 1.0

    def y(value: float) -> float:
        return round(HEIGHT - MARGIN / 2 - (value - low) / span * (HEIGHT - MARGIN), 1)

    def x(index: int) -> float:
        return round(MARGIN + index * (WIDTH - 2 * MARGIN) / max(1, len(values) - 1), 1)

    points = tuple(
        (x(i), y(v), f"{format_day(w.start)}: {v:.4f}, {w.state}", w.state) for i, w, v in known
    )
    return Series(
        title=title,
        path="M" + " L".join(f"{px},{py}" for px, py, _, _ in points),
        points=points,
        ticks=tuple((y(t), f"{t:.2f}") for t in (low, (low + high) / 2, high)),
        band=(y(band[1]), y(band[0])) if band else None,
    )
