"""Where bytes are cut: at places their content chooses, so that an insertion moves few cuts."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from pyfastcdc import FastCDC

if TYPE_CHECKING:
    from collections.abc import Iterator

KIB = 1 << 10


class Bounds(NamedTuple):
    """How long a chunk may be, in bytes; the usual length is a little above `usual`."""

    least: int
    usual: int
    most: int


# Both are part of the format: other bounds give other chunks, and what is stored is stored anew.
# For files the scan skips `least` bytes of each chunk: 0.14 CPU s a GB, half of `least` 0.20.
FILES = Bounds(192 * KIB, 256 * KIB, 1024 * KIB)
# Lists of files are small and change in single lines.
TREES = Bounds(4 * KIB, 8 * KIB, 64 * KIB)

# How sharply lengths keep to the usual one (section 3.5 of the FastCDC paper of 2020).
_NORMALIZED: Final = 2


def cut(data: bytes | bytearray | memoryview, bounds: Bounds) -> Iterator[tuple[int, int]]:
    """Yield start and stop of every chunk; together they are the data.

    The last chunk ends where the data ends: of a part of something longer, it must be cut again
    with what follows.
    """
    cutter = FastCDC(
        bounds.usual,
        min_size=bounds.least,
        max_size=bounds.most,
        normalized_chunking=_NORMALIZED,
    )
    return ((c.offset, c.offset + c.length) for c in cutter.cut_buf(data))
