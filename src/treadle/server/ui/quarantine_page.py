"""The page of what is in quarantine of a dataset."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import Corrupt, NotFound
from treadle.server.asked import app_of
from treadle.server.ui import paging
from treadle.server.ui.contexts import HeldRow, QuarantinesContext, RowCells
from treadle.server.ui.places import (
    asking,
    dataset_place,
    dataset_version_place,
    quarantine_place,
    quarantines_place,
)
from treadle.server.ui.snippets import snippets
from treadle.server.ui.widgets import Link, Notice, Page, Pager

if TYPE_CHECKING:
    from starlette.requests import Request

    from treadle.app import App
    from treadle.data.entities import HeldRow as Held
    from treadle.data.entities import Quarantine

MOST_SHOWN = 200
NO_ROWS = Pager(0, 0, 0)


def quarantines_context(request: Request, name: str) -> QuarantinesContext:
    """Return what of a dataset is held, released or rejected, and the rows of one of these."""
    app, asked = app_of(request), request.query_params.get("id", "")
    app.data.version(name)  # which says when there is none of the name
    found = sorted(
        (*app.data.quarantines(name), *app.data.row_quarantines(name)),
        key=lambda q: (q.state != "held", q.id),
    )
    shown = next((q for q in found if q.id == asked), None)
    if asked and shown is None:
        raise NotFound("quarantine", asked, known=[q.id for q in found])
    shown = shown or next((q for q in found if q.kind == "rows"), None)
    check = request.query_params.get("check", "")
    columns, rows, pager, damage = _rows(request, app, shown, check)
    return QuarantinesContext(
        page=_page(app, name, shown),
        name=name,
        held=tuple(_held(q, shown) for q in found[:MOST_SHOWN]),
        shown=_held(shown, shown) if shown else None,
        check=check,
        checks=_checks(shown) if shown else (),
        columns=columns,
        rows=rows,
        pager=pager,
        notice=damage or _notice(name, len(found)),
    )


def _rows(
    request: Request, app: App, shown: Quarantine | None, check: str
) -> tuple[tuple[str, ...], tuple[RowCells, ...], Pager, Notice | None]:
    if shown is None or shown.kind != "rows":
        return (), (), NO_ROWS, None
    offset = paging.offset_of(request)
    try:
        page = app.data.held_rows(shown.id, check=check, limit=paging.ROWS, offset=offset)
    except Corrupt as error:
        told = Notice("error", "The rows cannot be read", str(error), "treadle data fsck")
        return (), (), NO_ROWS, told
    names = _ordered(app, shown, list(page.items[0].values) if page.items else [])
    keep = {"id": shown.id, "check": check}
    pager = paging.pager_of(request, page, offset=offset, keep=keep)
    return names, tuple(_cells(row, names) for row in page.items), pager, None


def _ordered(app: App, shown: Quarantine, names: list[str]) -> tuple[str, ...]:
    """Return the columns: what names a row first, then what is broken, then the rest."""
    number = shown.evidence.get("contract")
    known = app.data.contracts(shown.dataset)
    body = next((c.body for c in known if c.number == number), None)
    keys = (*body.with_role("id"), *body.with_role("time")) if body else ()
    related = {r.name: r.relation.columns for r in body.relations} if body else {}
    broken: list[str] = []
    for check in shown.checks:
        kind, _, column = check.partition(" ")
        broken += related.get(column, ()) if kind == "relation" else [column]
    wanted = dict.fromkeys([*keys, *broken, *names])
    return tuple(n for n in wanted if n in names)


def _cells(row: Held, names: tuple[str, ...]) -> RowCells:
    broken = {check.partition(" ")[2] for check in row.checks}
    return RowCells(
        row=row.row,
        checks=row.checks,
        cells=tuple((_cell(row.values[n]), n in broken) for n in names),
    )


def _cell(value: object) -> str:
    if value is None:
        return "–"
    return f"{value:.12g}" if isinstance(value, float) else str(value)


def _held(found: Quarantine, shown: Quarantine | None) -> HeldRow:
    number = found.released_number or found.clean_number
    became = f"{found.dataset}@{number}" if number else ""
    return HeldRow(
        id=found.id,
        href=asking(quarantines_place(found.dataset), {"id": found.id}),
        place=quarantine_place(found.dataset, found.id),
        version=Link(found.ref, dataset_version_place(found.ref)),
        kind=found.kind,
        state=found.state,
        rows=found.rows,
        since_us=found.at,
        reason=found.reason,
        became=Link(became, dataset_version_place(became)) if became else None,
        is_shown=shown is not None and shown.id == found.id,
    )


def _checks(shown: Quarantine) -> tuple[Link, ...]:
    place = quarantines_place(shown.dataset)
    return tuple(
        Link(f"{check} ({count:,})", asking(place, {"id": shown.id, "check": check}))
        for check, count in shown.checks.items()
    )


def _notice(name: str, total: int) -> Notice | None:
    if not total:
        return Notice(
            "empty",
            "Nothing is in quarantine",
            "Rows that break the contract are kept apart with the reason, and none is dropped.",
            f"treadle data validate {name} --quarantine",
        )
    if total > MOST_SHOWN:
        return Notice(
            "too_many",
            f"The first {MOST_SHOWN} of {total:,} are shown",
            "Those that are held come first.",
            f"treadle data quarantines --dataset {name} --limit {total}",
        )
    return None


def _page(app: App, name: str, shown: Quarantine | None) -> Page:
    is_rows = shown is not None and shown.kind == "rows"
    return Page(
        title=f"Quarantine of {name}",
        nav="data",
        crumbs=(Link("Data", "/data"), Link(name, dataset_place(name))),
        snippets=snippets(
            app.home,
            command=f"data quarantines show {shown.id[:12]}"
            if is_rows and shown
            else f"data quarantines --dataset {name}",
            python=f"rows = client.data.held_rows({shown.id!r})"
            if is_rows and shown
            else f"held = client.data.row_quarantines({name!r})",
        ),
        live="dataset.",
    )
