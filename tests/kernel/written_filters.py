"""Filters drawn by hypothesis."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hypothesis import strategies as st

from treadle.kernel.filters import And, Condition, Not, Or

if TYPE_CHECKING:
    from treadle.kernel.filters import Node

PLAIN = st.characters(codec="utf-8", exclude_characters="\x00")
TEXTS = st.text(PLAIN, max_size=12)
NAMES = st.text(PLAIN, min_size=1, max_size=8)
NUMBERS = st.integers(-(10**20), 10**20) | st.floats(allow_nan=False, allow_infinity=False)


def conditions() -> st.SearchStrategy[Condition]:
    """Any condition that can be written."""
    patterns = TEXTS.filter(lambda text: text.count("%") < 10)
    return (
        _condition(("=", "!=", "<", "<=", ">", ">="), NUMBERS | TEXTS)
        | _condition(("LIKE", "NOT LIKE", "ILIKE", "NOT ILIKE"), patterns)
        | _condition(("IN", "NOT IN"), st.lists(TEXTS, min_size=1, max_size=3).map(tuple))
        | _condition(("IS NULL", "IS NOT NULL"), st.none())
    )


def filters(leaves: st.SearchStrategy[Condition]) -> st.SearchStrategy[Node]:
    """Conditions joined in every way."""
    return st.recursive(
        leaves,
        lambda inner: (
            st.lists(inner, min_size=2, max_size=3).map(lambda parts: And(tuple(parts)))
            | st.lists(inner, min_size=2, max_size=3).map(lambda parts: Or(tuple(parts)))
            | inner.map(Not)
        ),
        max_leaves=6,
    )


def _condition(operators: tuple[str, ...], values: Any) -> st.SearchStrategy[Condition]:
    return st.builds(
        Condition,
        field=NAMES,
        key=NAMES | st.just(""),
        operator=st.sampled_from(operators),
        value=values,
    )
