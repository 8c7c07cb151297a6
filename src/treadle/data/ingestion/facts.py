"""What happens to ingestions, as facts for the event log."""

from __future__ import annotations

from typing import ClassVar

from treadle.data.ingestion.entities import Counts, IngestionBody
from treadle.storage.events import Fact


class IngestionSet(Fact, frozen=True, kw_only=True):
    """A dataset is to grow from a source."""

    kind: ClassVar[str] = "ingestion.set"

    dataset: str
    number: int
    body: IngestionBody

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class IngestionRemoved(Fact, frozen=True, kw_only=True):
    """A dataset no longer grows from a source; its versions stay."""

    kind: ClassVar[str] = "ingestion.removed"

    dataset: str
    number: int

    def subject(self) -> str:
        return f"dataset/{self.dataset}"


class DatasetIngested(Fact, frozen=True, kw_only=True):
    """A source was read up to a watermark; `version` is what that made, None for nothing new."""

    kind: ClassVar[str] = "dataset.ingested"

    dataset: str
    ingestion_number: int
    version: int | None
    watermark: str
    counts: Counts

    def subject(self) -> str:
        return f"dataset/{self.dataset}"
