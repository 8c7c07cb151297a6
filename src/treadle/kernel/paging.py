"""A page of a longer list."""

from __future__ import annotations

from typing import Generic, TypeVar

import msgspec

T = TypeVar("T")


class Page(msgspec.Struct, Generic[T], frozen=True):
    """Some items of a list, how many there are in all, and the offset of the next page."""

    items: tuple[T, ...]
    total: int
    next_offset: int | None = None


def page_of(items: tuple[T, ...], *, total: int, offset: int) -> Page[T]:
    """Make a page from the items found at an offset."""
    reached = offset + len(items)
    return Page(items=items, total=total, next_offset=reached if reached < total else None)
