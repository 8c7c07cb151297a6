"""GET /ui/palette.json: everything one can go to by name; GET /ui/patterns: every widget."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.server.answers import json_answer
from treadle.server.asked import app_of
from treadle.server.ui import places
from treadle.server.ui.answer import page, root_of
from treadle.server.ui.patterns import portfolio

if TYPE_CHECKING:
    from collections.abc import Iterator

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App

RUNS = 200
DATASETS = 500
EVALUATIONS = 300
EXPERIMENTS = 300
PAGES = (
    ("Home", "/"),
    ("Runs", "/runs"),
    ("Experiments", "/experiments"),
    ("Traces", "/traces"),
    ("Data", "/data"),
    ("Evaluation datasets", "/evaluation"),
    ("Models", "/models"),
    ("Endpoints", "/endpoints"),
    ("Monitors", "/monitors"),
    ("Events", "/events"),
)


class Entry(msgspec.Struct, frozen=True):
    """One thing to go to."""

    label: str
    group: str
    href: str


def palette(request: Request) -> Response:
    """List pages, datasets, models, endpoints, monitors and the newest runs."""
    root = root_of(request)
    found = tuple(entries(app_of(request)))
    return json_answer([Entry(e.label, e.group, root + e.href) for e in found] if root else found)


def entries(app: App) -> Iterator[Entry]:
    """Yield everything one can go to, pages first."""
    yield from (Entry(label, "Page", href) for label, href in PAGES)
    for endpoint in app.serving.endpoints():
        yield Entry(endpoint.name, "Endpoint", places.endpoint_place(endpoint.name))
    for model in app.registry.models():
        yield Entry(model.name, "Model", places.model_place(model.name))
        newest = f"{model.name}@{model.latest}"
        for ref in dict.fromkeys([newest, *(f"{model.name}@{n}" for n in model.aliases.values())]):
            yield Entry(ref, "Model version", places.version_place(ref))
    for dataset in app.data.datasets(limit=DATASETS).items:
        yield Entry(dataset.name, "Dataset", places.dataset_place(dataset.name))
    for evaluation in app.evaluation.search(limit=EVALUATIONS).items:
        place = places.evaluation_place(evaluation.id)
        yield Entry(evaluation.name, "Evaluation dataset", place)
    for monitor in app.monitoring.monitors():
        yield Entry(monitor.name, "Monitor", places.monitor_place(monitor.name))
    for experiment in app.tracking.search_experiments(limit=EXPERIMENTS).items:
        place = places.asking("/runs", {"experiment": experiment.name})
        yield Entry(experiment.name, "Experiment", place)
    for view in app.views.views("runs"):
        yield Entry(view.name, "View of runs", f"/runs?{view.query}" if view.query else "/runs")
    for run in app.tracking.search_runs(limit=RUNS, count=False).items:
        label = f"{run.name or 'run'} {run.id[:12]}"
        yield Entry(label, f"Run of {run.experiment}", places.run_place(run.id))


def patterns(request: Request) -> Response:
    """Show each widget in each of its states."""
    return page(request, "patterns.html", portfolio(app_of(request).clock.now()))


ROUTES = (("/ui/palette.json", palette), ("/ui/patterns", patterns))
