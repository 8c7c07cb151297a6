"""What the pages of runs are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.compare import CurveLook, CurveSet
    from treadle.server.ui.contexts.rows import DatasetUse
    from treadle.server.ui.widgets import (
        Column,
        Link,
        Moment,
        Notice,
        Option,
        Page,
        Pager,
        Pair,
        Stat,
    )


@dataclass(frozen=True, slots=True)
class RunRow:
    """A run in a list; ``values`` belong to the columns after name, status, start, duration."""

    id: str
    name: str
    href: str
    status: str
    started_us: int | None
    duration_us: int | None
    values: tuple[float | str | None, ...]
    experiment: str = ""
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class FacetValue:
    """A value that the runs have and how many of them; its address narrows by it, or widens."""

    label: str
    href: str
    count: int | None = None
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class Facet:
    """One thing to narrow a list by."""

    label: str
    values: tuple[FacetValue, ...]


@dataclass(frozen=True, slots=True)
class FacetsContext:
    """What the runs that match can be narrowed by; how many they are where counting took long."""

    facets: tuple[Facet, ...]
    note: str
    total: int | None
    total_id: str


@dataclass(frozen=True, slots=True)
class ViewRow:
    """A saved view; `is_open` when its query is the one on screen."""

    name: str
    href: str
    is_open: bool


@dataclass(frozen=True, slots=True)
class ColumnChoice:
    """Columns that can be chosen, of one kind."""

    label: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class RunsContext:
    """Runs: the runs that match, with their parameters and metrics on screen.

    `kept` is what the filter's form carries along, `chips` what narrows the list now (each leads to
    the list without it), `elsewhere` the selected runs that are not among the rows.
    """

    page: Page
    filter: str
    kept: tuple[Pair, ...]
    chips: tuple[Link, ...]
    facets: tuple[Facet, ...]
    facets_id: str
    facets_href: str
    choices: tuple[ColumnChoice, ...]
    views: tuple[ViewRow, ...]
    query: str
    columns: tuple[Column, ...]
    rows: tuple[RunRow, ...]
    elsewhere: tuple[str, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class MetricRow:
    """A metric of a run: where it ended and what it passed."""

    key: str
    last: float | None
    lowest: float | None
    highest: float | None
    points: int


@dataclass(frozen=True, slots=True)
class ExperimentRow:
    """An experiment with how much is in it; ``place`` takes its forms."""

    id: str
    name: str
    href: str
    place: str
    description: str
    tags: tuple[Pair, ...]
    runs: int
    running: int
    newest_us: int | None
    created_us: int
    is_deleted: bool


@dataclass(frozen=True, slots=True)
class ExperimentsContext:
    """Experiments: every group of runs, or those that were deleted."""

    page: Page
    filter: str
    views: tuple[Option, ...]
    rows: tuple[ExperimentRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class TreeNode:
    """A file of a run, or a folder with what is in it."""

    name: str
    href: str
    size_bytes: int
    children: tuple[TreeNode, ...] = ()
    is_open: bool = False
    is_current: bool = False


@dataclass(frozen=True, slots=True)
class Preview:
    """A file shown in place: ``kind`` is image, frame, text, table, or none with the reason."""

    kind: str
    path: str
    size_bytes: int
    digest: str
    download: str
    href: str = ""
    text: str = ""
    columns: tuple[Column, ...] = ()
    rows: tuple[tuple[float | str | None, ...], ...] = ()
    note: str = ""


@dataclass(frozen=True, slots=True)
class LoggedDatasetRow:
    """Data a run says it used; `version` when it is one of our dataset versions."""

    name: str
    digest: str
    role: str
    source: str
    version: Link | None


@dataclass(frozen=True, slots=True)
class RunContext:
    """Run: everything one execution logged, and what it was made from."""

    page: Page
    id: str
    name: str
    status: str
    is_deleted: bool
    experiment: Link
    parent: Link | None
    actor: str
    started_us: int | None
    duration_us: int | None
    description: str
    error: str
    stats: tuple[Stat, ...]
    drawn: CurveLook
    curves: tuple[CurveSet, ...]
    system: CurveSet | None
    params: tuple[Pair, ...]
    metrics: tuple[MetricRow, ...]
    tree: tuple[TreeNode, ...]
    files: int
    files_note: str
    preview: Preview | None
    child_columns: tuple[Column, ...]
    children: tuple[RunRow, ...]
    all_children: Link | None
    inputs: tuple[DatasetUse, ...]
    datasets: tuple[LoggedDatasetRow, ...]
    outputs: tuple[Link, ...]
    models: tuple[Pair, ...]
    tags: tuple[Pair, ...]
    code: tuple[Pair, ...]
    environment: tuple[Pair, ...]
    history: tuple[Moment, ...]
