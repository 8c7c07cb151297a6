"""How records that come are put to those that are there; pure."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.evaluation.entities import EvaluationRecord
from treadle.evaluation.rules import (
    FIELDS_MOST,
    RECORD_MOST_BYTES,
    SCHEMA_MOST_BYTES,
    json_text,
    kind_of,
)
from treadle.kernel.errors import InvalidInput
from treadle.kernel.ids import new_id
from treadle.tracking.rules import check_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.evaluation.entities import EvaluationDataset, RecordDraft

Row = dict[str, Any]


class Merging(msgspec.Struct, kw_only=True):
    """A merge under way: what is new and what was met again, by the hash of the inputs."""

    dataset_id: str
    at: int
    known: dict[str, EvaluationRecord]
    new: dict[str, EvaluationRecord] = {}
    changed: dict[str, EvaluationRecord] = {}
    updated: int = 0
    user: str | None = None

    def take(self, draft: RecordDraft, key: str) -> None:
        """Add a record, or put it to the one of the same inputs."""
        self.user = draft.user or self.user
        there = self.new.get(key) or self.changed.get(key) or self.known.get(key)
        if there is None:
            self.new[key] = _made(draft, self.dataset_id, at=self.at)
            return
        self.updated += 1
        (self.new if key in self.new else self.changed)[key] = _met(there, draft, at=self.at)


def input_hash(inputs: Mapping[str, Any]) -> str:
    """Return what tells inputs apart, as the genuine server computes it."""
    return hashlib.sha256(json_text(inputs, sort_keys=True).encode()).hexdigest()


def dataset_digest(name: str, at: int) -> str:
    """Return the digest of a state, as the genuine server has it: of the name and milliseconds."""
    return hashlib.sha256(f"{name}:{at // 1000}".encode()).hexdigest()[:8]


def row_of(record: EvaluationRecord, key: str) -> Row:
    """Return a record as it is stored. Raises InvalidInput when it is too large."""
    parts = {
        "inputs": json_text(record.inputs),
        "outputs": None if record.outputs is None else json_text(record.outputs),
        "expectations": None if record.expectations is None else json_text(record.expectations),
        "tags": json_text(record.tags),
        "source": None if record.source is None else json_text(record.source.data),
    }
    size = sum(len(text) for text in parts.values() if text)
    if size > RECORD_MOST_BYTES:
        raise InvalidInput(
            f"A record of {size:,} bytes is larger than {RECORD_MOST_BYTES >> 20} MB.",
            hint="Store what is large as an artifact, and its address here.",
        )
    return {
        "id": record.id,
        "dataset_id": record.dataset_id,
        "input_hash": key,
        **parts,
        "source_type": record.source.type if record.source else None,
        "source_id": record.source.id if record.source else None,
        "size_bytes": size,
        "created_at": record.created_at,
        "updated_at": record.updated_at,
        "created_by": record.created_by,
        "updated_by": record.updated_by,
    }


def grown_schema(
    dataset: EvaluationDataset, drafts: Sequence[RecordDraft]
) -> dict[str, Any] | None:
    """Return the schema with every field that was not seen before."""
    if dataset.schema is None and not drafts:
        return None
    schema = dataset.schema or {}
    inputs, expectations = ({**schema.get(part, {})} for part in ("inputs", "expectations"))
    # Outputs have fields, or are one value of a kind.
    outputs = schema.get("outputs", {})
    outputs = {**outputs} if isinstance(outputs, dict) else outputs
    for draft in drafts:
        _see(inputs, draft.inputs)
        _see(expectations, draft.expectations or {})
        if isinstance(draft.outputs, dict):
            if isinstance(outputs, dict):
                _see(outputs, draft.outputs)
        elif not (outputs or draft.outputs is None or draft.outputs is msgspec.UNSET):
            outputs = kind_of(draft.outputs)
    if len(inputs) + len(expectations) + len(outputs) > FIELDS_MOST:
        raise InvalidInput(
            f"The records have more than {FIELDS_MOST:,} different fields.",
            hint="Put what varies inside one field.",
        )
    grown = {"inputs": inputs, "outputs": outputs, "expectations": expectations, "version": "1.0"}
    if len(json_text(grown)) > SCHEMA_MOST_BYTES:
        raise InvalidInput(
            f"The names of all fields take more than {SCHEMA_MOST_BYTES >> 10} kB.",
            hint="Put what varies inside one field.",
        )
    return grown


def size_of(dataset: EvaluationDataset) -> int:
    """Return about how many bytes a dataset without its records takes."""
    tags = sum(len(key) + len(value) for key, value in dataset.tags.items())
    return len(dataset.name) + len(json_text(dataset.schema)) + tags


def _see(known: dict[str, str], fields: Mapping[str, Any]) -> None:
    for name, value in fields.items():
        if name not in known:
            known[name] = kind_of(value)


def _made(draft: RecordDraft, dataset_id: str, *, at: int) -> EvaluationRecord:
    user = _checked(draft.user)
    return EvaluationRecord(
        id=f"dr-{new_id()}",
        dataset_id=dataset_id,
        inputs=draft.inputs,
        # A record without outputs has empty ones there, one with null has none.
        outputs={} if draft.outputs is msgspec.UNSET else draft.outputs,
        expectations=draft.expectations,
        tags=draft.tags,
        source=draft.source,
        created_at=at,
        updated_at=at,
        created_by=user,
        updated_by=user,
    )


def _met(there: EvaluationRecord, draft: RecordDraft, *, at: int) -> EvaluationRecord:
    expectations = there.expectations
    if draft.expectations:
        expectations = {**(expectations or {}), **draft.expectations}
    return msgspec.structs.replace(
        there,
        outputs=there.outputs if draft.outputs is msgspec.UNSET else draft.outputs,
        expectations=expectations,
        tags={**there.tags, **draft.tags},
        updated_at=at,
        updated_by=_checked(draft.user) or there.updated_by,
    )


def _checked(user: str | None) -> str | None:
    return None if user is None else check_text(user, what="The user of a record")
