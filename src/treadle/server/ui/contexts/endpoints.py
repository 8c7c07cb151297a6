"""What the pages of endpoints are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import CheckRow, EndpointRow
    from treadle.server.ui.widgets import Chart, Link, Notice, Option, Page, Pager, Stat


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
class BrokenClaimRow:
    """A claim that requests broke within the last day: rows of the last hour, of the day."""

    claim: str
    hour: int
    day: int
    refused: int
    requests: int
    last_us: int


@dataclass(frozen=True, slots=True)
class BrokenRow:
    """A row that broke a claim, as far as it may be shown; the claim's own values are marked."""

    at_us: int
    outcome: str
    claim: str
    cells: tuple[tuple[str, str, bool], ...]
    more: int
    left_out: str
    prediction_id: str


@dataclass(frozen=True, slots=True)
class RequestContractPanel:
    """What requests must keep, what becomes of those that do not, and how many broke it lately."""

    mode: str
    told: str
    place: str
    modes: tuple[Option, ...]
    sources: tuple[Link, ...]
    columns: int
    relations: int
    stats: tuple[Stat, ...]
    claims: tuple[BrokenClaimRow, ...]
    claims_left_out: int
    rows: tuple[BrokenRow, ...]
    rows_kept: int


@dataclass(frozen=True, slots=True)
class EndpointContext:
    """Endpoint: traffic by variant, and every release with each stage's evidence."""

    page: Page
    name: str
    state: str
    url: str
    stats: tuple[Stat, ...]
    variants: tuple[VariantRow, ...]
    contract: RequestContractPanel
    traffic: Chart | None
    releases: tuple[ReleaseEntry, ...]
    curl: str
    answer: str
