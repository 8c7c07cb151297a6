"""Rows that several pages show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link


@dataclass(frozen=True, slots=True)
class DatasetUse:
    """A dataset version something was made from, and as what (training, evaluation, source)."""

    name: str
    version: str
    href: str
    role: str
    rows: int | None


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """An endpoint with who answers it now and how it fares."""

    name: str
    href: str
    state: str
    champion: Link | None
    # The version on its way in and its stage, when a release is under way.
    candidate: Link | None
    candidate_stage: str
    requests: int
    errors: int
    p95_ms: float | None
    last_request_us: int | None


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert with its cause, its size, and what was done about it."""

    state: str
    opened_us: int
    day: str
    rule: str
    cause: str
    effect: str
    href: str
    monitor: str
    action: Link | None


@dataclass(frozen=True, slots=True)
class CheckRow:
    """Candidate against champion: the difference with its interval, the rule, the verdict."""

    name: str
    rule: str
    champion: float | None
    candidate: float | None
    difference: float | None
    low: float | None
    high: float | None
    verdict: str
    note: str
