"""GET /ui/live: server-sent events of what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import StreamingResponse

from treadle.server.asked import app_of

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.server.ui.live import LiveFeed


async def live(request: Request) -> StreamingResponse:
    """Tell what happens from now on, until the reader goes."""
    feeds: LiveFeed = request.app.state.live
    feed = feeds.of(app_of(request).log)
    feed.admit()
    return StreamingResponse(
        feed.listen(), media_type="text/event-stream", headers={"Cache-Control": "no-store"}
    )


ROUTES = (("/ui/live", live),)
