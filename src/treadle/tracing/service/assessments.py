"""The verbs of what is said about traces: feedback and expectations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.kernel.errors import InvalidInput, NotFound
from treadle.kernel.ids import new_id
from treadle.tracing import rules, store
from treadle.tracing.facts import AssessmentChanged, AssessmentDeleted, AssessmentLogged

if TYPE_CHECKING:
    from collections.abc import Mapping

    from treadle.storage.transaction import Transaction
    from treadle.tracing.entities import Assessment, NewValue
    from treadle.tracing.service.doors import Doors

PREFIX = "a-"


def log_assessment(self: Doors, said: Assessment) -> Assessment:
    """Log what somebody says about a trace; without an id it is given one.

    One that `overrides` another makes that one invalid. Raises NotFound for an unknown trace.
    """
    with self.metadata.write() as tx:
        made = rules.check_assessment(
            msgspec.structs.replace(
                said,
                id=said.id or PREFIX + new_id(),
                created_at=said.created_at or tx.at,
                updated_at=said.updated_at or tx.at,
            )
        )
        _must_be_there(tx, made.trace_id)
        if made.overrides and not store.set_valid(tx, made.trace_id, made.overrides, valid=False):
            raise NotFound("assessment", made.overrides)
        if not store.put_assessments(tx, [made]):
            raise InvalidInput(f"There is an assessment {made.id} already.", hint="Change it.")
        tx.emit(
            AssessmentLogged(
                id=made.id,
                trace_id=made.trace_id,
                name=made.name,
                about=made.kind,
                value=made.value,
                source_kind=made.source_kind,
                source_id=made.source_id,
                overrides=made.overrides,
            )
        )
    return made


def assessment(self: Doors, trace_id: str, assessment_id: str) -> Assessment:
    """Return an assessment of a trace. Raises NotFound."""
    with self.metadata.read() as tx:
        return _found(tx, trace_id, assessment_id)


def change_assessment(
    self: Doors,
    trace_id: str,
    assessment_id: str,
    *,
    name: str | None = None,
    value: NewValue | None = None,
    rationale: str | None = None,
    metadata: Mapping[str, str] | None = None,
) -> Assessment:
    """Change what was said about a trace; metadata are added. Who said it stays."""
    with self.metadata.write() as tx:
        before = _found(tx, trace_id, assessment_id)
        if value is not None and value.kind != before.kind:
            article, what = (
                ("an", "Expectation") if before.kind == "expectation" else ("a", "Feedback")
            )
            raise InvalidInput(f"Cannot update {value.kind} value on {article} {what} assessment.")
        after = rules.check_assessment(
            msgspec.structs.replace(
                before,
                name=before.name if name is None else name,
                value=before.value if value is None else value.value,
                error=before.error if value is None else value.error,
                rationale=before.rationale if rationale is None else rationale,
                metadata={**before.metadata, **(metadata or {})},
                updated_at=tx.at,
            )
        )
        store.change_assessment(tx, after)
        tx.emit(
            AssessmentChanged(id=after.id, trace_id=trace_id, name=after.name, value=after.value)
        )
    return after


def delete_assessment(self: Doors, trace_id: str, assessment_id: str) -> None:
    """Take back what was said about a trace, which restores what it overrode; twice is once."""
    with self.metadata.write() as tx:
        _must_be_there(tx, trace_id)
        before = store.find_assessment(tx, assessment_id)
        if before is None or before.trace_id != trace_id:
            return
        if before.overrides:
            store.set_valid(tx, trace_id, before.overrides, valid=True)
        store.drop_assessment(tx, assessment_id)
        tx.emit(AssessmentDeleted(id=assessment_id, trace_id=trace_id))


def _must_be_there(tx: Transaction, trace_id: str) -> None:
    if trace_id not in store.known_traces(tx, [trace_id]):
        raise NotFound("trace", trace_id)


def _found(tx: Transaction, trace_id: str, assessment_id: str) -> Assessment:
    found = store.find_assessment(tx, assessment_id)
    if found is None or found.trace_id != trace_id:
        _must_be_there(tx, trace_id)
        raise NotFound("assessment", assessment_id)
    return found
