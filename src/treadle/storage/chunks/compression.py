"""Chunks made smaller where it pays."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

SAMPLE_BYTES = 4 << 10
LEVEL = 1
# Less saved than this is not worth what every reader would pay for it.
WORTH_IT = 0.95


class Compressor:
    """Compresses one chunk after the other. Belongs to one thread."""

    def __init__(self) -> None:
        self._zstd = zstd.ZstdCompressor(level=LEVEL)

    def compressed(self, raw: bytes | memoryview) -> bytes | memoryview:
        """Return a frame that is smaller, or the bytes themselves where none is."""
        # What is compressed already shows in a sample, and then costs next to nothing.
        middle = max(0, len(raw) - SAMPLE_BYTES) // 2
        sample = raw[middle : middle + SAMPLE_BYTES]
        frame = self._frame(sample)
        if len(frame) > WORTH_IT * len(sample):
            return raw
        if len(sample) < len(raw):
            frame = self._frame(raw)
        return frame if len(frame) <= WORTH_IT * len(raw) else raw

    def _frame(self, data: bytes | memoryview) -> bytes:
        return self._zstd.compress(data, zstd.ZstdCompressor.FLUSH_FRAME)


def decompressed(frame: bytes, *, size_bytes: int) -> bytes | None:
    """Return what a frame holds, never more than it should; None when it is no frame."""
    try:
        return zstd.ZstdDecompressor().decompress(frame, max_length=size_bytes)
    except zstd.ZstdError:
        return None
