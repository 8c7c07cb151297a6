"""The small values that pages are made of: links, pagers, charts, the loop picture.

Every value is already decided and plain (text, numbers, tuples), so a template only lays out.
Instants are UTC microseconds, durations microseconds, shares 0..1, sizes bytes; macros turn them
into words. A *state* is one lowercase word; ``states.py`` knows its icon and tone and shows an
unknown one plainly.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """Words that lead somewhere."""

    text: str
    href: str


@dataclass(frozen=True, slots=True)
class Snippet:
    """A copyable command or piece of code that gives what is on screen."""

    label: str
    text: str


@dataclass(frozen=True, slots=True)
class Page:
    """What every page has: a title, a place in the navigation, the same thing by code."""

    title: str
    nav: str
    crumbs: tuple[Link, ...] = ()
    snippets: tuple[Snippet, ...] = ()
    # Prefixes of event kinds, separated by spaces, that make this page outdated; empty: none do.
    live: str = ""


@dataclass(frozen=True, slots=True)
class Notice:
    """Why a list is not an ordinary list: ``empty``, ``error``, ``too_many`` or ``loading``."""

    kind: str
    title: str
    text: str = ""
    command: str = ""


@dataclass(frozen=True, slots=True)
class Pager:
    """Which rows of how many are shown, and the addresses of the pages beside this one.

    With an ``open_id`` there are more rows than ``total``: they are counted after the page is on
    screen, and the number goes to the element of that id.
    """

    first: int
    last: int
    total: int
    previous: str = ""
    next: str = ""
    open_id: str = ""


@dataclass(frozen=True, slots=True)
class Stat:
    """One number that matters, with its name and a short remark."""

    label: str
    value: int | float | str | None
    unit: str = ""
    note: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """A name and its value."""

    key: str
    value: int | float | str | None
    href: str = ""


@dataclass(frozen=True, slots=True)
class Option:
    """One choice of a filter, with how many rows it would leave."""

    value: str
    label: str
    count: int | None = None
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class Column:
    """A table heading; ``sort`` is ``ascending``, ``descending`` or empty, ``href`` sorts by it."""

    label: str
    href: str = ""
    sort: str = ""
    is_numeric: bool = False


@dataclass(frozen=True, slots=True)
class Histogram:
    """Counts in equal bins, or of the most frequent categories."""

    counts: tuple[int, ...]
    low: str = ""
    high: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """One line of a chart, with its interval.

    ``style`` is ``line``, ``bars`` or ``muted`` (shown, but nothing is decided by it).
    """

    label: str
    values: tuple[float | None, ...]
    style: str = "line"
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()


@dataclass(frozen=True, slots=True)
class Level:
    """A horizontal line that means something: a threshold, an ideal."""

    label: str
    value: float


@dataclass(frozen=True, slots=True)
class Marker:
    """Something that happened at one x: a release, an alert, an injected fault."""

    x: float
    label: str
    tone: str = "neutral"


@dataclass(frozen=True, slots=True)
class Chart:
    """Series over one x axis.

    ``x_kind`` is ``number``, ``time`` (UTC microseconds, shown in the viewer's zone) or ``day``
    (UTC microseconds of a midnight, shown as that calendar day everywhere). Keep it below about
    400 points: they travel in the page twice, for the plot and as a table for who cannot see it.
    """

    id: str
    title: str
    x_label: str
    x: tuple[float, ...]
    series: tuple[Series, ...]
    x_kind: str = "number"
    y_label: str = ""
    levels: tuple[Level, ...] = ()
    markers: tuple[Marker, ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class Stage:
    """A stage of a release in one word and one state."""

    name: str
    state: str


@dataclass(frozen=True, slots=True)
class LoopNode:
    """One station of the loop picture: a state (idle, active, done, failed) and its one number."""

    key: str
    label: str
    state: str
    value: int | float | str | None
    unit: str
    href: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class LoopPicture:
    """The loop: twelve stations in the order of LOOP, the last release, what to read first."""

    nodes: tuple[LoopNode, ...]
    stages: tuple[Stage, ...]
    stats: tuple[Stat, ...]

    def __post_init__(self) -> None:
        """Refuse stations missing or out of order: the picture is laid out by position."""
        keys = tuple(node.key for node in self.nodes)
        if keys != tuple(LOOP):
            message = f"the loop picture draws {', '.join(LOOP)}; it was given {', '.join(keys)}"
            raise ValueError(message)


# Key and label of each station, in the order a model's life passes them.
LOOP: dict[str, str] = {
    "data": "Data",
    "contract": "Contract",
    "train": "Train",
    "gate": "Gate",
    "register": "Register",
    "release": "Release",
    "serve": "Serve",
    "log": "Log",
    "labels": "Labels",
    "monitor": "Monitor",
    "alert": "Alert",
    "retrain": "Retrain",
}


@dataclass(frozen=True, slots=True)
class Moment:
    """One entry of a timeline: when, what, in which state; ``day`` is the day it is about."""

    at_us: int
    text: str
    state: str = ""
    href: str = ""
    label: str = ""
    day: str = ""
