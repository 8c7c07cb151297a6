"""GET /: the loop, the story so far, who serves, what alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui.alerts import alert_rows
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import HomeContext
from treadle.server.ui.endpoint_rows import endpoint_rows
from treadle.server.ui.snippets import snippets
from treadle.server.ui.stations import LoopFacts, picture
from treadle.server.ui.story import TOLD, story
from treadle.server.ui.widgets import Notice, Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App
    from treadle.monitoring.entities import WindowReport
    from treadle.release.entities import Release
    from treadle.serving.entities import Endpoint
    from treadle.serving.tallies import Tally

MOMENTS = 14
ALERTS = 5
RELEASES = 50
DATASETS = 1000
WINDOWS = 12


def home(request: Request) -> Response:
    """Show the home page."""
    return page(request, "home.html", context(app_of(request)))


def context(app: App) -> HomeContext:
    """Ask every noun for its part of the loop."""
    endpoints, releases = app.serving.endpoints(), app.releases.releases(limit=RELEASES)
    tallies = {e.name: app.serving.tally(e.name) for e in endpoints}
    alerts = app.monitoring.alerts(limit=ALERTS).items
    events = app.log.newest(limit=MOMENTS, kinds=TOLD).items
    return HomeContext(
        page=Page(
            title="Home",
            nav="home",
            snippets=snippets(app.home, command="status", python="print(client.log.last())"),
            live="*",
        ),
        picture=picture(_facts(app, endpoints=endpoints, releases=releases, tallies=tallies)),
        story=story(events, replays=app.replays),
        endpoints=endpoint_rows(endpoints, app=app, releases=releases, tallies=tallies),
        alerts=alert_rows(alerts, releases=releases),
        notice=None if events else _nothing(),
    )


def _facts(
    app: App,
    *,
    endpoints: tuple[Endpoint, ...],
    releases: tuple[Release, ...],
    tallies: dict[str, Tally],
) -> LoopFacts:
    window, reference = _newest_window(app)
    last, runs = app.log.last(), app.tracking.run_counts()
    batches = [b for e in endpoints for b in app.serving.label_batches(e.name)]
    return LoopFacts(
        now=app.clock.now(),
        replays=app.replays,
        events=last.seq if last else 0,
        datasets=app.data.datasets(limit=DATASETS).items,
        runs=sum(runs.values()),
        runs_running=runs["running"],
        gates=app.governance.gate_totals(),
        models=app.registry.models(),
        releases=releases,
        endpoints=endpoints,
        predictions=sum(t.answered for t in tallies.values()),
        labels=sum(b.joined for b in batches if b.state == "accepted"),
        labels_held=sum(b.rows for b in batches if b.state == "quarantined"),
        window=window,
        reference_loss=reference,
        alerts_open=app.monitoring.alerts(state="open", limit=ALERTS).items,
        alerts_ever=app.monitoring.alerts(limit=1).total,
        retrains=app.log.newest(limit=1, kinds=["retrain.decided"]).total,
    )


def _newest_window(app: App) -> tuple[WindowReport | None, float | None]:
    """Return the newest window whose labels were enough, and what its monitor measures against."""
    newest = [
        (window, monitor.reference.log_loss if monitor.reference else None)
        for monitor in app.monitoring.monitors()
        for window in app.monitoring.windows(monitor.name, limit=WINDOWS)
    ]
    judged = [pair for pair in newest if pair[0].log_loss is not None] or newest
    return max(judged, key=lambda pair: pair[0].end, default=(None, None))


def _nothing() -> Notice:
    return Notice(
        "empty",
        "This home is empty",
        "Watch a year of real flights run through the whole loop, or begin with your own data.",
        "treadle demo flights",
    )


ROUTES = (("/", home),)
