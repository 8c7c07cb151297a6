"""What the pages of traces are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link, Notice, Option, Page, Pager, Pair


@dataclass(frozen=True, slots=True)
class TraceRow:
    """A trace of the list."""

    id: str
    name: str
    href: str
    status: str
    started_us: int
    duration_us: int | None
    request: str
    response: str
    tags: tuple[Pair, ...]
    # What was said about it: `good = true`.
    said: tuple[Pair, ...]


@dataclass(frozen=True, slots=True)
class TracesContext:
    """Traces: calls with what went in and came out, newest first."""

    page: Page
    filter: str
    experiments: tuple[Option, ...]
    statuses: tuple[Option, ...]
    times: tuple[Option, ...]
    run: Link | None
    rows: tuple[TraceRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class SpanEventRow:
    """Something that happened within a span; of an exception also where."""

    name: str
    at_us: int
    attributes: tuple[Pair, ...]
    stack: str


@dataclass(frozen=True, slots=True)
class SpanRow:
    """A span in the tree: ``start`` and ``width`` are thousandths of the trace's time."""

    id: str
    name: str
    type: str
    status: str
    message: str
    depth: int
    start: float
    width: float
    after_us: int
    duration_us: int | None
    inputs: str
    outputs: str
    attributes: tuple[Pair, ...]
    events: tuple[SpanEventRow, ...]


@dataclass(frozen=True, slots=True)
class AssessmentRow:
    """What somebody said about a trace or a span."""

    kind: str
    name: str
    value: str
    source: str
    rationale: str
    span: Link | None
    at_us: int
    is_valid: bool


@dataclass(frozen=True, slots=True)
class TraceContext:
    """A trace: its spans as a tree over time, and what was said about it."""

    page: Page
    id: str
    status: str
    experiment: Link | None
    runs: tuple[Link, ...]
    started_us: int
    duration_us: int | None
    spans: tuple[SpanRow, ...]
    # How many spans are left out of the tree.
    hidden: int
    tags: tuple[Pair, ...]
    metadata: tuple[Pair, ...]
    assessments: tuple[AssessmentRow, ...]
    notice: Notice | None = None
