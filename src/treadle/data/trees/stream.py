"""A file of a version as a stream that reads only the chunks it needs."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

    from treadle.storage.chunks.reading import ChunkReader


class ChunkStream(io.RawIOBase):
    """Chunks one after the other, seekable; each is checked before its bytes are handed out."""

    def __init__(self, chunks: Sequence[bytes], *, reader: ChunkReader) -> None:
        self._chunks = chunks
        self._reader = reader
        self._places = reader.find(chunks)
        lengths = (self._places[digest].raw_length for digest in chunks)
        self._starts = list(accumulate(lengths, initial=0))
        self._at = 0
        self._held = (-1, b"")

    def readable(self) -> bool:
        """Say that it can be read."""
        return True

    def seekable(self) -> bool:
        """Say that it can be moved."""
        return True

    def tell(self) -> int:
        """Return where the next byte is read."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to another byte."""
        origins = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._starts[-1]}
        self._at = max(0, origins[whence] + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        """Read what the chunk at hand has: nothing only at the end."""
        if self._at >= self._starts[-1]:
            return 0
        number = bisect_right(self._starts, self._at) - 1
        skip = self._at - self._starts[number]
        part = self._chunk(number)[skip : skip + len(buffer)]
        buffer[: len(part)] = part
        self._at += len(part)
        return len(part)

    def _chunk(self, number: int) -> bytes:
        if self._held[0] != number:
            digest = self._chunks[number]
            ((_, block),) = self._reader.each({digest: self._places[digest]})
            self._held = (number, block)
        return self._held[1]
