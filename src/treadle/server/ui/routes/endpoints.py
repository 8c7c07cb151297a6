"""GET /endpoints and an endpoint."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page, sent_on
from treadle.server.ui.contexts import EndpointsContext
from treadle.server.ui.endpoint_page import endpoint_context
from treadle.server.ui.endpoint_rows import endpoint_rows
from treadle.server.ui.places import endpoint_place
from treadle.server.ui.posted import posted
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Notice, Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.serving.entities import ContractMode


def endpoints(request: Request) -> Response:
    """List every stable URL and who answers it."""
    app = app_of(request)
    shown, pager = paging.cut(request, app.serving.endpoints())
    tallies = {e.name: app.serving.tally(e.name) for e in shown}
    context = EndpointsContext(
        page=Page(
            title="Endpoints",
            nav="endpoints",
            snippets=snippets(
                app.home,
                command="endpoints --json",
                python="endpoints = client.serving.endpoints()",
            ),
            live="endpoint. release. predictions. alert.",
        ),
        rows=endpoint_rows(shown, app=app, releases=app.releases.releases(), tallies=tallies),
        pager=pager,
        notice=None if shown else _nothing(),
    )
    return page(request, "endpoints.html", context)


def endpoint(request: Request) -> Response:
    """Show an endpoint: its traffic, its releases with the evidence of each stage."""
    url: str = request.app.state.inference_url()
    name = request.path_params["name"]
    return page(
        request, "endpoint.html", endpoint_context(app_of(request), name, inference_url=url)
    )


def contract(request: Request, fields: dict[str, str]) -> Response:
    """Say what becomes of requests that break the contract."""
    name = request.path_params["name"]
    mode = cast("ContractMode", fields.get("mode", ""))
    app_of(request).serving.set_contract_mode(name, mode, reason=fields.get("reason", "").strip())
    return sent_on(request, f"{endpoint_place(name)}#contract")


def _nothing() -> Notice:
    return Notice(
        "empty",
        "No endpoint yet",
        "A project's first version that passes its gates is released to its endpoint.",
        "treadle run",
    )


ROUTES = (("/endpoints", endpoints), ("/endpoints/{name}", endpoint))
POSTS = (("/endpoints/{name}/contract", posted(contract)),)
