"""What the page of a diff is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.widgets import Link, Notice, Option, Page, Stat


@dataclass(frozen=True, slots=True)
class ColumnChange:
    """A column that is different: `kind` is added, removed, renamed or retyped."""

    kind: str
    name: str
    before: str
    after: str
    note: str


@dataclass(frozen=True, slots=True)
class CellChange:
    """A cell in two versions; `before` is shown only where it differs."""

    before: str
    after: str
    is_changed: bool


@dataclass(frozen=True, slots=True)
class ChangedRow:
    """A row that is there in both versions: its key, and cells of the columns that differ."""

    key: tuple[str, ...]
    cells: tuple[CellChange, ...]


@dataclass(frozen=True, slots=True)
class ChangedRows:
    """The first rows that are changed, of `total`; `hidden` columns are left out."""

    total: int
    key: tuple[str, ...]
    columns: tuple[str, ...]
    rows: tuple[ChangedRow, ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class WholeRows:
    """The first rows that only one version has, of `total`: `kind` is added or removed."""

    kind: str
    total: int
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    hidden: int = 0


@dataclass(frozen=True, slots=True)
class FileChange:
    """A file that differs: `kind` is added, changed, removed or renamed; then it was `before`."""

    kind: str
    path: str
    before: str


@dataclass(frozen=True, slots=True)
class DatasetDiffContext:
    """Diff: what two versions of a dataset differ in, columns, rows and cells, or files."""

    page: Page
    name: str
    before: Link
    after: Link
    place: str
    olds: tuple[Option, ...]
    news: tuple[Option, ...]
    keys: tuple[str, ...]
    key_note: str
    stats: tuple[Stat, ...]
    columns: tuple[ColumnChange, ...]
    changed: ChangedRows | None
    whole: tuple[WholeRows, ...]
    files: tuple[FileChange, ...]
    files_total: int
    notice: Notice | None = None
