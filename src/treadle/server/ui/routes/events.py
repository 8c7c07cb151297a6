"""GET /events: the chained log, newest first."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import EventRow, EventsContext
from treadle.server.ui.places import subject_link
from treadle.server.ui.sentences import known_kinds, sentence
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Notice, Option, Page

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from treadle.server.ui.chain import ChainWatch
    from treadle.storage.events import Event

NOUNS = (
    "dataset", "run", "experiment", "pipeline", "study", "model", "endpoint", "monitor", "job",
)  # fmt: skip


def events(request: Request) -> Response:
    """List what happened, told in sentences."""
    app, offset = app_of(request), paging.offset_of(request)
    chain: ChainWatch = request.app.state.chain
    kind = request.query_params.get("kind", "")
    about = request.query_params.get("subject", "").strip()
    found = app.log.newest(
        limit=paging.ROWS,
        offset=offset,
        kinds=[kind] if kind else (),
        subject=subjects(about) if about else None,
    )
    context = EventsContext(
        page=Page(
            title="Events",
            nav="events",
            snippets=snippets(
                app.home,
                command="audit verify",
                python="events = client.log.newest(limit=100)\nclient.governance.verify()",
            ),
            live="*",
        ),
        chain=chain.of(app.log).look(),
        kinds=tuple(Option(k, k, None, k == kind) for k in known_kinds()),
        filter=about,
        rows=tuple(_row(event) for event in found.items),
        pager=paging.pager_of(request, found, offset=offset, keep={"kind": kind, "subject": about}),
        notice=None if found.items else _nothing(is_narrowed=bool(kind or about)),
    )
    return page(request, "events.html", context)


def subjects(about: str) -> tuple[str, ...]:
    """Return the subjects a text may mean: itself, or a thing of that name of any noun."""
    return (about,) if "/" in about else tuple(f"{noun}/{about}" for noun in NOUNS)


def _row(event: Event) -> EventRow:
    return EventRow(
        sequence=event.seq,
        at_us=event.at,
        kind=event.kind,
        subject=subject_link(event.subject),
        actor=event.actor,
        text=sentence(event),
        digest=event.hash,
    )


def _nothing(*, is_narrowed: bool) -> Notice:
    if is_narrowed:
        return Notice(
            "empty", "No event matches", "A subject is the name of a thing, such as late."
        )
    return Notice("empty", "Nothing has happened yet", "Every change leaves one event here.")


ROUTES = (("/events", events),)
