"""What the page of a version's profile is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Chart, Histogram, Link, Notice, Page, Pager, Pair, Stat


@dataclass(frozen=True, slots=True)
class ProfiledColumn:
    """A column now and in the version it is compared with; `figures` and `top` are laid open."""

    name: str
    type: str
    kind: str
    remarks: tuple[str, ...]
    now: Histogram | None
    before: Histogram | None
    missing: float
    missing_before: float | None
    distinct: int | None
    low: str
    middle: str
    high: str
    psi: float | None
    js: float | None
    not_compared: str
    figures: tuple[Pair, ...]
    top: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class HintRow:
    """What a column may hold of persons, and what says so."""

    column: str
    kind: str
    by: str
    share: float | None
    looked: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class TieRow:
    """What one column alone tells of the target."""

    column: str
    bits: float
    share: float
    auc: float | None
    state: str


@dataclass(frozen=True, slots=True)
class HeatCell:
    """How strong a pair is, 0 to 5, with its number; `says` is the whole sentence."""

    text: str
    level: int
    says: str


@dataclass(frozen=True, slots=True)
class HeatRow:
    """A column and what it has to do with each other column."""

    name: str
    cells: tuple[HeatCell, ...]


@dataclass(frozen=True, slots=True)
class DatasetProfileContext:
    """Profile of a version: its columns against the version before, ties, pairs, time, hints."""

    page: Page
    name: str
    stats: tuple[Stat, ...]
    notice: Notice | None
    against: Link | None
    added: tuple[str, ...]
    removed: tuple[str, ...]
    columns: tuple[ProfiledColumn, ...]
    pager: Pager
    hints: tuple[HintRow, ...]
    charts: tuple[Chart, ...]
    target: str
    ties: tuple[TieRow, ...]
    heat_names: tuple[str, ...]
    heat: tuple[HeatRow, ...]
    sampled: str
