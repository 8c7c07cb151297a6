"""What the pages of evaluation datasets are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link, Notice, Page, Pager, Pair, Stat


@dataclass(frozen=True, slots=True)
class EvaluationRow:
    """An evaluation dataset in their list."""

    id: str
    name: str
    href: str
    records: int | None
    experiments: tuple[Link, ...]
    tags: tuple[Pair, ...]
    digest: str
    updated_us: int


@dataclass(frozen=True, slots=True)
class EvaluationsContext:
    """Evaluation datasets: every one, newest first."""

    page: Page
    filter: str
    rows: tuple[EvaluationRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class RecordRow:
    """A record, each part as the beginning of its JSON."""

    id: str
    inputs: str
    expectations: str
    outputs: str
    source: str
    updated_us: int


@dataclass(frozen=True, slots=True)
class SchemaRow:
    """A field of the records and the kind it was of when it was first seen."""

    part: str
    name: str
    kind: str


@dataclass(frozen=True, slots=True)
class FreezeRow:
    """A state that became a dataset version."""

    version: Link
    digest: str
    records: int
    at_us: int


@dataclass(frozen=True, slots=True)
class EvaluationContext:
    """Evaluation dataset: its records in the order they came, fields, frozen states."""

    page: Page
    name: str
    id: str
    digest: str
    stats: tuple[Stat, ...]
    tags: tuple[Pair, ...]
    experiments: tuple[Link, ...]
    records: tuple[RecordRow, ...]
    pager: Pager
    schema: tuple[SchemaRow, ...]
    schema_note: str
    freezes: tuple[FreezeRow, ...]
    freeze_command: str
    notice: Notice | None = None
