"""A source as the next version of a dataset."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from treadle.kernel.errors import NotFound

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.data.entities import DatasetVersion, Provenance
    from treadle.data.sources.ports import DataSource


class Landing(NamedTuple):
    """Where a version is to land, as for `commit`."""

    message: str
    branch: str
    expect: str


class CommitsTables(Protocol):
    """What commits rows."""

    def commit_table(
        self,
        name: str,
        source: Any,
        *,
        message: str,
        branch: str,
        expect: str,
        read_from: Provenance,
    ) -> DatasetVersion:
        """Commit rows, or files of rows."""


class CommitsFiles(Protocol):
    """What commits files as they are."""

    def commit_files(
        self,
        name: str,
        sources: Sequence[Path | str],
        *,
        message: str,
        branch: str,
        expect: str,
        read_from: Provenance,
    ) -> DatasetVersion:
        """Commit files and folders."""


def commit_rows(
    data: CommitsTables,
    name: str,
    source: DataSource,
    *,
    newest: DatasetVersion | None,
    landing: Landing,
) -> DatasetVersion:
    """Commit what a source gives as a table; `newest` when the source did not change."""
    since = newest.source if newest is not None and newest.is_table else None
    if not source.has_files:
        with source.read(since=since) as reading:
            if reading is None:
                return _unchanged(newest, name)
            rows, origin = reading.batches, reading.origin
            return data.commit_table(name, rows, **landing._asdict(), read_from=origin)
    with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
        fetched = source.fetch(Path(folder), since=since)
        if fetched is None:
            return _unchanged(newest, name)
        paths, origin = list(fetched.paths), fetched.origin
        return data.commit_table(name, paths, **landing._asdict(), read_from=origin)


def commit_as_files(
    data: CommitsFiles,
    name: str,
    source: DataSource,
    *,
    newest: DatasetVersion | None,
    landing: Landing,
) -> DatasetVersion:
    """Commit the files of a source as they are; `newest` when the source did not change."""
    since = newest.source if newest is not None and not newest.is_table else None
    with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
        fetched = source.fetch(Path(folder), since=since)
        if fetched is None:
            return _unchanged(newest, name)
        inside = all(path.is_relative_to(folder) for path in fetched.paths)
        paths = [Path(folder)] if inside and len(fetched.paths) > 1 else list(fetched.paths)
        return data.commit_files(name, paths, **landing._asdict(), read_from=fetched.origin)


def _unchanged(newest: DatasetVersion | None, name: str) -> DatasetVersion:
    if newest is None:
        raise NotFound("version of", name)
    return newest
