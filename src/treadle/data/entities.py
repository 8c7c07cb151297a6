"""What data speaks of: dataset versions, validations, quarantines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

from treadle.data.branches.entities import MAIN
from treadle.kernel.digests import digest_json

if TYPE_CHECKING:
    from collections.abc import Sequence

Verdict = Literal["pass", "warn", "fail"]
QuarantineState = Literal["held", "released", "rejected"]
QuarantineKind = Literal["version", "rows"]

MAX_EXAMPLES = 5
_CONTENT = ("digest", "files", "table", "columns", "rows", "size_bytes", "tree", "file_count")
_SEVERITY: dict[Verdict, int] = {"pass": 0, "warn": 1, "fail": 2}


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A column's name and its Arrow type (`int64`, `string`, `timestamp[us, tz=UTC]`)."""

    name: str
    type: str


class FileEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A committed file: its name and the digest of its bytes."""

    path: str
    digest: str
    size_bytes: int


class Provenance(msgspec.Struct, frozen=True, kw_only=True):
    """Where a version was read from, without secrets: `place` is an address, a path, a function.

    `mark` changes whenever the source does (an ETag, a time); empty when the source has none.
    `watermark` is how far an ingestion had come.
    """

    kind: str
    place: str
    query: str = ""
    mark: str = ""
    watermark: str = ""

    def is_same_place(self, other: Provenance | None) -> bool:
        """Say whether two readings asked the same source for the same."""
        if other is None:
            return False
        return (self.kind, self.place, self.query) == (other.kind, other.place, other.query)


class DatasetVersion(msgspec.Struct, frozen=True, kw_only=True):
    """One immutable state of a dataset: a table, or files.

    `digest` names its content, `identity` the version itself: its content and what it was made on.
    An older state that was committed again is a version of its own, `same_as` the oldest with that
    content. `size_bytes` is the size of the committed files. Of a table, `files` is what was
    committed and `table` the digest that names its rows. What lies in chunks has a `tree`: the
    digest of the list of its files, `file_count` of them; `stored_bytes` is what storing them took
    beyond what was there. A table without a tree is one Parquet object, `table`.

    `parents` are the numbers of the versions it was made on: none for the first, two for a merge;
    `branch` is where it was committed. A removed one is not read until it is restored.
    `source` is where it was read from, when that was no file of this machine or frame.
    """

    id: str
    dataset: str
    number: int
    digest: str
    files: tuple[FileEntry, ...]
    table: str
    columns: tuple[Column, ...]
    rows: int
    size_bytes: int
    message: str
    actor: str
    code_commit: str | None
    created_at: int
    tree: str = ""
    file_count: int = 1
    stored_bytes: int | None = None
    branch: str = MAIN
    parents: tuple[int, ...] = ()
    removed_at: int | None = None
    removed_by: str = ""
    source: Provenance | None = None
    identity: str = ""
    same_as: int | None = None

    @property
    def is_table(self) -> bool:
        """Say whether it has rows and columns; otherwise it is files."""
        return bool(self.table)

    @property
    def objects(self) -> frozenset[str]:
        """Return the digests of the whole objects it needs, beside chunks."""
        if self.tree:
            return frozenset()
        return frozenset({self.table, *(file.digest for file in self.files)})

    @property
    def ref(self) -> str:
        """Return how to ask for exactly this version: `flights@3`."""
        return f"{self.dataset}@{self.number}"


class DatasetSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset in a list: its newest version on `main` and what is known of that."""

    name: str
    versions: int
    latest: DatasetVersion
    contract_number: int | None
    verdict: Verdict | None
    held: int


class CheckResult(msgspec.Struct, frozen=True, kw_only=True):
    """What one check found: `counted` of `total` rows break it, up to five of them shown.

    `column` is empty when the check is about the whole table.
    """

    check: str
    column: str = ""
    verdict: Verdict
    counted: int
    total: int
    message: str
    examples: tuple[dict[str, Any], ...] = ()


class Validation(msgspec.Struct, frozen=True, kw_only=True):
    """A dataset version judged by a contract."""

    id: str
    dataset_ref: str
    contract_number: int
    verdict: Verdict
    checks: tuple[CheckResult, ...]
    at: int

    def broken(self) -> tuple[CheckResult, ...]:
        """Return the checks that failed."""
        return tuple(c for c in self.checks if c.verdict == "fail")


class Quarantine(msgspec.Struct, frozen=True, kw_only=True):
    """What is kept out of training, gates and evaluation until somebody decides.

    A version as a whole, or those of its rows that break its contract: these lie in `table` (a
    Parquet object) with what each breaks, the rest went on as the version `clean_number`, and when
    rows are released they come back in the version `released_number`. Rows on which somebody
    decided before the others are a quarantine of their own, `part_of` the first.
    """

    id: str
    dataset: str
    version_number: int
    reason: str
    rows: int
    state: QuarantineState
    evidence: dict[str, Any]
    at: int
    kind: QuarantineKind = "version"
    table: str = ""
    checks: dict[str, int] = {}
    clean_number: int | None = None
    released_number: int | None = None
    part_of: str = ""

    @property
    def ref(self) -> str:
        """Return the version it holds, or holds rows of: `outcomes@12`."""
        return f"{self.dataset}@{self.version_number}"


class HeldRow(msgspec.Struct, frozen=True, kw_only=True):
    """A row in quarantine: where it stood in its version (from 0), what it breaks, its values."""

    row: int
    checks: tuple[str, ...]
    values: dict[str, Any]


class RowsHeld(msgspec.Struct, frozen=True, kw_only=True):
    """What became of a version whose failing rows were to be held.

    Without a quarantine nothing was to hold: the version passed, or no check that failed is about
    single rows. `version` is what is left: a new version, or the one that was judged.
    """

    validation: Validation
    quarantine: Quarantine | None
    version: DatasetVersion


def identity_of(digest: str, parents: Sequence[str]) -> str:
    """Return what names a version: its content's digest, and the identities it was made on.

    So the same commit on the same version is the same version in every home, and one on another is
    not. A first version is named by its content.
    """
    return digest_json({"content": digest, "parents": list(parents)}) if parents else digest


def with_content(draft: DatasetVersion, version: DatasetVersion) -> DatasetVersion:
    """Return a draft with the content of a version that is there: nothing is stored for it."""
    return msgspec.structs.replace(
        draft, **{name: getattr(version, name) for name in _CONTENT}, stored_bytes=0
    )


def worst(checks: tuple[CheckResult, ...]) -> Verdict:
    """Return the most serious verdict among checks; `pass` when there are none."""
    verdicts: list[Verdict] = [c.verdict for c in checks]
    return max(verdicts, key=_SEVERITY.__getitem__, default="pass")
