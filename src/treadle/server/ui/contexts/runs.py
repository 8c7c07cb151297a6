"""What the pages of runs are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import DatasetUse
    from treadle.server.ui.widgets import (
        Chart,
        Column,
        Link,
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


@dataclass(frozen=True, slots=True)
class RunsContext:
    """Runs: the runs that match, with their parameters and metrics on screen."""

    page: Page
    filter: str
    experiments: tuple[Option, ...]
    statuses: tuple[Option, ...]
    columns: tuple[Column, ...]
    rows: tuple[RunRow, ...]
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
class ArtifactRow:
    """A file of a run."""

    path: str
    size_bytes: int
    digest: str
    href: str


@dataclass(frozen=True, slots=True)
class RunContext:
    """Run: everything one execution logged, and what it was made from."""

    page: Page
    id: str
    name: str
    status: str
    experiment: Link
    parent: Link | None
    children: Link | None
    actor: str
    started_us: int | None
    duration_us: int | None
    error: str
    stats: tuple[Stat, ...]
    params: tuple[Pair, ...]
    metrics: tuple[MetricRow, ...]
    curves: tuple[Chart, ...]
    artifacts: tuple[ArtifactRow, ...]
    inputs: tuple[DatasetUse, ...]
    outputs: tuple[Link, ...]
    tags: tuple[Pair, ...]
    code: tuple[Pair, ...]
    environment: tuple[Pair, ...]
