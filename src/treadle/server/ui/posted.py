"""What a form of a page sends: its fields, read within bounds."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

from starlette.concurrency import run_in_threadpool

from treadle.kernel.errors import InvalidInput
from treadle.server.asked import read_body

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.requests import Request
    from starlette.responses import Response

FORM = "application/x-www-form-urlencoded"
FIELDS_MOST = 100
BYTES_MOST = 64 << 10


def posted(
    handler: Callable[[Request, dict[str, str]], Response],
) -> Callable[[Request], Awaitable[Response]]:
    """Make a route of a handler that takes the fields of a form; of a field twice, the last."""

    async def route(request: Request) -> Response:
        fields = form_fields(request.headers.get("content-type", ""), await read_body(request))
        return await run_in_threadpool(handler, request, fields)

    route.__doc__ = handler.__doc__
    route.__name__ = handler.__name__
    return route


def form_fields(media: str, body: bytes) -> dict[str, str]:
    """Return the fields of a form. Raises InvalidInput when it is none."""
    if media.partition(";")[0].strip().lower() != FORM or len(body) > BYTES_MOST:
        raise InvalidInput("The body is no form.", hint=f"Send {FORM}, at most 64 kB.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=FIELDS_MOST)
    except ValueError as error:
        raise InvalidInput("The form cannot be read.") from error
    return dict(pairs)
