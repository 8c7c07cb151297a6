"""The verb that merges one branch into another."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from treadle.data import store as sql
from treadle.data.branches.entities import MAIN
from treadle.data.branches.graph import descends, merge_base
from treadle.data.diffs.service import Diffs
from treadle.data.diffs.writing import require_ending, write_conflicts
from treadle.data.entities import DatasetVersion, with_content
from treadle.data.facts import BranchSet
from treadle.data.history.entities import Clash, Merged
from treadle.data.history.merging import differing, merge_trees
from treadle.data.refs import find_version
from treadle.data.tables.service import Tables
from treadle.data.trees.encoding import read_tree
from treadle.data.trees.service import ATTEMPTS
from treadle.data.versions import add_version, point_branch, require_branch
from treadle.kernel.errors import Conflict, InvalidInput
from treadle.storage.chunks.writing import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from treadle.data.diffs.entities import Conflict as RowConflict
    from treadle.data.diffs.merging import TableMerge
    from treadle.data.history.entities import Side
    from treadle.data.trees.entities import TreeEntry


CONFLICTS_LISTED = 1_000
CELL_CHARACTERS = 60


class Sides(msgspec.Struct, frozen=True):
    """The two versions that are merged, and the nearest one that both descend from."""

    branch: str
    ours: DatasetVersion
    theirs: DatasetVersion
    base: DatasetVersion | None
    is_forward: bool

    @property
    def message(self) -> str:
        """Return why there is a version, when nobody says."""
        return f"merge {self.theirs.ref} into {self.branch}"

    def merged(self, **fields: object) -> Merged:
        """Return what became of it."""
        return Merged(
            theirs=self.theirs.ref,
            into=f"{self.ours.dataset}@{self.branch}",
            base=self.base.ref if self.base else "",
            **fields,  # type: ignore[arg-type]
        )


class _Asked(NamedTuple):
    """What a merge was asked for."""

    take: Side | None
    take_in: Mapping[str, Side]
    decided: Path | str | None
    conflicts: Path | str | None
    key: Sequence[str] | None
    message: str
    dry_run: bool


def _clash(found: RowConflict) -> Clash:
    sides = ((side, getattr(found, side)) for side in ("base", "ours", "theirs"))
    told = ", ".join(f"{side} {_short(value)}" for side, value in sides)
    return Clash(found.name, f"{found.kind.replace('_', ' ')}: {told}")


def _short(value: object) -> str:
    if isinstance(value, dict):
        return "has the row"
    text = "nothing" if value is None else str(value)
    return text if len(text) <= CELL_CHARACTERS else text[: CELL_CHARACTERS - 1] + "…"


class Mergers(Tables, Diffs):
    """Merges branches."""

    def merge(
        self,
        ref: str,
        *,
        into: str = MAIN,
        take: Side | None = None,
        message: str = "",
        dry_run: bool = False,
        key: Sequence[str] | None = None,
        take_in: Mapping[str, Side] | None = None,
        decided: Path | str | None = None,
        conflicts: Path | str | None = None,
    ) -> Merged:
        """Bring what was changed on a version or branch into a branch of the same dataset.

        Against the nearest version that both descend from, path by path; tables row by row, by
        `key` as in `diff`, and cell by cell. Where the sides do not agree nothing is done and it is
        named, unless `take` says whose is right. Where the branch has nothing of its own it only
        moves.

        Of tables `take_in` says so for a column. With `conflicts` all of them are written to a file
        (.parquet, .csv or .jsonl), and `decided` is such a file in which somebody has said what is
        `taken`. Raises Conflict where it is of other values than there are now.
        """
        asked = _Asked(take, dict(take_in or {}), decided, conflicts, key, message, dry_run)
        if conflicts is not None:
            require_ending(Path(conflicts))
        for _ in range(ATTEMPTS):
            sides = self._sides(ref, into)
            found = self._merged(sides, asked)
            if found is not None:
                return found
        raise Conflict(
            f"Four times something else happened to {into} or its chunks while {ref} was merged.",
            hint="Merge again when nobody commits there.",
        )

    def _sides(self, ref: str, into: str) -> Sides:
        with self._store.read() as tx:
            theirs = find_version(tx, ref)
            branch = require_branch(tx, theirs.dataset, into)
            ours = find_version(tx, branch.version)
            links = sql.links(tx, theirs.dataset)
            base = merge_base(links, ours.number, theirs.number)
            below = None if base is None else sql.version_by_number(tx, theirs.dataset, base)
            forward = descends(links, theirs.number, ours.number)
        return Sides(into, ours, theirs, below, forward)

    def _merged(self, sides: Sides, asked: _Asked) -> Merged | None:
        """Return what the merge did, None when something came in between."""
        ours, theirs, base = sides.ours, sides.theirs, sides.base
        if base is not None and base.number == theirs.number:
            return sides.merged(kind="nothing", version=ours.ref)
        if sides.is_forward:
            return self._forward(sides, dry_run=asked.dry_run)
        if ours.is_table and theirs.is_table:
            return self._merged_rows(sides, asked)
        trees = [self._entries(side) for side in (base, ours, theirs)]
        if asked.take_in or asked.decided or asked.conflicts:
            raise InvalidInput(
                f"{ours.ref} and {theirs.ref} are files: only conflicts of tables are decided one "
                "by one.",
                hint="Take one side's with --ours or --theirs, or commit the files that are right.",
            )
        merged, clashes = merge_trees(*trees, take=asked.take)
        if clashes:
            return sides.merged(kind="conflicts", conflicts=clashes, conflict_count=len(clashes))
        taken = differing(trees[1], merged)
        if asked.dry_run:
            return sides.merged(kind="merged", taken=taken)
        draft = self.draft(
            ours.dataset,
            message=asked.message or sides.message,
            branch=sides.branch,
            parents=(ours.number, theirs.number),
        )
        try:
            version = self.land(draft, merged, writer=ChunkWriter(self._intake()), expect=ours.ref)
        except Conflict as error:
            if "head" in error.data:  # somebody committed there
                return None
            raise
        if version is None:
            return None
        return sides.merged(kind="merged", version=version.ref, taken=taken)

    def _merged_rows(self, sides: Sides, asked: _Asked) -> Merged | None:
        """Merge tables as `_merged` merges files."""
        ours, theirs, base = sides.ours, sides.theirs, sides.base
        if base is None or not base.is_table:
            raise Conflict(
                f"{ours.ref} and {theirs.ref} descend from no table: nothing says what is new.",
                hint=f"Name one as their base: client.data.merge_tables(BASE, {ours.ref!r}, …).",
            )
        with self.merge_tables(
            base,
            ours,
            theirs,
            key=asked.key,
            prefer=asked.take,
            prefer_in=asked.take_in,
            decided=asked.decided,
        ) as rows:
            counts = rows.counts
            if counts.conflicts and (undecided := rows.undecided):
                found = rows.conflicts(limit=CONFLICTS_LISTED, undecided=True)
                told = tuple(_clash(each) for each in found)
                if asked.conflicts is not None:
                    write_conflicts(rows.conflicts(), Path(asked.conflicts))
                return sides.merged(
                    kind="conflicts",
                    conflicts=told,
                    conflict_count=undecided,
                    kept_in=str(asked.conflicts or ""),
                    is_table=True,
                )
            taken = counts.added + counts.removed + counts.changed
            if asked.dry_run:
                return sides.merged(kind="merged", taken=taken, is_table=True)
            try:
                version = self._land_rows(sides, rows, message=asked.message)
            except Conflict as error:
                if "head" in error.data:  # somebody committed there
                    return None
                raise
        return sides.merged(kind="merged", version=version.ref, taken=taken, is_table=True)

    def _land_rows(self, sides: Sides, rows: TableMerge, *, message: str) -> DatasetVersion:
        ours, parents = sides.ours, (sides.ours.number, sides.theirs.number)
        told = message or sides.message
        if rows.is_ours:  # nothing is new, and from now on it is known that they were merged
            draft = self.draft(ours.dataset, message=told, branch=sides.branch, parents=parents)
            with self._store.write() as tx:
                find_version(tx, ours.ref)
                return add_version(tx, with_content(draft, ours), expect=ours.ref)
        return self.commit_table(
            ours.dataset,
            rows.arrow(),
            message=told,
            branch=sides.branch,
            expect=ours.ref,
            parents=parents,
        )

    def _entries(self, version: DatasetVersion | None) -> tuple[TreeEntry, ...]:
        if version is None:
            return ()
        if version.is_table:
            raise InvalidInput(
                f"{version.ref} is a table, the other side is files: they cannot be merged."
            )
        # Of a removed base, too: what descends from it keeps what it needs until it is forgotten.
        return read_tree(version.tree, reader=self._reader)

    def _forward(self, sides: Sides, *, dry_run: bool) -> Merged | None:
        name, ours, theirs = sides.ours.dataset, sides.ours, sides.theirs
        if not dry_run:
            with self._store.write() as tx:
                sql.lock_dataset(tx, name)
                if require_branch(tx, name, sides.branch).number != ours.number:
                    return None
                find_version(tx, theirs.ref)
                point_branch(tx, name, sides.branch, theirs.number)
                tx.emit(
                    BranchSet(
                        dataset=name,
                        name=sides.branch,
                        version_number=theirs.number,
                        was=ours.number,
                    )
                )
        return sides.merged(kind="forward", version="" if dry_run else theirs.ref)
