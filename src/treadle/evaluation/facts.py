"""What happens to evaluation datasets, as facts of the event log.

Records come by the thousand: their merge is a fact, they are not. `content` is the digest of all
that was merged, so that the log proves what came even though it does not hold it.
"""

from __future__ import annotations

from typing import ClassVar

from treadle.storage.events import Fact


class _EvaluationFact(Fact, frozen=True, kw_only=True):
    """Something that happened to an evaluation dataset."""

    id: str
    name: str

    def subject(self) -> str:
        return f"evaluation/{self.id}"


class EvaluationCreated(_EvaluationFact, frozen=True, kw_only=True):
    """An evaluation dataset was made, still without records."""

    kind: ClassVar[str] = "evaluation.created"
    tags: dict[str, str]
    experiment_ids: tuple[str, ...]


class EvaluationDeleted(_EvaluationFact, frozen=True, kw_only=True):
    """An evaluation dataset is gone with its records; what was frozen of it stays."""

    kind: ClassVar[str] = "evaluation.deleted"
    records: int


class EvaluationTagged(_EvaluationFact, frozen=True, kw_only=True):
    """An evaluation dataset has other tags."""

    kind: ClassVar[str] = "evaluation.tagged"
    tags: dict[str, str]
    removed: tuple[str, ...] = ()


class EvaluationMerged(_EvaluationFact, frozen=True, kw_only=True):
    """Records came: new ones were added, known ones took over expectations and tags."""

    kind: ClassVar[str] = "evaluation.merged"
    inserted: int
    updated: int
    records: int
    digest: str
    content: str


class EvaluationRecordsRemoved(_EvaluationFact, frozen=True, kw_only=True):
    """Records were removed; `records` is how many are left."""

    kind: ClassVar[str] = "evaluation.records_removed"
    removed: int
    records: int


class EvaluationAssigned(_EvaluationFact, frozen=True, kw_only=True):
    """An evaluation dataset belongs to other experiments."""

    kind: ClassVar[str] = "evaluation.assigned"
    added: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


class EvaluationFrozen(_EvaluationFact, frozen=True, kw_only=True):
    """A state of an evaluation dataset became a dataset version."""

    kind: ClassVar[str] = "evaluation.frozen"
    digest: str
    version: str
    records: int
