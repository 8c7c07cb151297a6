"""MLflow's REST API: a door on the same services as pages and API; the wire is theirs, no rule is.

How a module plugs in: it exports `ROUTES`, a tuple of `(method, path, handler)`, named below.
1. `path` begins behind the version: `/mlflow/runs/create`; `{name}` is a segment, `{name:path}` a
   tail. Every route answers under all of `PREFIXES`; what stands outside them is in `ROOT_ROUTES`.
2. `def handler(call: Call) -> Struct | None | Response` runs in a thread: `call.read(Kind)` decodes
   query or body, `call.path["name"]` is from the path, `call.app` has the services.
3. `async def handler(request: Request) -> Response` streams: `asked.app_of(request)`.
4. Raise our errors: `errors.py` words them. `WireError(code, message)` is for the wire's limits.
5. Wire structs derive from `wire.Ask` (requests) or `wire.Answer` (a field that is UNSET is left
   out, as protobuf does).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.mlflow import (
    artifacts,
    assessments,
    batches,
    datasets,
    evaluation,
    experiments,
    info,
    metrics,
    models,
    registry,
    runs,
    spans,
    traces,
    webhooks,
)
from treadle.server.mlflow.door import Door

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from treadle.app import App
    from treadle.server.mlflow.door import Route

PREFIXES = ("/api/2.0", "/api/3.0", "/ajax-api/2.0", "/ajax-api/3.0")
ROUTES: tuple[Route, ...] = (
    *info.ROUTES,
    *experiments.ROUTES,
    *runs.ROUTES,
    *batches.ROUTES,
    *metrics.ROUTES,
    *models.ROUTES,
    *registry.ROUTES,
    *webhooks.ROUTES,
    *datasets.ROUTES,
    *evaluation.ROUTES,
    *traces.ROUTES,
    *assessments.ROUTES,
    *artifacts.ROUTES,
)
ROOT_ROUTES: tuple[Route, ...] = (
    *info.ROOT_ROUTES,
    *artifacts.ROOT_ROUTES,
    *spans.ROOT_ROUTES,
)


def mlflow_door(otherwise: ASGIApp, app: App) -> Door:
    """Return the door before everything else: what is not MLflow's goes on to `otherwise`."""
    return Door(otherwise, app, routes=ROUTES, prefixes=PREFIXES, root_routes=ROOT_ROUTES)
