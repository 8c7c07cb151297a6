"""Saved views: a page's query under a name, so that a look at many runs can be gone back to."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import Conflict, InvalidInput, NotFound
from treadle.tracking.facts import ViewRemoved, ViewSaved
from treadle.tracking.store import views as sql

if TYPE_CHECKING:
    from treadle.storage.ports import MetadataStore

PAGES = ("runs", "compare")
NAME_LENGTH = 100
QUERY_LENGTH = 8000
VIEWS_MOST = 500


class SavedView(msgspec.Struct, frozen=True, kw_only=True):
    """A name for the query of a page: `page="runs", query="status=failed&order=name"`."""

    page: str
    name: str
    query: str
    created_at: int


class Views:
    """Saved views of the pages. May be shared by threads; every verb is one transaction."""

    def __init__(self, *, store: MetadataStore) -> None:
        self._store = store

    def views(self, page: str = "runs") -> tuple[SavedView, ...]:
        """Return the saved views of a page by name."""
        with self._store.read() as tx:
            found = sql.list_views(tx, page=page)
        return tuple(SavedView(page=page, name=n, query=q, created_at=at) for n, q, at in found)

    def save(self, name: str, *, query: str, page: str = "runs") -> SavedView:
        """Save a query under a name; the same name again takes its place."""
        name, query = name.strip(), query.removeprefix("?")
        _check(name, query=query, page=page)
        with self._store.write() as tx:
            sql.put_view(tx, page=page, name=name, query=query)
            if sql.count_views(tx, page=page) > VIEWS_MOST:
                raise Conflict(
                    f"The page has {VIEWS_MOST} views already.", hint="Remove one of them first."
                )
            tx.emit(ViewSaved(page=page, name=name, query=query))
            return SavedView(page=page, name=name, query=query, created_at=tx.at)

    def remove(self, name: str, *, page: str = "runs") -> None:
        """Remove a saved view. Raises NotFound with the near miss."""
        with self._store.write() as tx:
            if not sql.remove_view(tx, page=page, name=name):
                known = [found for found, _, _ in sql.list_views(tx, page=page)]
                raise NotFound("view", name, known=known)
            tx.emit(ViewRemoved(page=page, name=name))


def _check(name: str, *, query: str, page: str) -> None:
    if page not in PAGES:
        raise InvalidInput(f"No page {page!r} has views.", hint=f"Use {' or '.join(PAGES)}.")
    if not name or len(name) > NAME_LENGTH or not name.isprintable():
        raise InvalidInput(
            "A view has a name.", hint=f"Use 1 to {NAME_LENGTH} printable characters."
        )
    if len(query) > QUERY_LENGTH or not query.isprintable():
        raise InvalidInput(
            f"A view's query has {len(query)} characters.",
            hint=f"It is the query of an address, of at most {QUERY_LENGTH} characters.",
        )
