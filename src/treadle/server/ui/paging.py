"""Which part of a list a page shows, and the addresses of the parts beside it."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from treadle.server.asked import OFFSET_MOST
from treadle.server.ui.answer import path_of
from treadle.server.ui.places import asking
from treadle.server.ui.widgets import Pager

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from starlette.requests import Request

    from treadle.kernel.paging import Page

T = TypeVar("T")

ROWS = 100


def offset_of(request: Request) -> int:
    """Return how many rows the address leaves out; what is no such number leaves out none."""
    text = request.query_params.get("offset", "")
    is_number = text.isascii() and text.isdigit() and len(text) < 10  # noqa: PLR2004 - ten digits are past OFFSET_MOST
    return min(int(text), OFFSET_MOST) if is_number else 0


def pager_of(
    request: Request,
    page: Page[T],
    *,
    offset: int,
    keep: Mapping[str, object] | None = None,
    rows: int = ROWS,
) -> Pager:
    """Return the pager of a page of a list; `keep` is what the addresses beside it carry on."""
    return _pager(
        request, shown=len(page.items), total=page.total, offset=offset, keep=keep or {}, rows=rows
    )


def cut(request: Request, items: Sequence[T]) -> tuple[tuple[T, ...], Pager]:
    """Return the part of a whole list that is shown, with its pager."""
    offset = offset_of(request)
    shown = tuple(items[offset : offset + ROWS])
    return shown, _pager(request, shown=len(shown), total=len(items), offset=offset, keep={})


def _pager(
    request: Request,
    *,
    shown: int,
    total: int,
    offset: int,
    keep: Mapping[str, object],
    rows: int = ROWS,
) -> Pager:
    path, reached = path_of(request), offset + shown
    before = asking(path, {**keep, "offset": max(0, offset - rows)}) if offset else ""
    after = asking(path, {**keep, "offset": reached}) if reached < total and shown else ""
    return Pager(
        first=offset + 1 if shown else 0, last=reached, total=total, previous=before, next=after
    )
