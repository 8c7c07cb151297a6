"""What the pattern portfolio is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.compare import ComparedGroup, ComparedRun
    from treadle.server.ui.contexts.endpoints import VariantRow
    from treadle.server.ui.contexts.rows import CheckRow
    from treadle.server.ui.contexts.runs import Facet, Preview, RunRow, TreeNode
    from treadle.server.ui.widgets import (
        Chart,
        Column,
        Histogram,
        LoopPicture,
        Moment,
        Notice,
        Page,
        Pager,
        Pair,
        Stat,
    )


@dataclass(frozen=True, slots=True)
class PatternsContext:
    """Patterns: each widget in each of its states, with example values."""

    page: Page
    badges: tuple[str, ...]
    stats: tuple[Stat, ...]
    pairs: tuple[Pair, ...]
    columns: tuple[Column, ...]
    rows: tuple[RunRow, ...]
    pager: Pager
    notices: tuple[Notice, ...]
    charts: tuple[Chart, ...]
    histograms: tuple[Histogram, ...]
    pictures: tuple[LoopPicture, ...]
    moments: tuple[Moment, ...]
    checks: tuple[CheckRow, ...]
    variants: tuple[VariantRow, ...]
    facets: tuple[Facet, ...]
    tags: tuple[Pair, ...]
    tree: tuple[TreeNode, ...]
    previews: tuple[Preview, ...]
    compared: tuple[ComparedRun, ...]
    groups: tuple[ComparedGroup, ...]
    now_us: int
    code: str
