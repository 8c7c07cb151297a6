from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from treadle.kernel.paging import page_of


@given(total=st.integers(0, 60), limit=st.integers(1, 20))
def test_walking_the_pages_meets_every_item_once(total: int, limit: int) -> None:
    items, seen, offset = tuple(range(total)), [], 0

    while offset is not None:
        page = page_of(items[offset : offset + limit], total=total, offset=offset)
        seen += page.items
        offset = page.next_offset

    assert seen == list(items)


def test_the_last_page_has_no_next() -> None:
    assert page_of(("a",), total=3, offset=2).next_offset is None


def test_a_page_before_the_last_has_a_next() -> None:
    assert page_of(("a", "b"), total=3, offset=0).next_offset == 2
