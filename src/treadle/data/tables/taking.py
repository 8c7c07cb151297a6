"""From what is committed to a tree: the rows as parts, and text files as they are."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import msgspec
from blake3 import blake3

from treadle.data.entities import Column, FileEntry
from treadle.data.tables.files import is_part
from treadle.data.tables.intake.origins import Reconsidered
from treadle.data.tables.writing import PartWriter
from treadle.data.trees.entities import TreeEntry
from treadle.kernel.digests import CHUNK_BYTES, digest_json
from treadle.kernel.errors import Conflict, Unavailable

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pyarrow as pa

    from treadle.data.tables.intake.origins import Origin
    from treadle.data.tables.writing import Behind
    from treadle.storage.chunks.writing import ChunkWriter

SOURCES = "source"


class Taken(msgspec.Struct, frozen=True, kw_only=True):
    """A table whose chunks a writer was given: its list of files, and what is known of its rows."""

    entries: tuple[TreeEntry, ...]
    files: tuple[FileEntry, ...]
    columns: tuple[Column, ...]
    rows: int

    @property
    def table(self) -> str:
        """Return the digest that names the rows, whatever they were read from."""
        hasher = blake3()
        for entry in self.entries:
            if is_part(entry.path):
                hasher.update(entry.content)
        return hasher.hexdigest()

    @property
    def digest(self) -> str:
        """Return the digest that names the version: by its files where it has some."""
        return manifest_digest(self.files, self.columns, table=self.table)

    @property
    def size_bytes(self) -> int:
        """Return the size of what was committed."""
        return sum(each.size_bytes for each in self.files or self.entries)


class _Looks(NamedTuple):
    """What a file looked like."""

    inode: int
    size_bytes: int
    mtime_ns: int


def manifest_digest(
    files: tuple[FileEntry, ...], columns: tuple[Column, ...], *, table: str
) -> str:
    """Return the digest of a table's version: of its files and columns, of a frame of its rows."""
    if not files:
        return digest_json({"columns": columns, "table": table})
    return digest_json({"columns": columns, "files": [[f.path, f.digest] for f in files]})


def take_table(
    origin: Origin,
    *,
    writer: ChunkWriter,
    progress: Callable[[int], None] | None = None,
    behind: Behind | None = None,
) -> Taken:
    """Read rows once, or once more where they were judged too early, and give them to a writer.

    They come after parts that are stored, if there are some `behind` them.
    Raises InvalidInput for what cannot be read, Conflict for a file that changed meanwhile.
    """
    looks = [_looks(path) for path in origin.paths]
    parts, schema = _rows(origin, writer=writer, progress=progress, behind=behind)
    entries = parts.finish()
    files = []
    for path in origin.paths:
        entry, content = _file(path, writer=writer, keep=origin.keeps_text)
        files.append(entry)
        if origin.keeps_text:
            entries.append(TreeEntry(f"{SOURCES}/{path.name}", "file", entry.size_bytes, content))
    for path, before in zip(origin.paths, looks, strict=True):
        if _looks(path) != before:
            raise Conflict(
                f"{path.name} changed while it was read.",
                hint="Do it again when nothing writes there.",
            )
    return Taken(
        entries=tuple(entries),
        files=tuple(files),
        columns=tuple(Column(name=f.name, type=str(f.type)) for f in schema),
        rows=parts.rows,
    )


def _rows(
    origin: Origin,
    *,
    writer: ChunkWriter,
    progress: Callable[[int], None] | None,
    behind: Behind | None,
) -> tuple[PartWriter, pa.Schema]:
    while True:
        try:
            opened = origin.open(progress)
            parts = PartWriter(opened.schema, writer=writer, behind=behind)
            for batch in opened.batches:
                parts.add(batch)
        except Reconsidered:
            continue
        return parts, opened.schema


def _file(path: Path, *, writer: ChunkWriter, keep: bool) -> tuple[FileEntry, bytes]:
    """Return what a file is; kept ones are given to the writer on the way."""
    hasher, size = blake3(), 0
    chunks: list[bytes] = []
    try:
        with path.open("rb", buffering=0) as file:

            def read_into(view: memoryview) -> int:
                count = file.readinto(view) or 0
                hasher.update(view[:count])
                return count

            if keep:
                chunks, size = writer.add_stream(read_into)
            else:
                window = memoryview(bytearray(CHUNK_BYTES))
                while count := read_into(window):
                    size += count
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error
    entry = FileEntry(path=path.name, digest=hasher.hexdigest(), size_bytes=size)
    return entry, b"".join(chunks)


def _looks(path: Path) -> _Looks:
    try:
        status = path.stat()
    except OSError as error:
        raise Unavailable(f"Cannot read {path}: {error.strerror or error}.") from error
    return _Looks(status.st_ino, status.st_size, status.st_mtime_ns)
