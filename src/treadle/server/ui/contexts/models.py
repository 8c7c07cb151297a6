"""What the pages of models are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.compare import ComparedGroup, ComparedRun
    from treadle.server.ui.contexts.rows import CheckRow, DatasetUse
    from treadle.server.ui.widgets import Column, Link, Moment, Notice, Page, Pager, Pair, Stat


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model with its newest version, its stage, and where its aliases point."""

    name: str
    href: str
    description: str
    tags: tuple[Pair, ...]
    versions: int
    latest: Link | None
    stage: str
    aliases: tuple[Link, ...]
    endpoints: tuple[Link, ...]
    updated_us: int | None


@dataclass(frozen=True, slots=True)
class ModelsContext:
    """Models: every registered name that a filter holds for."""

    page: Page
    filter: str
    rows: tuple[ModelRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class ModelVersionRow:
    """A version of a model in its list; ``values`` belong to the columns of the page."""

    version: str
    href: str
    gate: str
    stage: str
    status: str
    aliases: tuple[str, ...]
    created_us: int
    run: Link | None
    values: tuple[float | str | None, ...]
    is_selected: bool = False


@dataclass(frozen=True, slots=True)
class ModelContext:
    """Model: its versions with gate verdicts, newest first."""

    page: Page
    name: str
    description: str
    tags: tuple[Pair, ...]
    compare: str
    columns: tuple[Column, ...]
    versions: tuple[ModelVersionRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class FieldRow:
    """One input or output of a model's signature."""

    name: str
    type: str
    shape: str


@dataclass(frozen=True, slots=True)
class GateRow:
    """A gate, its verdict, and the evidence it looked at."""

    name: str
    verdict: str
    reason: str
    judged_us: int
    data: str
    checks: tuple[CheckRow, ...]


@dataclass(frozen=True, slots=True)
class Seal:
    """The cryptographic signature of a model's files: ``verified``, ``unsigned`` or ``broken``."""

    state: str
    digest: str
    key: str
    checked_us: int | None
    note: str


@dataclass(frozen=True, slots=True)
class VersionFile:
    """A file of a model version."""

    path: str
    size_bytes: int
    digest: str


@dataclass(frozen=True, slots=True)
class ModelVersionContext:
    """Model version: may it serve, why, what it takes and gives, what it was made from."""

    page: Page
    model: str
    version: str
    gate: str
    stage: str
    status: str
    status_message: str
    description: str
    tags: tuple[Pair, ...]
    source: str
    aliases: tuple[str, ...]
    flavor: str
    size_bytes: int
    created_us: int
    actor: str
    run: Link | None
    stats: tuple[Stat, ...]
    gates: tuple[GateRow, ...]
    seal: Seal
    inputs: tuple[FieldRow, ...]
    outputs: tuple[FieldRow, ...]
    datasets: tuple[DatasetUse, ...]
    files: tuple[VersionFile, ...]
    history: tuple[Moment, ...]


@dataclass(frozen=True, slots=True)
class ModelCompareContext:
    """Versions of a model side by side, what differs first."""

    page: Page
    name: str
    versions: tuple[ComparedRun, ...]
    groups: tuple[ComparedGroup, ...]
    back: str
    notice: Notice | None = None
