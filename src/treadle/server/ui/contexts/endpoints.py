"""What the pages of endpoints are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import CheckRow, EndpointRow
    from treadle.server.ui.widgets import Chart, Link, Notice, Page, Pager, Stat


@dataclass(frozen=True, slots=True)
class EndpointsContext:
    """Endpoints: every stable URL and who answers it."""

    page: Page
    rows: tuple[EndpointRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class VariantRow:
    """A model version behind an endpoint, with its share of the traffic."""

    name: str
    model: Link
    role: str
    share: float
    requests: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None


@dataclass(frozen=True, slots=True)
class StageEntry:
    """A stage of a release with the evidence it ended on."""

    name: str
    state: str
    started_us: int | None
    duration_us: int | None
    requests: int | None
    labelled: int | None
    checks: tuple[CheckRow, ...]
    note: str


@dataclass(frozen=True, slots=True)
class ReleaseEntry:
    """The walk of one candidate from shadow to live or back."""

    id: str
    outcome: str
    candidate: Link
    champion: Link | None
    started_us: int
    duration_us: int | None
    day: str
    reason: str
    stages: tuple[StageEntry, ...]


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """Endpoint: traffic by variant, and every release with each stage's evidence."""

    page: Page
    name: str
    state: str
    url: str
    stats: tuple[Stat, ...]
    variants: tuple[VariantRow, ...]
    traffic: Chart | None
    releases: tuple[ReleaseEntry, ...]
    curl: str
    answer: str
