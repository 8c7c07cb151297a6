"""How versions descend from each other. A version's number is above those of its parents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    Links = Mapping[int, tuple[int, ...]]
    """The parents of each version of a dataset, by its number."""


def ancestors(links: Links, number: int) -> set[int]:
    """Return a version and all it descends from."""
    found: set[int] = set()
    waiting = [number]
    while waiting:
        each = waiting.pop()
        if each in links and each not in found:
            found.add(each)
            waiting.extend(links[each])
    return found


def descends(links: Links, newer: int, older: int) -> bool:
    """Say whether a version descends from an older one, or is it."""
    return older in ancestors(links, newer)


def merge_base(links: Links, one: int, other: int) -> int | None:
    """Return the nearest version that both descend from; of several equally near, the newest."""
    return max(ancestors(links, one) & ancestors(links, other), default=None)


def without(links: Links, gone: set[int]) -> dict[int, tuple[int, ...]]:
    """Return the links when versions are taken out: who descends from them has their parents."""
    left: dict[int, tuple[int, ...]] = {}
    stands_for: dict[int, tuple[int, ...]] = {}
    for number in sorted(links):
        parents = [p for old in links[number] for p in stands_for.get(old, (old,))]
        kept = tuple(dict.fromkeys(parents))
        if number in gone:
            stands_for[number] = kept
        else:
            left[number] = kept
    return left
