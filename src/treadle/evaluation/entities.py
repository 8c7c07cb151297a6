"""What is known of evaluation datasets: the dataset, its records, the states that were frozen."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

SourceType = Literal["unspecified", "trace", "human", "document", "code"]

USER = "mlflow.user"
"""The tag by which MLflow's clients say who did it."""


class EvaluationDataset(msgspec.Struct, frozen=True, kw_only=True):
    """A growing set of examples under a name; several may have the same name, none the same id.

    `schema` says of which kind each field of inputs, outputs and expectations was when it was first
    seen. `records` is their number, None before the first came. `digest` is anew with every merge.
    """

    id: str
    name: str
    digest: str
    schema: dict[str, Any] | None = None
    records: int | None = None
    tags: dict[str, str] = {}
    experiment_ids: tuple[str, ...] = ()
    created_at: int
    updated_at: int
    created_by: str | None = None
    updated_by: str | None = None


class RecordSource(msgspec.Struct, frozen=True, kw_only=True):
    """Where a record comes from: `type="trace", data={"trace_id": "tr-…"}`."""

    type: SourceType
    data: dict[str, Any] = {}

    @property
    def id(self) -> str | None:
        """The trace it was taken from, or what else its source is called."""
        found = self.data.get("trace_id" if self.type == "trace" else "source_id")
        return found if isinstance(found, str) else None


class EvaluationRecord(msgspec.Struct, frozen=True, kw_only=True):
    """One example: what is asked, what is expected, and perhaps what was answered.

    Its inputs are its identity within a dataset and never change.
    """

    id: str
    dataset_id: str
    inputs: dict[str, Any]
    outputs: Any = None
    expectations: dict[str, Any] | None = None
    tags: dict[str, Any] = {}
    source: RecordSource | None = None
    created_at: int
    updated_at: int
    created_by: str | None = None
    updated_by: str | None = None


class RecordDraft(msgspec.Struct, frozen=True, kw_only=True):
    """A record as it is handed in; outputs that are UNSET leave those that are there."""

    inputs: dict[str, Any]
    outputs: Any = msgspec.UNSET
    expectations: dict[str, Any] | None = None
    tags: dict[str, Any] = {}
    source: RecordSource | None = None

    @property
    def user(self) -> str | None:
        """Who hands it in, if a tag says so."""
        found = self.tags.get(USER)
        return None if found is None else str(found)


class RecordPage(msgspec.Struct, frozen=True, kw_only=True):
    """Some records in the order they came; `after` goes on behind the last, None at the end."""

    records: tuple[EvaluationRecord, ...]
    after: str | None = None


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """How many records a merge added, and how many it met again."""

    inserted: int
    updated: int


class Freeze(msgspec.Struct, frozen=True, kw_only=True):
    """A state of an evaluation dataset (its digest) that became a dataset version (`late_qa@3`)."""

    dataset_id: str
    name: str
    version: str
    digest: str
    records: int
    at: int
