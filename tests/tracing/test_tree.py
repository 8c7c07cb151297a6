from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.tracing.made import span
from treadle.tracing.tree import tree_of


def test_each_span_stands_below_its_parent_in_the_order_of_their_beginnings():
    spans = [
        span(4, "late", parent=1),
        span(3, "leaf", parent=2),
        span(1, "root"),
        span(2, "early", parent=1),
    ]

    found = [(branch.span.name, branch.depth) for branch in tree_of(spans)]

    assert found == [("root", 0), ("early", 1), ("leaf", 2), ("late", 1)]


@given(st.lists(st.one_of(st.none(), st.integers(0, 12)), max_size=12))
def test_every_span_is_there_once_whatever_parents_they_name(parents):
    spans = [span(n, "s", parent=parent) for n, parent in enumerate(parents)]

    found = [branch.span.id for branch in tree_of(spans)]

    assert sorted(found) == sorted(s.id for s in spans)
