"""Three-way merge of trees, path by path.

A path that one side left as it was is as the other side has it; one that both changed must be the
same on both. Renames are a removal and an addition.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from treadle.data.history.entities import Clash
from treadle.data.trees.entities import TreeEntry, folders_above

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.data.history.entities import Side

    ByPath = dict[str, TreeEntry]


def merge_trees(
    base: Iterable[TreeEntry],
    ours: Iterable[TreeEntry],
    theirs: Iterable[TreeEntry],
    *,
    take: Side | None = None,
) -> tuple[tuple[TreeEntry, ...], tuple[Clash, ...]]:
    """Return the merged tree and what the sides do not agree on; `take` settles that.

    The tree is whole only without clashes.
    """
    old, mine, other = _by_path(base), _by_path(ours), _by_path(theirs)
    merged: ByPath = {}
    clashes: list[Clash] = []
    for path in sorted({*old, *mine, *other}):
        was, here, there = old.get(path), mine.get(path), other.get(path)
        if there in (here, was):
            found = here
        elif here == was or take == "theirs":
            found = there
        elif take == "ours":
            found = here
        else:
            found = None
            clashes.append(Clash(path, _why(was, here, there)))
        if found is not None:
            merged[path] = found
    clashes += _settle(merged, mine if take == "ours" else other if take == "theirs" else None)
    ordered = tuple(merged[path] for path in sorted(merged))
    return ordered, tuple(sorted(clashes, key=lambda clash: clash.path))


def _settle(merged: ByPath, winner: ByPath | None) -> list[Clash]:
    """Have nothing lie below a file or link: an empty folder gives way, else the winner stays."""
    clashes = []
    for path in sorted(merged):
        for above in folders_above(path):
            if above not in merged or path not in merged:
                continue
            if merged[above].kind == "folder":
                del merged[above]
            elif winner is None:
                clashes.append(
                    Clash(above, f"a file on one side, a folder with {path} on the other")
                )
                break
            else:
                del merged[above if path in winner else path]
    return clashes


def _why(was: TreeEntry | None, here: TreeEntry | None, there: TreeEntry | None) -> str:
    if here is None:
        return "removed on ours, changed on theirs"
    if there is None:
        return "changed on ours, removed on theirs"
    return "added on both, not the same" if was is None else "changed on both, not the same"


def _by_path(entries: Iterable[TreeEntry]) -> ByPath:
    return {entry.path: entry for entry in entries}


def differing(before: Sequence[TreeEntry], after: Sequence[TreeEntry]) -> int:
    """Return how many paths differ."""
    return len({e.path for e in {*before} ^ {*after}})
