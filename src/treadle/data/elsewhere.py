"""The verbs of versions that come from elsewhere."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from treadle.data.branches import store as pointers
from treadle.data.branches.entities import MAIN
from treadle.data.ingestion.service import Ingestions
from treadle.data.refs import find_even_removed
from treadle.data.sources.committing import Landing, commit_as_files, commit_rows
from treadle.data.sources.ports import DataSource
from treadle.data.sources.secrets import bare
from treadle.data.tables.service import Tables
from treadle.kernel.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from treadle.data.entities import DatasetVersion, Provenance
    from treadle.data.ingestion.entities import Ingested, SchemaChange
    from treadle.data.tables.sources import Source


class Elsewhere(Tables):
    """Commits what comes from elsewhere, and has datasets grow from there."""

    def commit(
        self,
        name: str,
        source: Source | DataSource | Sequence[Path | str],
        *,
        message: str = "",
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
        parents: tuple[int, ...] = (),
    ) -> DatasetVersion:
        """Commit a file of rows, a frame, or what a source gives (`sources.sql(…)`).

        Anything else is committed as the files it is (`commit_files`): a folder, several paths, a
        file of another kind. What the newest version has, the same bytes under one file name or the
        same rows of a frame, changes nothing: it is that version; a source that did not change
        is not read again. Raises InvalidInput, with lines, for a file that cannot be read; no
        version is made.

        It lands on the head of `branch`, also when that moved meanwhile; `expect` names the version
        that must be the head, else Conflict is raised. A merge names its `parents` by number.
        """
        landing = Landing(message, branch, expect)
        if isinstance(source, DataSource):
            newest = self._head_of(name, branch)
            return commit_rows(self, name, source, newest=newest, landing=landing)
        if isinstance(source, str) and "://" in source:
            raise InvalidInput(
                f"{bare(source)} is an address, not a path.",
                hint="Commit sources.url(…) or, with a query, sources.sql(…): "
                "from treadle.data import sources",
            )
        return super().commit(name, source, progress=progress, parents=parents, **landing._asdict())

    def commit_files(
        self,
        name: str,
        sources: Sequence[Path | str] | DataSource,
        *,
        message: str = "",
        progress: Callable[[int], None] | None = None,
        branch: str = MAIN,
        expect: str = "",
        read_from: Provenance | None = None,
    ) -> DatasetVersion:
        """Commit files and folders, or the files of a source, as the next version of a dataset.

        One folder is committed with all that lies in it; several paths, or a file, under their
        names. `progress` is told the bytes of files as they are done, from any thread. `branch` and
        `expect` are as for `commit`; `read_from` is where files come from that were fetched for it.
        """
        landing = Landing(message, branch, expect)
        if isinstance(sources, DataSource):
            newest = self._head_of(name, branch)
            return commit_as_files(self, name, sources, newest=newest, landing=landing)
        return super().commit_files(
            name, sources, progress=progress, read_from=read_from, **landing._asdict()
        )

    @cached_property
    def ingestions(self) -> Ingestions:
        """How datasets grow from sources: set it, see it, run it (`ingest`)."""
        return Ingestions(store=self._store, data=self, newest=self._head_of)

    def ingest(
        self,
        name: str,
        *,
        source: DataSource | None = None,
        again: bool = False,
        schema_change: SchemaChange | None = None,
    ) -> Ingested:
        """Take what is new at a dataset's source (`ingestions.set`), once, also after a crash.

        `again` reads from the start; `source` stands in for the one that was set.
        """
        return self.ingestions.run(name, source=source, again=again, schema_change=schema_change)

    def _head_of(self, name: str, branch: str = MAIN) -> DatasetVersion | None:
        """Return the newest version on a branch, None where there is none, or no more."""
        with self._store.read() as tx:
            head = pointers.pointer(tx, name, branch)
            found = find_even_removed(tx, head.version) if head else None
        return found if found is not None and found.removed_at is None else None
