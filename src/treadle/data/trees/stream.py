"""A file of a version as a stream that reads only the chunks it needs."""

from __future__ import annotations

import io
from bisect import bisect_right
from itertools import accumulate
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

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
        self._held = (b"", b"")

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
        """Read all that is asked for, as far as there is so much: neighbours are read together."""
        stop = min(self._at + len(buffer), self._starts[-1])
        if self._at >= stop:
            return 0
        first, last = (bisect_right(self._starts, at) - 1 for at in (self._at, stop - 1))
        numbers: dict[bytes, list[int]] = {}
        for number in range(first, last + 1):
            numbers.setdefault(self._chunks[number], []).append(number)
        for digest, block in self._blocks(numbers):
            for number in numbers[digest]:
                self._fill(buffer, number, block, stop=stop)
            if last in numbers[digest]:
                self._held = (digest, block)
        done, self._at = stop - self._at, stop
        return done

    def _blocks(self, digests: Mapping[bytes, object]) -> Iterator[tuple[bytes, bytes]]:
        held, block = self._held
        wanted = {digest: self._places[digest] for digest in digests if digest != held}
        if held in digests:
            yield held, block
        yield from self._reader.each(wanted)

    def _fill(self, buffer: Any, number: int, block: bytes, *, stop: int) -> None:
        """Copy what was asked for of a chunk to where it belongs."""
        start, end = self._starts[number], self._starts[number + 1]
        begin, until = max(start, self._at), min(end, stop)
        buffer[begin - self._at : until - self._at] = block[begin - start : until - start]
