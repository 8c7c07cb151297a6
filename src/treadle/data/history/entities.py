"""What the history of a dataset tells: its log, what a merge did, what a removal takes."""

from __future__ import annotations

from typing import Literal

import msgspec

from treadle.data.branches.entities import Need
from treadle.data.entities import DatasetVersion

MergeKind = Literal["nothing", "forward", "merged", "conflicts"]
Side = Literal["ours", "theirs"]


class LogEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A version in the log, and the branches and tags that point at it."""

    version: DatasetVersion
    branches: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()


class Clash(msgspec.Struct, frozen=True):
    """A path, or a cell or row of a table, on which two sides of a merge do not agree."""

    path: str
    why: str


class Merged(msgspec.Struct, frozen=True, kw_only=True):
    """What a merge did, or would do.

    `forward` moved the branch without a new version; `nothing` was to be done; with `conflicts`
    nothing was done. `taken` are the paths, or rows of a table, that differ from the branch's own.
    Of very many conflicts of a table the first are here; `conflict_count` is how many there are,
    and all are in the file `kept_in`, where one was asked for.
    """

    kind: MergeKind
    theirs: str
    into: str
    base: str = ""
    version: str = ""
    taken: int = 0
    conflicts: tuple[Clash, ...] = ()
    conflict_count: int = 0
    kept_in: str = ""
    is_table: bool = False


class Reverted(msgspec.Struct, frozen=True, kw_only=True):
    """What a revert did, or would do: `ref` is whose content the branch has now, `was` its head.

    `nothing` was to be done where the head has that content already; then it is the `version`.
    """

    kind: Literal["nothing", "reverted"]
    ref: str
    into: str
    was: str
    version: str = ""


class Applied(msgspec.Struct, frozen=True, kw_only=True):
    """What a diff did to a branch, or would do: how many rows it added, removed and changed there.

    `changed` counts those too that only have values of a column that was added. `nothing` was to be
    done where the diff is empty.
    """

    kind: Literal["nothing", "applied"]
    diff: str
    into: str
    was: str
    version: str = ""
    added: int = 0
    removed: int = 0
    changed: int = 0


class Removal(msgspec.Struct, frozen=True, kw_only=True):
    """The versions that are removed, or would be, and what `gc` will free after the grace time."""

    refs: tuple[str, ...]
    needed_by: tuple[Need, ...] = ()
    freed_bytes: int = 0
