"""From files to the digests of their chunks, each file read once and only if it must be."""

from __future__ import annotations

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from treadle.data.trees.opening import OpenFile, read_whole
from treadle.data.trees.places import now_ns, seen
from treadle.storage.chunks.cutting import FILES, KIB
from treadle.storage.chunks.packs import PACK_BYTES
from treadle.storage.chunks.writing import ChunkWriter

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from treadle.data.trees.places import Seen
    from treadle.data.trees.walking import Found

SMALL_BYTES = FILES.least
"""A file up to here is one chunk, wherever it would be cut."""
BATCH_FILES = 512
# Four fill a pack.
BATCH_BYTES = (PACK_BYTES - KIB) // 4
# Each holds a pack in memory.
MOST_THREADS = 4


class Readers:
    """Reads files of a root in a few threads, each with a writer of its own, then all to one."""

    def __init__(
        self,
        root: Path,
        *,
        writer: ChunkWriter,
        progress: Callable[[int], None] | None = None,
    ) -> None:
        self._root = str(root)
        self._writer = writer
        self._progress = progress or (lambda _: None)
        self._own = threading.local()
        self._writers: list[ChunkWriter] = []

    def read(self, files: Iterable[Found]) -> list[Seen]:
        """Return what is to be remembered of every file; what is not stored yet, the writer holds.

        Raises Conflict naming a file that changed since the folder was walked.
        """
        pool = ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1))
        try:
            done = [known for batch in pool.map(self._batch, _batches(files)) for known in batch]
        finally:
            pool.shutdown(cancel_futures=True)
        for own in self._writers:
            self._writer.absorb(own)
        return done

    def _batch(self, batch: Sequence[Found]) -> list[Seen]:
        writer = self._writer_of_thread()
        read_at = now_ns()
        size = sum(found.size_bytes for found in batch)
        if batch[0].size_bytes > SMALL_BYTES:
            contents = [b"".join(self._large(batch[0], writer))]
        else:
            contents = self._small(batch, writer, room=writer.room(size + 1))
        self._progress(size)
        return [seen(f, c, read_at_ns=read_at) for f, c in zip(batch, contents, strict=True)]

    def _writer_of_thread(self) -> ChunkWriter:
        writer: ChunkWriter | None = getattr(self._own, "writer", None)
        if writer is None:
            writer = self._own.writer = ChunkWriter(self._writer.intake)
            self._writers.append(writer)
        return writer

    def _small(
        self, batch: Sequence[Found], writer: ChunkWriter, *, room: memoryview
    ) -> list[bytes]:
        at, pieces = 0, []
        for found in batch:
            pieces.append(read_whole(self._root, found, room=room[at:]))
            at += found.size_bytes
        return writer.take(pieces)

    def _large(self, found: Found, writer: ChunkWriter) -> list[bytes]:
        with OpenFile(self._root, found) as file:
            return writer.add_stream(file.read_into)[0]


def _batches(files: Iterable[Found]) -> Iterator[list[Found]]:
    """Yield small files together, a large one alone."""
    batch: list[Found] = []
    size = 0
    for found in files:
        if found.size_bytes > SMALL_BYTES:
            yield [found]
            continue
        if len(batch) == BATCH_FILES or size + found.size_bytes > BATCH_BYTES:
            yield batch
            batch, size = [], 0
        batch.append(found)
        size += found.size_bytes
    if batch:
        yield batch
