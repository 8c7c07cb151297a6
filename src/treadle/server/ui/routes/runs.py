"""GET /runs, a run, and its files."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response, StreamingResponse

from treadle.kernel.errors import InvalidInput
from treadle.kernel.paging import Page as Found
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.answer import page
from treadle.server.ui.contexts import RunRow, RunsContext
from treadle.server.ui.formats import elapsed
from treadle.server.ui.places import run_place
from treadle.server.ui.run_columns import NEWEST_FIRST, Shown, cells, columns, shown
from treadle.server.ui.run_page import run_context
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Notice, Option, Page, Snippet
from treadle.tracking.rules import STATUSES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path
    from typing import BinaryIO

    from starlette.requests import Request

    from treadle.app import App
    from treadle.tracking.entities import Run

BLOCK_BYTES = 1 << 16
KEPT = ("experiment", "status", "parent", "filter")


def runs(request: Request) -> Response:
    """List runs with their metrics and params on screen."""
    app, asked = app_of(request), request.query_params
    offset, order = paging.offset_of(request), asked.get("order") or NEWEST_FIRST
    keep = {name: asked.get(name, "") for name in KEPT}
    found, problem = _found(app, keep=keep, order=order, offset=offset)
    chosen = shown(found.items)
    keep_order = {**keep, "order": "" if order == NEWEST_FIRST else order}
    return page(
        "runs.html",
        RunsContext(
            page=_page(app.home, keep=keep),
            filter=keep["filter"],
            experiments=_experiments(app, keep["experiment"]),
            statuses=tuple(Option(s, s, None, s == keep["status"]) for s in STATUSES),
            columns=columns(chosen, found.items, order=order, keep=keep),
            rows=tuple(_row(run, chosen) for run in found.items),
            pager=paging.pager_of(request, found, offset=offset, keep=keep_order),
            notice=problem or (None if found.items else _nothing(is_narrowed=any(keep.values()))),
        ),
    )


def run(request: Request) -> Response:
    """Show everything one execution logged."""
    return page("run.html", run_context(app_of(request), request.path_params["id"]))


def artifact(request: Request) -> Response:
    """Hand over a file of a run; a browser saves it and never runs it."""
    found, path = request.path_params["id"], request.path_params["path"]
    stream = app_of(request).tracking.open_artifact(found, path)
    name = path.rpartition("/")[2].replace('"', "")
    return StreamingResponse(
        _blocks(stream),
        media_type="application/octet-stream",
        headers={
            "Content-Disposition": f'attachment; filename="{_ascii(name)}"',
            "Content-Security-Policy": "sandbox",
        },
    )


def _found(
    app: App, *, keep: Mapping[str, str], order: str, offset: int
) -> tuple[Found[Run], Notice | None]:
    try:
        found = app.tracking.search_runs(
            experiment=keep["experiment"] or None,
            status=keep["status"] or None,
            parent_id=keep["parent"] or None,
            where=keep["filter"],
            order_by=order,
            limit=paging.ROWS,
            offset=offset,
        )
    except InvalidInput as error:
        # Told in place of the list: who types a filter keeps it, with what is wrong about it.
        return Found(items=(), total=0), Notice("error", error.message, error.hint)
    return found, None


def _page(home: Path, *, keep: dict[str, str]) -> Page:
    narrowed = f" --experiment {keep['experiment']}" if keep["experiment"] else ""
    given = ", ".join(
        f"{argument}={keep[name]!r}"
        for name, argument in (
            ("experiment", "experiment"),
            ("status", "status"),
            ("parent", "parent_id"),
            ("filter", "where"),
        )
        if keep[name]
    )
    offered: tuple[Snippet, ...] = snippets(
        home,
        command=f"runs{narrowed} --json",
        python=f"runs = client.tracking.search_runs({given})",
    )
    return Page(title="Runs", nav="runs", snippets=offered, live="run.")


def _experiments(app: App, chosen: str) -> tuple[Option, ...]:
    names = [experiment.name for experiment in app.tracking.experiments()]
    return tuple(Option(name, name, None, name == chosen) for name in names)


def _row(run: Run, found: Shown) -> RunRow:
    return RunRow(
        id=run.id,
        name=run.name or run.id[:12],
        href=run_place(run.id),
        status=run.status,
        started_us=run.started_at,
        duration_us=elapsed(run.started_at, run.ended_at),
        values=cells(run, found),
    )


def _nothing(*, is_narrowed: bool) -> Notice:
    if is_narrowed:
        return Notice("empty", "No run matches", "Take a condition away to see more.")
    return Notice(
        "empty", "No run yet", "A pipeline that runs leaves its runs here.", "treadle run"
    )


def _blocks(stream: BinaryIO) -> Iterator[bytes]:
    with stream:
        while block := stream.read(BLOCK_BYTES):
            yield block


def _ascii(name: str) -> str:
    kept = "".join(c if c.isascii() and c.isprintable() else "_" for c in name)
    return kept or "artifact"


ROUTES = (
    ("/runs", runs),
    ("/runs/{id}", run),
    ("/runs/{id}/artifacts/{path:path}", artifact),
)
