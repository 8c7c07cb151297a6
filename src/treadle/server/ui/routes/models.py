"""GET /models, a model, a model version."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import ModelContext, ModelRow, ModelsContext, ModelVersionRow
from treadle.server.ui.model_page import gate_state, model_version_context
from treadle.server.ui.places import endpoint_place, model_place, run_place, version_link
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Column, Link, Notice, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App
    from treadle.registry.entities import Model, ModelVersion

METRICS = 4
CHAMPION = "champion"
FIXED = ("Version", "Gate", "Aliases", "Registered", "Run")


def models(request: Request) -> Response:
    """List registered models."""
    app = app_of(request)
    shown, pager = paging.cut(request, app.registry.models())
    serving: dict[str, list[Link]] = defaultdict(list)
    for endpoint in app.serving.endpoints():
        serving[endpoint.model].append(Link(endpoint.name, endpoint_place(endpoint.name)))
    context = ModelsContext(
        page=Page(
            title="Models",
            nav="models",
            snippets=snippets(
                app.home, command="models --json", python="models = client.registry.models()"
            ),
            live="model.",
        ),
        rows=tuple(_row(model, tuple(serving[model.name])) for model in shown),
        pager=pager,
        notice=None if shown else _nothing(),
    )
    return page("models.html", context)


def model(request: Request) -> Response:
    """List the versions of a model with their gate verdicts and metrics, newest first."""
    app, name = app_of(request), request.path_params["name"]
    shown, pager = paging.cut(request, app.registry.versions(name))
    runs = [version.run_id for version in shown if version.run_id]
    metrics, verdicts = app.tracking.metrics_of(runs), app.governance.gate_verdicts(runs)
    keys = _most(metrics)
    aliases = _by_number(app.registry.aliases(name))
    context = ModelContext(
        page=_page(app, name),
        name=name,
        columns=(
            *(Column(label) for label in FIXED),
            *(Column(key, is_numeric=True) for key in keys),
        ),
        versions=tuple(
            _version(
                version,
                aliases=aliases[version.number],
                passed=verdicts.get(version.run_id or ""),
                values=tuple(metrics.get(version.run_id or "", {}).get(key) for key in keys),
            )
            for version in shown
        ),
        pager=pager,
    )
    return page("model.html", context)


def version(request: Request) -> Response:
    """Show a model version with the evidence of its gates."""
    name, number = request.path_params["name"], request.path_params["number"]
    return page("model_version.html", model_version_context(app_of(request), f"{name}@{number}"))


def _page(app: App, name: str) -> Page:
    return Page(
        title=name,
        nav="models",
        crumbs=(Link("Models", "/models"),),
        snippets=snippets(
            app.home,
            command=f"models show {name}@latest --json",
            python=f"versions = client.registry.versions({name!r})",
        ),
        live="model.",
    )


def _row(model: Model, endpoints: tuple[Link, ...]) -> ModelRow:
    champion = model.aliases.get(CHAMPION)
    return ModelRow(
        name=model.name,
        href=model_place(model.name),
        versions=model.latest,
        latest=version_link(f"{model.name}@{model.latest}") if model.latest else None,
        champion=version_link(f"{model.name}@{champion}") if champion else None,
        endpoints=endpoints,
        updated_us=model.updated_at,
    )


def _version(
    version: ModelVersion,
    *,
    aliases: Sequence[str],
    passed: bool | None,
    values: tuple[float | None, ...],
) -> ModelVersionRow:
    link = version_link(version.ref)
    run = Link(version.run_id[:12], run_place(version.run_id)) if version.run_id else None
    return ModelVersionRow(
        version=str(version.number),
        href=link.href if link else "",
        gate=gate_state(passed),
        aliases=tuple(aliases),
        created_us=version.created_at,
        run=run,
        values=values,
    )


def _most(metrics: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    counts = Counter(key for found in metrics.values() for key in found if "." not in key)
    return tuple(sorted(counts, key=lambda key: (-counts[key], key))[:METRICS])


def _by_number(aliases: Mapping[str, int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for alias, number in aliases.items():
        found[number].append(alias)
    return found


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No model yet",
        "A candidate whose gates pass is registered and signed.",
        "treadle run",
    )


ROUTES = (
    ("/models", models),
    ("/models/{name}", model),
    ("/models/{name}/{number}", version),
)
