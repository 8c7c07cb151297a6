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
    links: tuple[Link, ...] = ()


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
    state: str
    reason: str


@dataclass(frozen=True, slots=True)
class ReadFrom:
    """Where a version was read from, without secrets, and how far an ingestion had come."""

    place: str
    query: str
    watermark: str


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
    same_as: Link | None
    said: str
    diff: Link | None
    stats: tuple[Stat, ...]
    is_table: bool
    columns: tuple[ColumnProfile, ...]
    column_count: int
    profile_href: str
    expectations: tuple[ExpectationRow, ...]
    expectations_total: int
    files: tuple[FileRow, ...]
    pager: Pager
    notice: Notice | None
    quarantine: tuple[QuarantineRow, ...]
    quarantines_href: str
    origin: ReadFrom | None
    made_from: tuple[DatasetUse, ...]
    used_by: tuple[Link, ...]


@dataclass(frozen=True, slots=True)
class ClaimRow:
    """One claim of a contract in words; ``state`` says whether the version last judged keeps it."""

    of: str
    rule: str
    text: str
    state: str
    warns: bool


@dataclass(frozen=True, slots=True)
class ContractNumberRow:
    """A contract a dataset had, with the page that compares it with the one before."""

    number: int
    href: str
    set_us: int
    columns: int
    relations: int
    is_shown: bool
    breaks: int | None


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """One line that changed between two contracts."""

    effect: str
    path: str
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class ContractContext:
    """Contract: its claims in words, what changed since the one before, its TOML."""

    page: Page
    name: str
    number: int | None
    before: int | None
    set_us: int | None
    validation: Link | None
    state: str
    claims: tuple[ClaimRow, ...]
    claims_total: int
    changes: tuple[ChangeRow, ...]
    toml: str
    numbers: tuple[ContractNumberRow, ...]
    pager: Pager
    notice: Notice | None = None


@dataclass(frozen=True, slots=True)
class HeldRow:
    """A quarantine in the list of a dataset's; ``place`` takes the forms that decide on it."""

    id: str
    href: str
    place: str
    version: Link
    kind: str
    state: str
    rows: int
    since_us: int
    reason: str
    became: Link | None
    is_shown: bool


@dataclass(frozen=True, slots=True)
class RowCells:
    """A held row: where it stood, what it breaks, its cells (``broken`` ones are marked)."""

    row: int
    checks: tuple[str, ...]
    cells: tuple[tuple[str, bool], ...]


@dataclass(frozen=True, slots=True)
class QuarantinesContext:
    """Quarantine: what of a dataset is kept out, the rows with reasons, release and reject."""

    page: Page
    name: str
    held: tuple[HeldRow, ...]
    shown: HeldRow | None
    check: str
    checks: tuple[Link, ...]
    columns: tuple[str, ...]
    rows: tuple[RowCells, ...]
    pager: Pager
    notice: Notice | None = None
