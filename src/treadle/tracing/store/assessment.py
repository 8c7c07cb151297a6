"""SQL of assessments."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import msgspec

from treadle.tracing.store.rows import assessments_by
from treadle.tracking.store import driver

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.transaction import Transaction
    from treadle.tracing.entities import Assessment

_PUT = """
    INSERT INTO assessments (
        id, trace_id, name, kind, value, number, error, source_kind, source_id, run_id, span_id,
        rationale, metadata, overrides, valid, created_at, updated_at
    ) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING
"""
_CHANGE = """
    UPDATE assessments SET name = ?, value = ?, number = ?, error = ?, rationale = ?, metadata = ?,
        updated_at = ?
    WHERE id = ?
"""


def put_assessments(tx: Transaction, made: Sequence[Assessment]) -> int:
    """Insert assessments; say how many were not there yet."""
    rows = [
        (
            a.id, a.trace_id, a.name, a.kind, _json(a.value), _number(a.value), _error(a),
            a.source_kind, a.source_id, a.run_id, a.span_id, a.rationale, _json(a.metadata),
            a.overrides, a.valid, a.created_at, a.updated_at,
        )
        for a in made
    ]  # fmt: skip
    return driver.run(tx, _PUT, rows).rowcount if rows else 0


def find_assessment(tx: Transaction, assessment_id: str) -> Assessment | None:
    """Return an assessment, or None when it is not there."""
    return next(iter(assessments_by(tx, "id", [assessment_id])), None)


def change_assessment(tx: Transaction, after: Assessment) -> None:
    """Write what of an assessment may change."""
    row = (
        after.name, _json(after.value), _number(after.value), _error(after), after.rationale,
        _json(after.metadata), after.updated_at, after.id,
    )  # fmt: skip
    driver.run(tx, _CHANGE, row)


def set_valid(tx: Transaction, trace_id: str, assessment_id: str, *, valid: bool) -> bool:
    """Say whether an assessment of a trace stands; say whether it is there."""
    changed = "UPDATE assessments SET valid = ? WHERE trace_id = ? AND id = ?"
    return driver.run(tx, changed, (valid, trace_id, assessment_id)).rowcount > 0


def drop_assessment(tx: Transaction, assessment_id: str) -> None:
    """Delete an assessment."""
    driver.run(tx, "DELETE FROM assessments WHERE id = ?", (assessment_id,))


def _json(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _error(made: Assessment) -> str | None:
    return None if made.error is None else _json(made.error)


def _number(value: Any) -> float | None:
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    # JSON has whole numbers that no float holds; NaN is within no bounds.
    return float(value) if is_number and abs(value) <= sys.float_info.max else None
