"""What the page that compares runs is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Notice, Option, Page, Pair


@dataclass(frozen=True, slots=True)
class ComparedRun:
    """A run as a column: its number and mark are the same in every chart of the page.

    `without` leads to the others; of runs, whose ids are long, a form does.
    """

    number: int
    id: str
    name: str
    href: str
    experiment: str
    status: str
    started_us: int | None
    duration_us: int | None
    without: str = ""


@dataclass(frozen=True, slots=True)
class ComparedCell:
    """A value and, of a number, how far it is from the first run's."""

    value: float | str | None
    difference: float | None = None
    href: str = ""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One thing the runs have, run by run."""

    key: str
    cells: tuple[ComparedCell, ...]
    is_numeric: bool


@dataclass(frozen=True, slots=True)
class ComparedGroup:
    """Params, metrics, tags or what the runs were made from: what differs, then what does not."""

    label: str
    differing: tuple[ComparedRow, ...]
    same: tuple[ComparedRow, ...]


@dataclass(frozen=True, slots=True)
class CurveSet:
    """Where the curves of some metrics of some runs come from; the names travel with the page."""

    id: str
    label: str
    keys: tuple[str, ...]
    runs: tuple[str, ...]
    names: tuple[str, ...]
    href: str
    is_live: bool = False


@dataclass(frozen=True, slots=True)
class CurveLook:
    """How curves are drawn: over what, on which scale, how smooth."""

    x: tuple[Option, ...]
    is_log: bool
    smooth: float


@dataclass(frozen=True, slots=True)
class Dimension:
    """One axis of the pictures of all runs: numbers, or texts that are placed by name."""

    field: str
    label: str
    values: tuple[float | str | None, ...]


@dataclass(frozen=True, slots=True)
class RunsPlot:
    """Runs as points and lines across dimensions."""

    names: tuple[str, ...]
    hrefs: tuple[str, ...]
    dimensions: tuple[Dimension, ...]
    x: str
    y: str


@dataclass(frozen=True, slots=True)
class CompareContext:
    """Compare: 2 to 50 runs, what differs first. `kept` is the address, to ask for less of it."""

    page: Page
    runs: tuple[ComparedRun, ...]
    kept: tuple[Pair, ...]
    groups: tuple[ComparedGroup, ...]
    drawn: CurveLook
    curves: tuple[CurveSet, ...]
    plot: RunsPlot | None
    back: str
    notice: Notice | None = None
