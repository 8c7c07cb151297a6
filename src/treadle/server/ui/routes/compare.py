"""GET /compare: runs side by side; GET /ui/curves.json: the curves pages draw."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from starlette.responses import Response

from treadle.kernel.errors import InvalidInput
from treadle.server.answers import json_answer
from treadle.server.asked import app_of
from treadle.server.ui.answer import page
from treadle.server.ui.compare_page import compare_context
from treadle.server.ui.curves import KEYS_MOST, RUNS_MOST, curves
from treadle.server.ui.runs_asked import run_ids

if TYPE_CHECKING:
    from starlette.requests import Request


def compare(request: Request) -> Response:
    """Show runs side by side, what differs first."""
    return page(request, "compare.html", compare_context(app_of(request), request))


def curves_json(request: Request) -> Response:
    """Answer with curves; who names what he has (If-None-Match) is told when nothing is new."""
    given = request.query_params
    runs, keys = run_ids(given), [key for key in given.getlist("key") if key]
    if not runs or not keys or len(runs) > RUNS_MOST or len(keys) > KEYS_MOST:
        raise InvalidInput(
            f"{len(runs)} runs and {len(keys)} metrics were asked for.",
            hint=f"Ask for runs=ID,ID and key=NAME: 1 to {RUNS_MOST} and 1 to {KEYS_MOST}.",
        )
    answer = json_answer({"curves": curves(app_of(request), runs, keys)})
    tag = f'"{hashlib.blake2b(answer.body, digest_size=12).hexdigest()}"'
    headers = {"ETag": tag, "Cache-Control": "no-cache"}
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers=headers)
    answer.headers.update(headers)
    return answer


ROUTES = (("/compare", compare), ("/ui/curves.json", curves_json))
