"""GET /ui/live: server-sent events of what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.server.ui.live import LiveFeed


async def live(request: Request) -> StreamingResponse:
    """Tell what happens from now on, until the reader goes."""
    feed: LiveFeed = request.app.state.live
    feed.admit()
    return StreamingResponse(
        feed.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


ROUTES = (("/ui/live", live),)
