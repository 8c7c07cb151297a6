"""Draws how versions descend from each other: a column for each line of descent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def draw(history: Sequence[tuple[int, Sequence[int]]]) -> list[tuple[list[str], str]]:
    """Return, for each version newest first, the lines above it and the line it stands in.

    A version is its number and those of its parents. `*` marks it, `|` a line that leads past it.
    """
    lanes: list[int] = []
    drawn = []
    for number, parents in history:
        above = []
        if number not in lanes:
            lanes.append(number)
        place = lanes.index(number)
        while lanes.count(number) > 1:
            other = len(lanes) - 1 - lanes[::-1].index(number)
            above.append(_joined(lanes, place, other))
            del lanes[other]
        mark = " ".join("*" if i == place else "|" for i in range(len(lanes)))
        drawn.append((above, mark))
        lanes[place : place + 1] = parents
        if len(parents) > 1:
            mark_of_fork = " ".join("|" for _ in range(place + 1)) + "\\"
            drawn.append(([mark_of_fork], ""))
    return _merged(drawn)


def _joined(lanes: Sequence[int], place: int, other: int) -> str:
    """Return the line on which one lane runs into another, to its left."""
    cells = ["|"] * len(lanes)
    text = " ".join(cells[:other])
    run = "_" * (2 * (other - place) - 2)
    return (text[: 2 * place + 1] + run + "/" + " ".join(["", *cells[other + 1 :]])).rstrip()


def _merged(drawn: Sequence[tuple[list[str], str]]) -> list[tuple[list[str], str]]:
    """Put the line of a fork above the version that comes next."""
    done: list[tuple[list[str], str]] = []
    waiting: list[str] = []
    for above, mark in drawn:
        if not mark:
            waiting = above
            continue
        done.append(([*waiting, *above], mark))
        waiting = []
    return done
