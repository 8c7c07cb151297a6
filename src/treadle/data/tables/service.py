"""The verbs of versions that are tables."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import msgspec

from treadle.data.branches.entities import MAIN
from treadle.data.refs import find_version
from treadle.data.tables.laid_out import LaidOut
from treadle.data.tables.parts import TableParts
from treadle.data.tables.sources import Source, files_among, origin_of
from treadle.data.tables.store import version_with_table
from treadle.data.tables.taking import manifest_digest, take_table
from treadle.data.trees.encoding import write_tree
from treadle.data.trees.entities import CommitPlan
from treadle.data.trees.service import ATTEMPTS, Trees
from treadle.data.versions import add_version, require_name
from treadle.kernel.errors import Conflict, Corrupt, NotFound, counted
from treadle.storage.chunks import store as chunks_sql
from treadle.storage.chunks.writing import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import pyarrow as pa

    from treadle.data.entities import DatasetVersion, Provenance
    from treadle.data.tables.taking import Taken
    from treadle.data.tables.writing import Behind
    from treadle.storage.transaction import Transaction


class Tables(Trees):
    """Commits tables and reads their rows.

    A table is a tree: its rows are Parquet files, text files that they came from lie beside them.
    """

    @cached_property
    def _laid_out(self) -> LaidOut:
        return LaidOut(self._home, reader=self._reader, objects=self._objects)

    def commit(
        self,
        name: str,
        source: Source | Sequence[Path | str],
        *,
        message: str = "",
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
        parents: tuple[int, ...] = (),
    ) -> DatasetVersion:
        """Commit a file of rows (CSV, JSON lines, Parquet, Arrow), or a frame, as the next version.

        Anything else is committed as the files it is (`commit_files`): a folder, several paths, a
        file of another kind. What the newest version has, the same bytes under one file name or the
        same rows of a frame, changes nothing: it is that version. Raises InvalidInput, with
        lines, for a file that cannot be read; no version is made.

        It lands on the head of `branch`, also when that moved meanwhile; `expect` names the version
        that must be the head, else Conflict is raised. A merge names its `parents` by number.
        """
        require_name(name)
        paths = files_among(source)
        if paths:
            return self.commit_files(
                name, paths, message=message, progress=progress, branch=branch, expect=expect
            )
        return self.commit_table(
            name,
            source,
            message=message,
            progress=progress,
            branch=branch,
            expect=expect,
            parents=parents,
        )

    def commit_table(
        self,
        name: str,
        source: Source | Sequence[Path | str],
        *,
        message: str = "",
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
        parents: tuple[int, ...] = (),
        read_from: Provenance | None = None,
        also: Callable[[Transaction, DatasetVersion], None] | None = None,
        behind: Behind | None = None,
    ) -> DatasetVersion:
        """Commit rows as the next version; several files with the same columns are one table.

        However many rows there are, no more than a part of them is in memory. `read_from` is where
        rows come from that were read for this; `also` is done in the transaction that makes the
        version visible. Parts that are `behind` the rows begin the table as they are stored.
        """
        require_name(name)
        origin = origin_of(source)
        for _ in range(ATTEMPTS if origin.can_repeat else 1):
            writer = ChunkWriter(self._intake())
            taken = take_table(origin, writer=writer, progress=progress, behind=behind)
            draft = self.draft(
                name, message=message, branch=branch, parents=parents, read_from=read_from
            )
            version = self.land_table(draft, taken, writer=writer, expect=expect, also=also)
            if version is not None:
                return version
        raise Conflict(
            f"Something that {name} needs was swept away while it was committed.",
            hint="Commit again when no gc runs.",
        )

    def plan_table(self, name: str, source: Source | Sequence[Path | str]) -> CommitPlan:
        """Say what a commit of rows would store; reads all of them and writes nothing."""
        require_name(name)
        intake = self._intake(dry_run=True)
        writer = ChunkWriter(intake)
        taken = take_table(origin_of(source), writer=writer)
        writer.close()
        return CommitPlan(
            dataset=name,
            file_count=len(taken.entries),
            size_bytes=taken.size_bytes,
            new_bytes=intake.new_bytes,
            rows=taken.rows,
        )

    def table(self, ref: str, *, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a version's rows, verified; only some columns when they are named, in that order."""
        return self.parts(ref).table(columns)

    def parts(self, ref: str) -> TableParts:
        """Return a version's rows: as a table, as batches, or as Parquet files for an engine."""
        with self._store.read() as tx:
            return self._parts_of(find_version(tx, ref))

    def rows(self, table: str) -> pa.Table:
        """Return the rows that a version's `table` names."""
        with self._store.read() as tx:
            version = version_with_table(tx, table)
        if version is None:
            raise NotFound("table", table, hint="No version has these rows any more.")
        return self._parts_of(version).table()

    def verify(self, ref: str) -> DatasetVersion:
        """Read every byte of a version again. Raises Corrupt naming what is damaged or gone."""
        with self._store.read() as tx:
            version = find_version(tx, ref)
        if version.is_table and _manifest_of(version) != version.digest:
            raise Corrupt(f"The manifest of {version.ref} is not the one that was committed.")
        if version.tree:
            self._verify_files(version)
        else:
            self._verify_objects(version)
        if version.is_table:
            rows = self._parts_of(version).count_rows()
            if rows != version.rows:
                raise Corrupt(f"{version.ref} has {counted(rows, 'row')}, not {version.rows:,}.")
        return version

    def _parts_of(self, version: DatasetVersion) -> TableParts:
        return TableParts(
            version, reader=self._reader, objects=self._objects, laid_out=self._laid_out
        )

    def land_table(
        self,
        draft: DatasetVersion,
        taken: Taken,
        *,
        writer: ChunkWriter,
        expect: str = "",
        also: Callable[[Transaction, DatasetVersion], None] | None = None,
    ) -> DatasetVersion | None:
        """Make rows a version, or return None if a chunk that it needs was swept away."""
        tree, own = write_tree(taken.entries, writer=writer)
        writer.close()
        draft = msgspec.structs.replace(
            draft,
            digest=taken.digest,
            files=taken.files,
            table=taken.table,
            columns=taken.columns,
            rows=taken.rows,
            size_bytes=taken.size_bytes,
            tree=tree,
            file_count=len(taken.entries),
            stored_bytes=writer.intake.stored_bytes,
        )
        needed = {*own, *(chunk for entry in taken.entries for chunk in entry.chunks)}
        with self._store.write() as tx:
            chunks_sql.lock_to_lean(tx)
            if len(chunks_sql.known(tx, needed)) < len(needed):
                return None
            version = add_version(tx, draft, expect=expect)
            if also is not None:
                also(tx, version)
            return version

    def _verify_objects(self, version: DatasetVersion) -> None:
        """Read the whole objects of a table from before there were parts."""
        for entry in version.files:
            self._verify_object(entry.digest, what=f"{entry.path} of {version.ref}")
        self._verify_object(version.table, what=f"the table of {version.ref}")

    def _verify_object(self, digest: str, *, what: str) -> None:
        try:
            self._objects.open(digest).close()
        except (Corrupt, NotFound) as error:
            gone = "gone" if isinstance(error, NotFound) else "damaged"
            raise Corrupt(
                f"{what[0].upper()}{what[1:]} is {gone}.",
                hint="Restore the object from a copy, or commit the same file again.",
                digest=digest,
            ) from error


def _manifest_of(version: DatasetVersion) -> str:
    return manifest_digest(version.files, version.columns, table=version.table)
