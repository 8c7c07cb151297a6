"""A tree as bytes: a canonical list, cut into chunks, under one digest.

The list is the msgpack array of all entries in the order of their paths. Its chunks are named by
one more, the root: msgpack of the version of this format and their digests. The root's digest is
the tree's: equal trees have equal ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from treadle.data.trees.entities import DIGEST_BYTES, TreeEntry, check_tree
from treadle.kernel.errors import Corrupt
from treadle.storage.chunks.cutting import TREES

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from treadle.storage.chunks.reading import ChunkReader
    from treadle.storage.chunks.writing import ChunkWriter

FORMAT = 1

_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(tuple[TreeEntry, ...])


class Root(msgspec.Struct, frozen=True, array_like=True):
    """What a tree's digest is the digest of."""

    format: int
    chunks: bytes


def write_tree(entries: Iterable[TreeEntry], *, writer: ChunkWriter) -> tuple[str, list[bytes]]:
    """Store a tree; return its digest, and those of all chunks it takes."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    chunks = writer.add(_ENCODER.encode(ordered), bounds=TREES)
    (root,) = writer.add_whole([_ENCODER.encode(Root(FORMAT, b"".join(chunks)))])
    return root.hex(), [root, *chunks]


def read_tree(digest: str, *, reader: ChunkReader) -> tuple[TreeEntry, ...]:
    """Read a tree. Raises Corrupt when it is damaged or gone."""
    return check_tree(_entries(digest, tree_chunks(digest, reader=reader)[1:], reader=reader))


def reached_chunks(digest: str, *, reader: ChunkReader) -> set[bytes]:
    """Return every chunk that a tree needs, those of its list among them; paths are not judged.

    Raises Corrupt when the list is damaged or gone.
    """
    listing = tree_chunks(digest, reader=reader)
    found = set(listing)
    for entry in _entries(digest, listing[1:], reader=reader):
        if len(entry.content) == DIGEST_BYTES and entry.kind == "file":
            found.add(entry.content)  # as nearly all are: a home may have a million
        else:
            found.update(entry.chunks)
    return found


def tree_chunks(digest: str, *, reader: ChunkReader) -> list[bytes]:
    """Return the chunks that hold a tree, the root first."""
    first = bytes.fromhex(digest)
    try:
        root = msgspec.msgpack.decode(reader.join([first]), type=Root)
    except msgspec.DecodeError as error:
        raise _unreadable(digest) from error
    if root.format != FORMAT:
        raise Corrupt(
            f"The list of files {digest[:12]}… is of format {root.format}, not {FORMAT}.",
            hint="A newer version of Treadle wrote it: read it with that.",
        )
    ids = root.chunks
    return [first, *(ids[i : i + DIGEST_BYTES] for i in range(0, len(ids), DIGEST_BYTES))]


def _entries(digest: str, chunks: Sequence[bytes], *, reader: ChunkReader) -> tuple[TreeEntry, ...]:
    try:
        return _DECODER.decode(reader.join(chunks))
    except msgspec.DecodeError as error:
        raise _unreadable(digest) from error


def _unreadable(digest: str) -> Corrupt:
    return Corrupt(f"The list of files {digest[:12]}… cannot be read.")
