"""Parts as Parquet files on disk, for engines that read files: DuckDB, Polars, a person's tools.

In a home they stay in a folder `tables`, one folder a table, whose files are links to
`tables/parts`: what two versions share lies there once. All of it can be removed at any time, and
what was not used for a week is. A file is checked against its digests before a process first uses
it, and again when it no longer looks as it did then.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from blake3 import blake3

from treadle.kernel.digests import CHUNK_BYTES
from treadle.kernel.errors import InvalidInput, Unavailable
from treadle.kernel.ids import new_id

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from treadle.data.entities import DatasetVersion
    from treadle.data.trees.entities import TreeEntry
    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.ports import ObjectStore

FOLDER = "tables"
PARTS = "parts"
ONLY_PART = "part-00000.parquet"
CHUNKS_AT_ONCE = 128
KEPT_S = 7 * 24 * 3600
READ_ONLY = 0o444


class _Looks(NamedTuple):
    """What a file looked like when it was checked."""

    inode: int
    size_bytes: int
    mtime_ns: int


class LaidOut:
    """Writes parts out and checks what is there. May be shared by threads and processes."""

    def __init__(self, home: Path | None, *, reader: ChunkReader, objects: ObjectStore) -> None:
        self._root = home / FOLDER if home else None
        self._reader = reader
        self._objects = objects
        self._checked: dict[str, _Looks] = {}

    @contextmanager
    def files(
        self, version: DatasetVersion, entries: Sequence[TreeEntry]
    ) -> Iterator[tuple[Path, ...]]:
        """Yield the files of a table in the order of its rows. Raises Corrupt for damaged parts."""
        if self._root is not None:
            yield self._lay_out(self._root, version, entries)
            return
        with tempfile.TemporaryDirectory(prefix="treadle-") as folder:
            yield self._lay_out(Path(folder), version, entries)

    def folder(self, version: DatasetVersion, entries: Sequence[TreeEntry]) -> Path:
        """Return the folder that holds the files of a table, and them alone."""
        if self._root is None:
            raise InvalidInput("Without a home no files are kept.", hint="Open a home: connect().")
        return self._lay_out(self._root, version, entries)[0].parent

    def sweep(self, *, older_than_s: float = KEPT_S) -> int:
        """Remove what was not used for so long; return the bytes that this set free."""
        if self._root is None or not self._root.is_dir():
            return 0
        freed = 0
        oldest = time.time() - older_than_s
        for folder in self._root.iterdir():
            if folder.name != PARTS and folder.stat().st_mtime < oldest:
                shutil.rmtree(folder, ignore_errors=True)
        with suppress(FileNotFoundError):
            for entry in os.scandir(self._root / PARTS):
                status = entry.stat(follow_symlinks=False)
                if status.st_nlink == 1 and status.st_mtime < oldest:
                    Path(entry.path).unlink(missing_ok=True)
                    freed += status.st_size
        return freed

    def _lay_out(
        self, root: Path, version: DatasetVersion, entries: Sequence[TreeEntry]
    ) -> tuple[Path, ...]:
        folder = root / version.table[:32]
        try:
            if not folder.is_dir():
                self.sweep()
            (root / PARTS).mkdir(parents=True, exist_ok=True)
            folder.mkdir(exist_ok=True)
            os.utime(folder)
            if not entries:
                return (self._whole(folder / ONLY_PART, version.table),)
            return tuple(self._part(root, folder / entry.path, entry) for entry in entries)
        except OSError as error:
            raise Unavailable(
                f"Cannot lay {version.ref} out in {root}: {error.strerror or error}.",
                hint="Free some space and do it again; nothing was lost.",
            ) from error

    def _part(self, root: Path, path: Path, entry: TreeEntry) -> Path:
        if self._is_sound(path, entry):
            return path
        kept = root / PARTS / entry.digest
        if not self._is_sound(kept, entry):
            self._write(kept, self._blocks(entry.chunks))
            self._checked[str(kept)] = _looks(kept)
        draft = path.with_name(f"draft-{new_id()}")
        try:
            os.link(kept, draft)
        except OSError:  # a file system without links, or with too many to this file
            shutil.copyfile(kept, draft)
            draft.chmod(READ_ONLY)
        draft.replace(path)
        draft.unlink(missing_ok=True)  # two names of one file: `rename` leaves both
        self._checked[str(path)] = _looks(path)
        return path

    def _whole(self, path: Path, digest: str) -> Path:
        """Lay out a table that is one object: opening it checks it."""
        if not self._is_as_checked(path) and not _has_digest(path, digest):
            with self._objects.open(digest) as stream:
                self._write(path, iter(lambda: stream.read(CHUNK_BYTES), b""))
        self._checked[str(path)] = _looks(path)
        return path

    def _is_sound(self, path: Path, entry: TreeEntry) -> bool:
        if self._is_as_checked(path):
            return True
        if not path.is_file() or path.stat().st_size != entry.size_bytes:
            return False
        places = self._reader.find(entry.chunks)
        with path.open("rb") as file:
            for digest in entry.chunks:
                if blake3(file.read(places[digest].raw_length)).digest() != digest:
                    return False
        self._checked[str(path)] = _looks(path)
        return True

    def _is_as_checked(self, path: Path) -> bool:
        try:
            return self._checked.get(str(path)) == _looks(path)
        except FileNotFoundError:
            return False

    def _blocks(self, chunks: Sequence[bytes]) -> Iterator[bytes]:
        for start in range(0, len(chunks), CHUNKS_AT_ONCE):
            some = chunks[start : start + CHUNKS_AT_ONCE]
            found = dict(self._reader.each(self._reader.find(some)))
            yield from (found[digest] for digest in some)

    @staticmethod
    def _write(path: Path, blocks: Iterator[bytes]) -> None:
        draft = path.with_name(f"draft-{new_id()}")
        try:
            with draft.open("xb") as file:
                file.writelines(blocks)
                os.fchmod(file.fileno(), READ_ONLY)
            draft.replace(path)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise


def _looks(path: Path) -> _Looks:
    status = path.stat()
    return _Looks(status.st_ino, status.st_size, status.st_mtime_ns)


def _has_digest(path: Path, digest: str) -> bool:
    hasher = blake3()
    try:
        with path.open("rb") as file:
            while block := file.read(CHUNK_BYTES):
                hasher.update(block)
    except FileNotFoundError:
        return False
    return hasher.hexdigest() == digest
