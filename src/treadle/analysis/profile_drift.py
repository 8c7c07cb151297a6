"""How far one profile lies from another, given where the newer values fall among the older cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.analysis import drift
from treadle.analysis.columns import NULL_CATEGORY
from treadle.analysis.profiles import MOST_CATEGORIES, ColumnDrift, TableDrift

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from collections.abc import Set as AbstractSet

    from treadle.analysis.drift import Counts
    from treadle.analysis.profiles import ColumnProfile, TableProfile

_ORDERED = frozenset({"number", "time"})
_NAMED = frozenset({"category", "bool"})


def cuts_of(
    reference: TableProfile, *, columns: AbstractSet[str] | None = None
) -> dict[str, tuple[float, ...]]:
    """Return the cuts among which newer values must be counted, of the columns that are asked."""
    return {
        c.name: c.reference_bins.edges
        for c in reference.columns
        if c.reference_bins is not None and (columns is None or c.name in columns)
    }


def table_drift(
    reference: TableProfile,
    current: TableProfile,
    *,
    between: Mapping[str, Sequence[int]],
    against: str,
) -> TableDrift:
    """Measure each column that both have. `between` are the current counts among `cuts_of`."""
    before = {c.name: c for c in reference.columns}
    now = {c.name for c in current.columns}
    return TableDrift(
        against=against,
        rows_before=reference.rows,
        columns=tuple(
            _column(before[c.name], c, between.get(c.name))
            for c in current.columns
            if c.name in before
        ),
        added=tuple(c.name for c in current.columns if c.name not in before),
        removed=tuple(name for name in before if name not in now),
    )


def _column(
    before: ColumnProfile, now: ColumnProfile, between: Sequence[int] | None
) -> ColumnDrift:
    moved = ColumnDrift(
        now.name,
        nulls_before=_null_share(before),
        nulls_now=_null_share(now),
        why=_why_not(before, now, between),
    )
    if moved.why:
        return moved
    was: Counts = _by_name(before)
    is_: Counts = _by_name(now)
    if before.reference_bins is not None and between is not None:
        was, is_ = before.reference_bins.counts, between
    return msgspec.structs.replace(
        moved, psi=drift.psi_from_counts(was, is_), js=drift.jensen_shannon(was, is_)
    )


def _why_not(before: ColumnProfile, now: ColumnProfile, between: Sequence[int] | None) -> str:
    if "other" in {before.kind, now.kind}:
        return "not profiled"
    if before.hints or now.hints:
        return "personal data is not kept"
    if before.kind != now.kind:
        return f"was {before.kind}, is {now.kind}"
    if now.kind in _ORDERED:
        return "" if before.reference_bins is not None and between and sum(between) else "no values"
    if now.kind not in _NAMED:
        return "free text"
    if not before.rows or not now.rows:
        return "no values"
    known = all(c.categories or not c.distinct for c in (before, now))
    return "" if known else f"more than {MOST_CATEGORIES} categories"


def _by_name(column: ColumnProfile) -> dict[str, int]:
    counts = dict(column.categories)
    return counts | {NULL_CATEGORY: column.nulls} if column.nulls else counts


def _null_share(column: ColumnProfile) -> float:
    return column.nulls / column.rows if column.rows else 0.0
