"""What the page of events is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link, Notice, Option, Page, Pager


@dataclass(frozen=True, slots=True)
class EventRow:
    """A fact of the log."""

    sequence: int
    at_us: int
    kind: str
    subject: Link | None
    actor: str
    text: str
    digest: str


@dataclass(frozen=True, slots=True)
class Chain:
    """Whether the log's chain of hashes holds: ``verified``, ``broken`` or ``unchecked``."""

    state: str
    events: int
    head: str
    checked_us: int | None
    note: str


@dataclass(frozen=True, slots=True)
class EventsContext:
    """Events: the chained log, newest first."""

    page: Page
    chain: Chain
    kinds: tuple[Option, ...]
    filter: str
    rows: tuple[EventRow, ...]
    pager: Pager
    notice: Notice | None = None
