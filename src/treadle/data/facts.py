"""What happens to datasets, as facts for the event log."""

from __future__ import annotations

from typing import Any, ClassVar

from treadle.data.branches.entities import MAIN
from treadle.data.contracts import ContractBody
from treadle.data.entities import Column, FileEntry, Provenance, QuarantineState, Verdict
from treadle.storage.events import Fact


class DatasetCommitted(Fact, frozen=True, kw_only=True):
    """A dataset has a new version: rows in `table`, or the files that `tree` lists."""

    kind: ClassVar[str] = "dataset.committed"

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
    code_commit: str | None
    tree: str = ""
    file_count: int = 1
    stored_bytes: int | None = None
    branch: str = MAIN
    parents: tuple[int, ...] = ()
    source: Provenance | None = None
    identity: str = ""
    same_as: int | None = None

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class BranchSet(Fact, frozen=True, kw_only=True):
    """A branch was made (`was` is null then), or moved otherwise than by a commit."""

    kind: ClassVar[str] = "dataset.branch_set"

    dataset: str
    name: str
    version_number: int
    was: int | None = None

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class BranchDeleted(Fact, frozen=True, kw_only=True):
    """A branch was taken away; the versions on it stay."""

    kind: ClassVar[str] = "dataset.branch_deleted"

    dataset: str
    name: str
    version_number: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class TagSet(Fact, frozen=True, kw_only=True):
    """A version has a tag that it had not; `was` is the version that had it before."""

    kind: ClassVar[str] = "dataset.tag_set"

    dataset: str
    name: str
    version_number: int
    was: int | None = None

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class TagDeleted(Fact, frozen=True, kw_only=True):
    """A tag was taken away."""

    kind: ClassVar[str] = "dataset.tag_deleted"

    dataset: str
    name: str
    version_number: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetRemoved(Fact, frozen=True, kw_only=True):
    """Versions were removed; `forced` says that something still named them."""

    kind: ClassVar[str] = "dataset.removed"

    dataset: str
    numbers: tuple[int, ...]
    forced: bool = False

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetRestored(Fact, frozen=True, kw_only=True):
    """Removed versions are there again."""

    kind: ClassVar[str] = "dataset.restored"

    dataset: str
    numbers: tuple[int, ...]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetForgotten(Fact, frozen=True, kw_only=True):
    """Removed versions are gone for good; their numbers are never given again."""

    kind: ClassVar[str] = "dataset.forgotten"

    dataset: str
    numbers: tuple[int, ...]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class ContractSet(Fact, frozen=True, kw_only=True):
    """A dataset has a new contract."""

    kind: ClassVar[str] = "contract.set"

    dataset: str
    number: int
    digest: str
    body: ContractBody

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetValidated(Fact, frozen=True, kw_only=True):
    """A version was judged by a contract; `findings` are the checks that warned or failed."""

    kind: ClassVar[str] = "dataset.validated"

    id: str
    dataset: str
    version_number: int
    contract_number: int
    verdict: Verdict
    findings: tuple[str, ...]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetQuarantined(Fact, frozen=True, kw_only=True):
    """A version is kept out of training, gates and evaluation."""

    kind: ClassVar[str] = "dataset.quarantined"

    id: str
    dataset: str
    version_number: int
    reason: str
    rows: int
    evidence: dict[str, Any]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class RowsQuarantined(Fact, frozen=True, kw_only=True):
    """Rows of a version that break its contract are held; `table` is where they lie."""

    kind: ClassVar[str] = "dataset.rows_quarantined"

    id: str
    dataset: str
    version_number: int
    reason: str
    rows: int
    checks: dict[str, int]
    table: str
    evidence: dict[str, Any]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class RowsDecided(Fact, frozen=True, kw_only=True):
    """Somebody decided on held rows: they come back in a new version, or never.

    `part` is the quarantine they are in from then on; another one than `id` when the others
    remain held, in `remaining_table`.
    """

    kind: ClassVar[str] = "dataset.rows_decided"

    id: str
    part: str
    dataset: str
    version_number: int
    state: QuarantineState
    rows: int
    checks: dict[str, int]
    table: str
    remaining: int = 0
    remaining_table: str = ""

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class RowsMoved(Fact, frozen=True, kw_only=True):
    """A new version is there: without the rows that are held, or with those that were released."""

    kind: ClassVar[str] = "dataset.rows_moved"

    id: str
    dataset: str
    version_number: int
    clean_number: int | None
    released_number: int | None

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class QuarantineReleased(Fact, frozen=True, kw_only=True):
    """Somebody decided that a held version may be used."""

    kind: ClassVar[str] = "dataset.quarantine_released"

    id: str
    dataset: str
    version_number: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class QuarantineRejected(Fact, frozen=True, kw_only=True):
    """Somebody decided that a held version must never be used."""

    kind: ClassVar[str] = "dataset.quarantine_rejected"

    id: str
    dataset: str
    version_number: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class RemoteAdded(Fact, frozen=True, kw_only=True):
    """A place to share versions through has a name; `is_plain`: what is encrypted here, too."""

    kind: ClassVar[str] = "remote.added"

    name: str
    url: str
    is_plain: bool = False

    def subject(self) -> str:
        return f"remote/{self.name}"


class RemoteRemoved(Fact, frozen=True, kw_only=True):
    """A remote's name was forgotten; what lies there stays."""

    kind: ClassVar[str] = "remote.removed"

    name: str
    url: str

    def subject(self) -> str:
        return f"remote/{self.name}"


class RemoteProbed(Fact, frozen=True, kw_only=True):
    """A place was asked whether it keeps who was first; if not, the home's database does."""

    kind: ClassVar[str] = "remote.probed"

    url: str
    is_honest: bool

    def subject(self) -> str:
        return f"remote/{self.url}"


class DatasetPushed(Fact, frozen=True, kw_only=True):
    """A remote has versions of a dataset that it did not have."""

    kind: ClassVar[str] = "dataset.pushed"

    dataset: str
    remote: str
    versions: tuple[str, ...]
    size_bytes: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetWithdrawn(Fact, frozen=True, kw_only=True):
    """Versions of a dataset were removed from a remote; `versions` are their digests."""

    kind: ClassVar[str] = "dataset.withdrawn"

    dataset: str
    remote: str
    versions: tuple[str, ...]

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class RemoteSwept(Fact, frozen=True, kw_only=True):
    """What no version in a remote needs was removed from it."""

    kind: ClassVar[str] = "remote.swept"

    url: str
    era: int
    packs: int
    size_bytes: int

    def subject(self) -> str:
        return f"remote/{self.url}"


class RemoteKeyRotated(Fact, frozen=True, kw_only=True):
    """The data keys of an encrypted remote are under another master key; `master` names it."""

    kind: ClassVar[str] = "remote.key_rotated"

    url: str
    master: str

    def subject(self) -> str:
        return f"remote/{self.url}"


class DatasetPulled(Fact, frozen=True, kw_only=True):
    """A version came from a remote; it was committed elsewhere, by `committed_by`."""

    kind: ClassVar[str] = "dataset.pulled"

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
    code_commit: str | None
    tree: str
    file_count: int
    branch: str
    parents: tuple[int, ...]
    remote: str
    committed_by: str
    committed_at: int
    identity: str = ""
    same_as: int | None = None

    def subject(self) -> str:
        return f"dataset/{self.dataset}"
