"""What the pages of models are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import CheckRow, DatasetUse
    from treadle.server.ui.widgets import Column, Link, Moment, Notice, Page, Pager, Stat


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model with its newest version and its champion."""

    name: str
    href: str
    versions: int
    latest: Link | None
    champion: Link | None
    endpoints: tuple[Link, ...]
    updated_us: int | None


@dataclass(frozen=True, slots=True)
class ModelsContext:
    """Models: every registered name."""

    page: Page
    rows: tuple[ModelRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class ModelVersionRow:
    """A version of a model in its list; ``values`` belong to the columns of the page."""

    version: str
    href: str
    gate: str
    aliases: tuple[str, ...]
    created_us: int
    run: Link | None
    values: tuple[float | str | None, ...]


@dataclass(frozen=True, slots=True)
class ModelContext:
    """Model: its versions with gate verdicts, newest first."""

    page: Page
    name: str
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
class ModelVersionContext:
    """Model version: may it serve, why, what it takes and gives, what it was made from."""

    page: Page
    model: str
    version: str
    gate: str
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
    history: tuple[Moment, ...]
