"""GET /models, a model, a model version."""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page as Found
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import ModelContext, ModelRow, ModelsContext, ModelVersionRow
from treadle.server.ui.model_compare import model_compare_context
from treadle.server.ui.model_page import gate_state, model_version_context, tag_pairs
from treadle.server.ui.places import (
    endpoint_place,
    model_place,
    run_place,
    version_compare_place,
    version_link,
    version_place,
)
from treadle.server.ui.snippets import mlflow_snippet, snippets
from treadle.server.ui.widgets import Column, Link, Notice, Page

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.app import App
    from treadle.registry.entities import Model, ModelVersion

METRICS = 4
TAGS = 4
DESCRIPTION = 200
FIXED = ("Version", "Gate", "Stage", "Aliases", "Registered", "Run")
# The two newest are what one most often wants beside each other.
PRESELECTED = 2


def models(request: Request) -> Response:
    """List registered models."""
    app, offset = app_of(request), paging.offset_of(request)
    asked = request.query_params.get("filter", "")
    found, problem = _found(app, where=asked, offset=offset)
    serving: dict[str, list[Link]] = defaultdict(list)
    for endpoint in app.serving.endpoints():
        serving[endpoint.model].append(Link(endpoint.name, endpoint_place(endpoint.name)))
    stages = app.registry.newest_of_stages([model.name for model in found.items])
    where = f"where={asked!r}" if asked else ""
    context = ModelsContext(
        page=Page(
            title="Models",
            nav="models",
            snippets=(
                *snippets(
                    app.home,
                    command="models --json",
                    python=f"models = client.registry.search_models({where})",
                ),
                mlflow_snippet(request, "models = mlflow.search_registered_models()"),
            ),
            live="model.",
        ),
        filter=asked,
        rows=tuple(
            _row(model, tuple(serving[model.name]), stage=_stage(stages[model.name]))
            for model in found.items
        ),
        pager=paging.pager_of(request, found, offset=offset, keep={"filter": asked}),
        notice=problem or (None if found.items else _nothing(is_narrowed=bool(asked))),
    )
    return page(request, "models.html", context)


def model(request: Request) -> Response:
    """List the versions of a model with their gate verdicts and metrics, newest first."""
    app, name = app_of(request), request.path_params["name"]
    found = app.registry.model(name)
    shown, pager = paging.cut(request, app.registry.versions(name))
    runs = [version.run_id for version in shown if version.run_id]
    metrics, verdicts = app.tracking.metrics_of(runs), app.governance.gate_verdicts(runs)
    keys = _most(metrics)
    aliases = _by_number(found.aliases)
    context = ModelContext(
        page=_page(app, name, request=request),
        name=name,
        description=found.description,
        tags=tag_pairs(found.tags),
        compare=version_compare_place(name),
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
                is_selected=at < PRESELECTED <= len(shown),
            )
            for at, version in enumerate(shown)
        ),
        pager=pager,
        notice=None if shown else _no_version(name),
    )
    return page(request, "model.html", context)


def compare(request: Request) -> Response:
    """Put versions of a model side by side, what differs first."""
    asked = ",".join(request.query_params.getlist("versions"))
    context = model_compare_context(app_of(request), request.path_params["name"], asked=asked)
    return page(request, "model_compare.html", context)


def version(request: Request) -> Response:
    """Show a model version with the evidence of its gates."""
    name, number = request.path_params["name"], request.path_params["number"]
    context = model_version_context(app_of(request), f"{name}@{number}", request=request)
    return page(request, "model_version.html", context)


def _found(app: App, *, where: str, offset: int) -> tuple[Found[Model], Notice | None]:
    try:
        found = app.registry.search_models(where=where, limit=paging.ROWS, offset=offset)
    except InvalidInput as error:
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return found, None


def _page(app: App, name: str, *, request: Request) -> Page:
    return Page(
        title=name,
        nav="models",
        crumbs=(Link("Models", "/models"),),
        snippets=(
            *snippets(
                app.home,
                command=f"models show {name}@latest --json",
                python=f"versions = client.registry.versions({name!r})",
            ),
            mlflow_snippet(
                request,
                f"versions = mlflow.search_model_versions(filter_string=\"name='{name}'\")",
            ),
        ),
        live="model.",
    )


def _stage(newest: Sequence[ModelVersion]) -> str:
    """Return the furthest stage any version stands in; none says nothing."""
    order = ("production", "staging", "archived")
    there = {version.stage for version in newest}
    return next((stage for stage in order if stage in there), "")


def _row(model: Model, endpoints: tuple[Link, ...], *, stage: str) -> ModelRow:
    return ModelRow(
        name=model.name,
        href=model_place(model.name),
        description=model.description[:DESCRIPTION],
        tags=tag_pairs(model.tags)[:TAGS],
        versions=model.versions,
        latest=version_link(f"{model.name}@{model.latest}") if model.latest else None,
        stage=stage,
        aliases=tuple(
            Link(f"{alias} @{number}", version_place(f"{model.name}@{number}"))
            for alias, number in sorted(model.aliases.items())
        ),
        endpoints=endpoints,
        updated_us=model.updated_at,
    )


def _version(
    version: ModelVersion,
    *,
    aliases: Sequence[str],
    passed: bool | None,
    values: tuple[float | None, ...],
    is_selected: bool,
) -> ModelVersionRow:
    link = version_link(version.ref)
    run = Link(version.run_id[:12], run_place(version.run_id)) if version.run_id else None
    return ModelVersionRow(
        version=str(version.number),
        href=link.href if link else "",
        gate=gate_state(passed),
        stage="" if version.stage == "none" else version.stage,
        status="" if version.status == "ready" else version.status,
        aliases=tuple(aliases),
        created_us=version.created_at,
        run=run,
        values=values,
        is_selected=is_selected,
    )


def _most(metrics: Mapping[str, Mapping[str, float]]) -> tuple[str, ...]:
    counts = Counter(key for found in metrics.values() for key in found if "." not in key)
    return tuple(sorted(counts, key=lambda key: (-counts[key], key))[:METRICS])


def _by_number(aliases: Mapping[str, int]) -> defaultdict[int, list[str]]:
    found: defaultdict[int, list[str]] = defaultdict(list)
    for alias, number in aliases.items():
        found[number].append(alias)
    return found


def _nothing(*, is_narrowed: bool) -> Notice:
    if is_narrowed:
        return Notice("empty", "No model matches", "Take a condition away to see more.")
    return Notice(
        "empty",
        "No model yet",
        "A candidate whose gates pass is registered and signed.",
        "treadle run",
    )


def _no_version(name: str) -> Notice:
    return Notice(
        "empty",
        "No version yet",
        "A version is a model that was saved under this name.",
        f"client.registry.register({name!r}, model, …)",
    )


ROUTES = (
    ("/models", models),
    ("/models/{name}", model),
    ("/models/{name}/compare", compare),
    ("/models/{name}/{number}", version),
)
