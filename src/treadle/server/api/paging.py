"""Pages of lists that come whole from their verb."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

from treadle.kernel.paging import Page, page_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.server.asked import Asked

T = TypeVar("T")


def cut(items: Sequence[T], asked: Asked) -> Page[T]:
    """Return the asked part of a list."""
    kept = tuple(items[asked.offset : asked.offset + asked.limit])
    return page_of(kept, total=len(items), offset=asked.offset)
