"""What diffs and merges of tables speak of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Literal

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

SchemaKind = Literal["added", "removed", "renamed", "retyped"]
KeySource = Literal["given", "contract", "found", "none"]
RowKind = Literal["added", "removed", "changed", "filled"]
Side = Literal["ours", "theirs"]
Taken = Literal["ours", "theirs", "base", "value"]
ConflictKind = Literal["both_changed", "both_added", "changed_removed", "removed_changed", "schema"]

ROW_KINDS: tuple[RowKind, ...] = ("changed", "added", "removed", "filled")


class SchemaChange(msgspec.Struct, frozen=True, kw_only=True):
    """What is different about a column.

    `before` and `after` are its types; of a renamed column its names. `values` are the rows of an
    added column that have one. A retyped column is compared by value: `compared_as` says as what.
    """

    kind: SchemaKind
    column: str
    before: str = ""
    after: str = ""
    compared_as: str = ""
    values: int | None = None


class Key(msgspec.Struct, frozen=True, kw_only=True):
    """The columns that say which rows are the same row; none: equal rows are.

    `source` says who named them: the caller, the contract, or nobody and they were found, because
    they repeat in no row of either table.
    """

    columns: tuple[str, ...]
    source: KeySource


class Counts(msgspec.Struct, frozen=True, kw_only=True):
    """How many rows a diff has.

    `changed_cells` counts by column; `repeated_keys` are keys that name several rows, whose rows
    can only be added or removed. `filled` are rows in which nothing is new but the values of
    columns that were added.
    """

    rows_before: int
    rows_after: int
    added: int
    removed: int
    changed: int
    filled: int
    changed_cells: dict[str, int]
    repeated_keys: int = 0

    @property
    def unchanged(self) -> int:
        """Return the rows that both have, equal in every column that both have."""
        return self.rows_before - self.removed - self.changed


class RowChange(msgspec.Struct, frozen=True, kw_only=True):
    """A row that differs: its key, and its cells on either side; None where it is not.

    Cells go by the names that columns have after; `cells` are those that differ. `row_before` and
    `row_after` count from 0.
    """

    kind: RowKind
    key: dict[str, Any]
    cells: tuple[str, ...]
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    row_before: int | None
    row_after: int | None


class DiffSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A diff without its rows: what was compared by which key, the columns, the counts."""

    before: str
    after: str
    key: Key
    schema: tuple[SchemaChange, ...]
    counts: Counts

    @property
    def is_empty(self) -> bool:
        """Say whether nothing differs; the order of rows and columns does not count."""
        counts = self.counts
        return not (self.schema or counts.added or counts.removed or counts.changed)


class Conflict(msgspec.Struct, frozen=True, kw_only=True):
    """What two sides did to the same thing, which only somebody can decide.

    `both_changed` and `both_added`: a cell has two new values. `changed_removed`: ours changed a
    row that theirs removed; `removed_changed` the other way round. `schema`: a column was removed
    or retyped on one side and changed on the other; then there is no key, and the values are types
    or what was done. `taken` says what the merged table has, a `value` of its own among them; None
    where nobody decided, and the table has ours.
    """

    kind: ConflictKind
    key: dict[str, Any]
    column: str
    base: Any
    ours: Any
    theirs: Any
    taken: Taken | None = None
    value: Any = None

    @property
    def name(self) -> str:
        """Return what it is about: `id 2, fare`."""
        key = [f"{name} {value}" for name, value in self.key.items()]
        return ", ".join([*key, *([self.column] if self.column else [])])


class MergeCounts(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge brought from theirs into ours, and what it could not decide.

    `changed` counts rows of ours that take a cell, also one of a column that only theirs has.
    """

    rows: int
    added: int
    removed: int
    changed: int
    conflicts: int


def name_of_key(key: Sequence[str]) -> str:
    """Return a key as it is written: `origin, day`."""
    return ", ".join(key)
