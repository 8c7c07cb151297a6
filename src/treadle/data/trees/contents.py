"""The bytes of many files of a tree, small ones in the order in which they are stored."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from treadle.data.trees.entities import TreeEntry
    from treadle.storage.chunks.reading import ChunkReader

CHUNKS_AT_ONCE = 16


def contents_of(
    entries: Iterable[TreeEntry], *, reader: ChunkReader
) -> Iterator[tuple[TreeEntry, Iterable[bytes]]]:
    """Yield files with their bytes, block by block; each is to be read before the next is taken."""
    single: dict[bytes, list[TreeEntry]] = {}
    for entry in entries:
        if len(entry.chunks) == 1:
            single.setdefault(entry.content, []).append(entry)
        else:
            yield entry, blocks_of_file(entry.chunks, reader=reader)
    for digest, block in reader.each(reader.find(list(single))):
        for entry in single[digest]:
            yield entry, [block]


def blocks_of_file(chunks: Sequence[bytes], *, reader: ChunkReader) -> Iterator[bytes]:
    """Yield the bytes of a file, some chunks in memory at a time."""
    for start in range(0, len(chunks), CHUNKS_AT_ONCE):
        some = chunks[start : start + CHUNKS_AT_ONCE]
        found = dict(reader.each(reader.find(some)))
        yield from (found[digest] for digest in some)
