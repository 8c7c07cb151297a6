"""The spans of a trace as a tree, in the order in which they are read: each below its parent."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING

import msgspec

from treadle.tracing.entities import Span

if TYPE_CHECKING:
    from collections.abc import Iterable


class Branch(msgspec.Struct, frozen=True):
    """A span and how deep it stands."""

    span: Span
    depth: int


def tree_of(spans: Iterable[Span]) -> tuple[Branch, ...]:
    """Return every span once: below its parent, or at the top when that has not come (yet)."""
    ordered = sorted(spans, key=lambda span: (span.start_ns, span.id))
    there = {span.id for span in ordered}
    children: dict[str | None, list[Span]] = defaultdict(list)
    for span in ordered:
        children[span.parent_id if span.parent_id in there else None].append(span)
    found, seen = [], set[str]()
    # Those left over when the tops are done stand in a circle; the first of them is a top too.
    for top in (*children[None], *ordered):
        waiting = [Branch(top, 0)]
        while waiting:
            branch = waiting.pop()
            if branch.span.id in seen:
                continue
            seen.add(branch.span.id)
            found.append(branch)
            below = reversed(children[branch.span.id])
            waiting += [Branch(child, branch.depth + 1) for child in below]
    return tuple(found)
