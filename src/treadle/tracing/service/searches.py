"""The verb that finds traces."""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.kernel.errors import InvalidInput, near_misses
from treadle.kernel.filters import conditions_of
from treadle.kernel.list_fields import check_filter, check_orders
from treadle.kernel.paging import Page, page_of
from treadle.tracing import store
from treadle.tracing.filtering import TRACES
from treadle.tracing.store import search

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.kernel.filters import Node
    from treadle.tracing.entities import Trace
    from treadle.tracing.service.doors import Doors

PAGE_LIMIT = 1_000
KEYS = {"span": ("name", "type", "status", "content", "attributes.NAME"), "issue": ("id",)}


def search_traces(
    self: Doors,
    *,
    experiment_ids: Sequence[str] | None = None,
    where: str = "",
    order_by: str | Sequence[str] = (),
    limit: int = 100,
    offset: int = 0,
    count: bool = True,
) -> Page[Trace]:
    """Return a page of traces, and how many match in all; the newest first by default.

    `where` may ask for `status`, `name`, `duration` (s), `started_at`, `run_id`, `tags.NAME`,
    `metadata.NAME`, `feedback.NAME`, `expectation.NAME`, `text`, and of one span `span.name`,
    `span.type`, `span.status`, `span.attributes.NAME`. `count=False` saves the count: `total` then
    ends with the page, or one behind it when more follow.
    """
    if not 1 <= limit <= PAGE_LIMIT or offset < 0:
        raise InvalidInput(
            f"A page of {limit} traces at offset {offset} cannot be.",
            hint=f"Use a limit of 1 to {PAGE_LIMIT} and an offset of at least 0.",
        )
    node = check_filter(where, TRACES)
    _check_keys(node)
    orders = check_orders(order_by, TRACES, default="started_at desc")
    with self.metadata.read() as tx:
        ids = search.find_ids(
            tx, experiment_ids=experiment_ids, where=node, orders=orders, limit=limit + 1,
            offset=offset,
        )  # fmt: skip
        total = offset + len(ids)
        # The last page says by its end how many there are.
        if count and (len(ids) > limit or not ids):
            total = search.count(tx, experiment_ids=experiment_ids, where=node)
        return page_of(store.traces_of(tx, ids[:limit]), total=total, offset=offset)


def _check_keys(node: Node) -> None:
    for found in conditions_of(node):
        known = KEYS.get(found.field)
        named = found.key.partition(".")[0] == "attributes" and found.key != "attributes."
        if known is None or found.key in known or (named and found.field == "span"):
            continue
        close = near_misses(found.key, known)
        raise InvalidInput(
            f"A filter of traces cannot ask for {found.name!r}.",
            hint=f"Did you mean {found.field}.{close[0]}?"
            if close
            else f"It knows {', '.join(f'{found.field}.{key}' for key in known)}.",
        )
