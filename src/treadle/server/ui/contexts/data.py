"""What the pages of datasets are given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from treadle.server.ui.contexts.rows import DatasetUse
    from treadle.server.ui.widgets import Histogram, Link, Notice, Option, Page, Pager, Stat


@dataclass(frozen=True, slots=True)
class DatasetRow:
    """A dataset with its newest version."""

    name: str
    href: str
    latest: Link | None
    versions: int
    rows: int | None
    columns: int | None
    size_bytes: int | None
    contract: str
    committed_us: int | None


@dataclass(frozen=True, slots=True)
class DatasetsContext:
    """Datasets: every name, newest version first."""

    page: Page
    rows: tuple[DatasetRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class DatasetVersionRow:
    """A version in the history of a dataset."""

    version: str
    href: str
    committed_us: int
    rows: int | None
    files: int
    size_bytes: int
    contract: str
    quarantined: int
    actor: str
    branches: tuple[str, ...]
    tags: tuple[str, ...]
    origin: str
    message: str


@dataclass(frozen=True, slots=True)
class RemovedVersionRow:
    """A version that was removed and can be restored, and the command that does it."""

    version: str
    removed_us: int
    actor: str
    command: str


@dataclass(frozen=True, slots=True)
class DatasetContext:
    """Dataset: its versions with their branches and tags, newest first, and those removed."""

    page: Page
    name: str
    diff: str
    olds: tuple[Option, ...]
    news: tuple[Option, ...]
    versions: tuple[DatasetVersionRow, ...]
    removed: tuple[RemovedVersionRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class ColumnProfile:
    """A column: its type in the schema and what the profile found, in ready words."""

    name: str
    type: str
    missing: float | None
    distinct: int | None
    low: str
    middle: str
    high: str
    histogram: Histogram | None


@dataclass(frozen=True, slots=True)
class ExpectationRow:
    """One claim of the contract and how the data answers it."""

    column: str
    rule: str
    state: str
    observed: str
    failing: int
    examples: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class FileRow:
    """A file of a dataset version, by digest; `note` says what is no plain file."""

    path: str
    rows: int | None
    size_bytes: int
    digest: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class QuarantineRow:
    """Rows kept out of training, gates and evaluation, with the reason."""

    scope: str
    rows: int
    rule: str
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetVersionContext:
    """Dataset version: schema with profile, contract, files by digest, quarantine, lineage."""

    page: Page
    name: str
    version: str
    contract_state: str
    contract_name: str
    committed_us: int
    actor: str
    branches: tuple[str, ...]
    tags: tuple[str, ...]
    parents: tuple[Link, ...]
    source: str
    diff: Link | None
    stats: tuple[Stat, ...]
    is_table: bool
    columns: tuple[ColumnProfile, ...]
    column_count: int
    profile_href: str
    expectations: tuple[ExpectationRow, ...]
    files: tuple[FileRow, ...]
    pager: Pager
    notice: Notice | None
    quarantine: tuple[QuarantineRow, ...]
    made_from: tuple[DatasetUse, ...]
    used_by: tuple[Link, ...]
