"""Files of this machine: paths, folders and globs."""

from __future__ import annotations

import glob
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from treadle.data.entities import Provenance
from treadle.data.sources.formats import format_of, rows_of
from treadle.data.sources.ports import Fetched, Reading, passing_errors
from treadle.kernel.digests import digest_json
from treadle.kernel.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from collections.abc import Iterator

    from treadle.data.sources.ports import Above


class FilesSource(msgspec.Struct, frozen=True, tag="files"):
    """Every file that a path, a folder or a glob means; as a table, one after the other by name."""

    places: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.places:
            raise InvalidInput("No file is named.", hint="Give a path or a glob.")

    @property
    def has_files(self) -> bool:
        """Return True."""
        return True

    def origin(self) -> Provenance:
        """Say which paths, as they were given."""
        return Provenance(kind="files", place=" ".join(self.places))

    @contextmanager
    def read(
        self, *, since: Provenance | None = None, above: Above | None = None
    ) -> Iterator[Reading | None]:
        """Read the rows of every file; all of them, whatever they should be above."""
        del above
        paths = self._found()
        origin = self._marked(paths)
        if since is not None and since.is_same_place(origin) and since.mark == origin.mark:
            yield None
            return
        with (
            rows_of(paths) as batches,
            passing_errors(Reading(batches=batches, origin=origin)) as passed,
        ):
            yield passed

    def fetch(self, folder: Path, *, since: Provenance | None = None) -> Fetched | None:  # noqa: ARG002 - they are here already
        """Return where the files are."""
        paths = self._found()
        origin = self._marked(paths)
        if since is not None and since.is_same_place(origin) and since.mark == origin.mark:
            return None
        return Fetched(paths=tuple(paths), origin=origin)

    def _found(self) -> list[Path]:
        found = [path for place in self.places for path in _files(place)]
        return list(dict.fromkeys(found))

    def _marked(self, paths: list[Path]) -> Provenance:
        looks = [[str(p), p.stat().st_size, p.stat().st_mtime_ns] for p in paths]
        return msgspec.structs.replace(self.origin(), mark=digest_json(looks)[:32])


def files(*places: str | Path) -> FilesSource:
    """Say that files are the source: paths, folders, globs (`files("in/*.csv")`)."""
    return FilesSource(tuple(str(place) for place in places))


def _files(place: str) -> list[Path]:
    path = Path(place).expanduser()
    if path.is_dir():
        return sorted(p for p in path.rglob("*") if p.is_file() and format_of(p.name))
    if path.is_file():
        return [path]
    found = sorted(Path(p) for p in glob.glob(str(path), recursive=True))  # noqa: PTH207 - a glob may be absolute
    found = [p for p in found if p.is_file()]
    if not found:
        beside = [p.name for p in path.parent.iterdir()] if path.parent.is_dir() else []
        raise NotFound("file", place, known=beside)
    return found
