"""GET health and status."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import msgspec

from treadle import __version__
from treadle.server.answers import json_answer
from treadle.server.asked import Asked, app_of

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers here."""

    status: str
    version: str
    home: str
    pid: int


class Status(msgspec.Struct, frozen=True, kw_only=True):
    """What a home holds and what is under way."""

    home: str
    now: int
    replays: bool
    datasets: int
    runs: int
    runs_running: int
    models: int
    endpoints: dict[str, tuple[str, ...]]
    releases_open: int
    alerts_open: int
    jobs_ready: int
    jobs_running: int
    events: int


def health(request: Request) -> Response:
    """Say that this process answers, and for which home; asks no store."""
    Asked(request)
    home = str(app_of(request).home)
    return json_answer(Health(status="ok", version=__version__, home=home, pid=os.getpid()))


def status(request: Request) -> Response:
    """Count what the home holds."""
    Asked(request)
    return json_answer(status_of(app_of(request)))


def status_of(app: App) -> Status:
    """Count what a home holds and what is under way."""
    last, load, runs = app.log.last(), app.jobs.load(), app.tracking.run_counts()
    return Status(
        home=str(app.home),
        now=app.clock.now(),
        replays=app.replays,
        datasets=app.data.datasets(limit=1).total,
        runs=sum(runs.values()),
        runs_running=runs["running"],
        models=len(app.registry.models()),
        endpoints={
            e.name: tuple(f"{v.version} {v.role} {v.share:.0%}" for v in e.variants)
            for e in app.serving.endpoints()
        },
        releases_open=sum(r.is_open for r in app.releases.releases()),
        alerts_open=app.monitoring.alerts(state="open", limit=1).total,
        jobs_ready=load.ready,
        jobs_running=load.running,
        events=last.seq if last else 0,
    )


ROUTES = (("GET", "/health", health), ("GET", "/status", status))
